"""The command line as a process of its own, and servers that it may talk to."""

import asyncio
import os
import sys
from dataclasses import dataclass

KEY = "canary-5ad0c1e7-0123456789abcdef"
OWN = ("AZURE_", "OPENAI_", "BATCHRUNNER_")


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


def environment(**more):
    """That of this process, without what names regions."""
    return {name: text for name, text in os.environ.items() if not name.startswith(OWN)} | more


def regions(*urls, key=KEY):
    """The lines of a `.env` file for regions at these URLs, whose limits are known."""
    lines = []
    for number, url in enumerate(urls, 1):
        lines += [
            f"AZURE_OPENAI_API_KEY_{number}={key}",
            f"AZURE_OPENAI_ENDPOINT_{number}={url}",
            f"AZURE_OPENAI_REGION_{number}=region{number}",
            f"AZURE_OPENAI_RPM_{number}=600000",
        ]
    return "\n".join([*lines, ""])


async def start(place, *arguments, before="", **environ):
    """Start `batchrunner` in ``place``; ``before`` is what a shell does first."""
    command = [sys.executable, "-m", "batchrunner", *map(str, arguments)]
    if before:
        command = ["sh", "-c", f'{before}; exec "$@"', "sh", *command]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *command, cwd=place, env=environment(**environ), stdout=pipe, stderr=pipe
    )


async def batchrunner(place, *arguments, **options):
    """Run it to its end."""
    process = await start(place, *arguments, **options)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert b"Traceback" not in err
    return Ended(process.returncode, out.decode(), err.decode())
