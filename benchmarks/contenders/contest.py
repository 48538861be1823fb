"""What every contender is told, and the jobs as most programs read them."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

API_VERSION = "2024-10-21"
KEY = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Contest:
    """Answer all jobs of ``input``, so many at a time, into ``output``."""

    input: Path
    output: Path
    url: str
    concurrency: int
    regions: int

    def jobs(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The id of each job and the body of its request."""
        with self.input.open() as lines:
            for line in lines:
                body = json.loads(line)
                yield body.pop("id"), body


def read_contest() -> Contest:
    parser = argparse.ArgumentParser()
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("url")
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--regions", type=int, default=1)
    return Contest(**vars(parser.parse_args()))
