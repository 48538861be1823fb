"""Short ways to say what a region sends and what a run knows."""

import math

import orjson

from batchrunner.model import Job, Reply
from batchrunner.policy.adaptive import Adaptive
from batchrunner.policy.quota import Quota
from batchrunner.policy.ratelimit import Limit
from batchrunner.policy.region import Region
from batchrunner.policy.verdict import Cause, Throttled


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


def wait_for(it, now, tokens):
    """Seconds until a quota, or a region, lets a request of ``tokens`` go."""
    quota = getattr(it, "quota", it)
    return max(it.wait_for_any(now), quota.wait_for_tokens(now, tokens))


def region(name, *, quota=None, slots=4, **more):
    """A region that is ready for ``slots`` requests at once."""
    adaptive = Adaptive(slots)
    adaptive.trust()
    return Region(name=name, quota=quota or Quota(), adaptive=adaptive, **more)


def requests(wait=None):
    return Throttled(Cause.REQUESTS, wait)


def tokens(wait=None):
    return Throttled(Cause.TOKENS, wait)


def capacity(wait=20.0):
    return Throttled(Cause.CAPACITY, wait)


def limits(quota):
    """How many requests, and how many tokens, may be taken at once."""
    narrowest = quota._requests.narrowest, quota._tokens.narrowest
    return tuple(limit.amount if math.isfinite(limit.amount) else None for limit in narrowest)


def probe(quota, now):
    """Send the one request that goes first; returns its generation."""
    assert wait_for(quota, now, 1) == 0
    quota.take(now, 1)
    return quota.generation


def burst(quota, now, count):
    """Let ``count`` requests pass at ``now``, and a 429 end it."""
    for _ in range(count):
        quota.take(now, 1)
        quota.pass_(now, now, quota.generation)
    quota.throttle(now, now, 1, quota.generation, requests(10))


def used_up(share=0.95):
    """A quota of a thousand tokens a minute, of which so much is taken."""
    quota = Quota(tokens=Limit(1000, 60))
    quota.take(0, 1000 * share)
    return quota
