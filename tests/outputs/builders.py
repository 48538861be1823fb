"""Results and their lines, as short as a test wants them."""

from batchrunner.model import Attempt, Failure, Job, Reply, Result
from batchrunner.outputs.lines import encode

CFG = "c0ffee00"
AGAIN = Failure("timeout", "no region answered in time", retryable=True)
FINAL = Failure("content_filter", "the prompt was refused", retryable=False)


def job(ordinal=0, custom_id=None):
    return Job(
        ordinal=ordinal,
        fingerprint=f"{ordinal + 1:016x}",
        id=f"task-{ordinal}" if custom_id is None else custom_id,
        path="/chat/completions",
        model="gpt-4o",
        body=b"{}",
    )


def result(ordinal=0, body=b'{"text":"fine"}', failure=None, custom_id=None):
    return Result(
        job=job(ordinal, custom_id),
        reply=Reply(400 if failure else 200, {"x-request-id": "req-1"}, body),
        attempts=(Attempt("eastus", "refused" if failure else "ok", 200, 0.25),),
        failure=failure,
    )


def line(ordinal=0, body=b'{"text":"fine"}', failure=None):
    return encode(result(ordinal, body, failure), CFG)
