"""Finished outputs, made without a run."""

import csv
import json
from pathlib import Path

import orjson

from batchrunner.inputs.jsonl import fingerprint
from batchrunner.model import Attempt, Failure, Job, Reply, Result
from batchrunner.outputs import checkpoint
from batchrunner.outputs.lines import encode

REFUSED = Failure("content_filter", "the prompt was refused", retryable=False)


def chat(text):
    return {
        "object": "chat.completion",
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20},
    }


def embedded(numbers):
    return {
        "object": "list",
        "data": [{"object": "embedding", "embedding": numbers}],
        "model": "e",
    }


def line_of(ordinal, row, answer):
    """``answer``: a body, or a failure."""
    is_failure = isinstance(answer, Failure)
    job = Job(ordinal, fingerprint(row), f"job-{ordinal}", "/chat/completions", "m", b"{}")
    body = b"{}" if is_failure else orjson.dumps(answer)
    reply = Reply(400 if is_failure else 200, {"x-request-id": "r-1"}, body)
    attempt = Attempt("eastus", "refused" if is_failure else "ok", reply.status, 0.5)
    failure = answer if is_failure else None
    return encode(Result(job, reply, (attempt,), failure), "c0ffee00")


def output_of(path, rows, answers, schema=None, order=None, **more):
    """The results and the checkpoint of an input whose rows, as bytes, got these answers."""
    output = Path("out.results.jsonl")
    lines = [
        line_of(at, row, answer)
        for at, (row, answer) in enumerate(zip(rows, answers, strict=True))
        if answer is not None
    ]
    content = b"".join(lines[at] for at in order or range(len(lines)))
    output.write_bytes(content)
    fields = {
        "complete": len(lines) == len(rows),
        "results": {"synced": len(content), "records": len(lines)},
        "input": {"path": str(Path(path).absolute()), "jobs": len(rows), "limit": None} | more,
        "cfg": {} if schema is None else {"answer_schema": schema},
        "providers": {"eastus": "azure"},
    }
    checkpoint.checkpoint_path(output).write_bytes(checkpoint.encode(fields))
    return output


def jsonl_of(rows, answers, schema=None, **more):
    """An input of JSON Lines with its results."""
    lines = [json.dumps(row).encode() for row in rows]
    Path("in.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    return output_of("in.jsonl", lines, answers, schema, **more)


def csv_of(text, answers, schema=None, **more):
    """A CSV file with its results."""
    Path("in.csv").write_text(text, encoding="utf-8", newline="")
    import csv

    with Path("in.csv").open(encoding="utf-8", newline="") as file:
        rows = [orjson.dumps(row) for row in csv.DictReader(file)]
    return output_of("in.csv", rows, answers, schema, **more)


def read_csv(path):
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_jsonl(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
