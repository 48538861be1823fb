"""Which service a path belongs to, and what the path says."""

from functools import lru_cache
from urllib.parse import parse_qs, unquote

from .dialect import Route
from .scenario import OPENAI, Region, Scenario

_DATED_START = ("openai", "deployments")
_CHAT = ("chat", "completions")
_V1 = ("openai", "v1", "chat", "completions")
_PLAIN = ("v1", "chat", "completions")


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
            return Route(target, known=tuple(rest) == _PLAIN)
        region = self._regions.get(target)
        return _azure(region, tuple(rest)) if region else None


@lru_cache(maxsize=256)
def api_version(query: bytes) -> str | None:
    """The api-version in a query string."""
    values = parse_qs(query.decode("ascii", "replace")).get("api-version")
    return values[-1] if values else None


def _azure(region: Region, path: tuple[str, ...]) -> Route:
    if path == _V1:
        return Route(region.name, known=region.api in {"both", "v1"})
    if path[:2] == _DATED_START and path[3:] == _CHAT:
        known = region.api in {"both", "dated"}
        return Route(region.name, deployment=path[2], dated=True, known=known)
    return Route(region.name, known=False)
