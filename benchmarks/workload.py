"""The same jobs and the same answer for everybody who is measured."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

MODEL = "gpt-4o-mini"
LINE = 1000  #: bytes of a job, about
ANSWER_TEXT = ("word " * 107).rstrip()  #: makes the answer 860 bytes long
ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": f"{MODEL}-2024-07-18",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": ANSWER_TEXT},
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 120,
            "completion_tokens": 100,
            "total_tokens": 220,
            "prompt_tokens_details": {"cached_tokens": 0},
        },
    }
)
_WORDS = ("the", "a", "river", "house", "green", "seven", "of", "under", "morning", "to", "sing")
_TEXTS = 1000  #: different prompts; the jobs differ by their id besides


def write_jobs(path: Path, jobs: int, seed: int = 1) -> None:
    """As many jobs of about 1 kB, the same ones for the same seed."""
    texts = list(_texts(Random(seed)))
    with path.open("w") as file:
        for n in range(jobs):
            file.write(f'{{"id":"job-{n:08}",{texts[n % _TEXTS]}}}\n')


def count_answers(path: Path) -> int:
    """How many lines of an output hold the answer."""
    mark = ANSWER_TEXT.encode()
    with path.open("rb") as lines:
        return sum(mark in line for line in lines)


def _texts(chance: Random) -> Iterator[str]:
    """All of a line but its id."""
    for _ in range(_TEXTS):
        prompt = ""
        while len(prompt) < LINE - 120:
            prompt += chance.choice(_WORDS) + " "
        messages = json.dumps([{"role": "user", "content": prompt.rstrip()}])
        yield f'"model":"{MODEL}","messages":{messages},"temperature":0.2,"max_tokens":200'
