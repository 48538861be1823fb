"""Ourselves: the command, with everything that it does for a user."""

import os
import sys

from batchrunner.cli import main

from .contest import KEY, Contest, read_contest


def environ(contest: Contest) -> dict[str, str]:
    """The variables that a user would set."""
    variables = {"BATCHRUNNER_CONCURRENCY": str(contest.concurrency)}
    if ca_file := os.environ.get("SSL_CERT_FILE"):
        variables["BATCHRUNNER_CA_FILE"] = ca_file
    for n in range(1, contest.regions + 1):
        variables |= {
            f"AZURE_OPENAI_API_KEY_{n}": KEY,
            f"AZURE_OPENAI_ENDPOINT_{n}": contest.url,
            f"AZURE_OPENAI_REGION_{n}": f"region-{n}",
        }
    return variables


if __name__ == "__main__":
    contest = read_contest()
    os.environ |= environ(contest)
    sys.argv = ["batchrunner", "run", str(contest.input), "--output", str(contest.output)]
    main()
