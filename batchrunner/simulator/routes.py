"""Which service a path belongs to, and what the path says."""

from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, unquote

from .dialect import Route
from .order import Operation
from .scenario import OPENAI, Region, Scenario

_OPERATIONS = {operation.value: operation for operation in Operation}
_RESPONSES = [Operation.RESPONSES]  #: names its deployment in the body


class Routes:
    """The paths of all targets of a scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self._regions: dict[str, Region] = {region.name: region for region in scenario.regions}
        self._plain = scenario.openai is not None
        self.find = lru_cache(maxsize=4096)(self._find)

    def _find(self, path: bytes) -> Route | None:
        """What a raw path says; None where its first part names no target."""
        target, *rest = (unquote(part) for part in path.decode("ascii", "replace")[1:].split("/"))
        if target == OPENAI and self._plain:
            return _route(target, rest[1:], known=rest[:1] == ["v1"])
        region = self._regions.get(target)
        return _azure(region, rest) if region else None


@lru_cache(maxsize=256)
def api_version(query: bytes) -> str | None:
    """The api-version in a query string."""
    values = parse_qs(query.decode("ascii", "replace")).get("api-version")
    return values[-1] if values else None


def _azure(region: Region, path: list[str]) -> Route:
    knows_dated, knows_v1 = region.api in {"both", "dated"}, region.api in {"both", "v1"}
    match path:
        case ["openai", "v1", *rest]:
            return _route(region.name, rest, known=knows_v1)
        case ["openai", "deployments", name, *rest] if rest != _RESPONSES:
            return _route(region.name, rest, deployment=name, dated=True, known=knows_dated)
        case ["openai", *rest] if rest == _RESPONSES:
            return _route(region.name, rest, dated=True, known=knows_dated)
        case _:
            return Route(region.name, known=False)


def _route(target: str, path: list[str], *, known: bool, **more: Any) -> Route:
    operation = _OPERATIONS.get("/".join(path))
    if operation is None:
        return Route(target, known=False)
    return Route(target, operation, known=known, **more)
