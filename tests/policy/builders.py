"""Short ways to say what a region sends and what a run knows."""

import orjson

from batchrunner.model import Job, Reply
from batchrunner.policy.adaptive import Adaptive
from batchrunner.policy.quota import Quota
from batchrunner.policy.region import Region


def reply(status=200, body=b"", **headers):
    """A reply; ``retry_after_ms="5"`` is the header ``retry-after-ms: 5``."""
    if not isinstance(body, bytes):
        body = orjson.dumps(body)
    return Reply(status, {name.replace("_", "-"): text for name, text in headers.items()}, body)


def error(message="", code=None, kind=None, **more):
    return {"error": {"message": message, "code": code, "type": kind, **more}}


def completion(finish="stop", usage=None, **message):
    answer = {"message": {"role": "assistant", **message}, "finish_reason": finish, "index": 0}
    return {"model": "gpt-4o-mini", "choices": [answer], "usage": usage}


def job(ordinal=0, *, model="gpt", answer=0, body=b""):
    """A job that is charged ``answer`` tokens, and a quarter for each byte of its body."""
    return Job(ordinal, f"{ordinal:016x}", str(ordinal), "/chat/completions", model, body, answer)


def region(name, *, quota=None, slots=4, **more):
    """A region that is ready for ``slots`` requests at once."""
    adaptive = Adaptive(slots)
    adaptive.trust()
    return Region(name=name, quota=quota or Quota(), adaptive=adaptive, **more)
