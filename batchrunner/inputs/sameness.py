"""When two requests are the same: what is asked of which model, however its line is laid out.

Nothing of a region counts, no key and no deployment, so an answer stays good when regions come and
go; nor do the id and the place of a line. The order of members does not count either, with one
exception: a model writes its answer in the order of a schema, and reads tools in theirs, so where
reasoning is asked for before the verdict and where behind it, that is not the same request.
"""

from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import orjson

_ORDERED = frozenset({"response_format", "text", "tools", "functions"})  #: they hold schemas


def request_of(path: str, model: str, body: Mapping[str, Any]) -> str:
    """BLAKE2b-128 of a request, 32 hex digits; ``body`` is one that ``strict.dump`` takes."""
    if not _ORDERED.isdisjoint(body):
        kept = {name: orjson.Fragment(orjson.dumps(body[name])) for name in _ORDERED & body.keys()}
        body = {**body, **kept}
    canonical = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    return blake2b(_asked_of(path, model) + canonical, digest_size=16).hexdigest()


@lru_cache
def _asked_of(path: str, model: str) -> bytes:
    return f"{path}\0{model}\0".encode()
