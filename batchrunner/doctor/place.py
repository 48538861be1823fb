"""A region as it is configured, and what its settings are called. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..model import CHAT
from ..targets import FALLBACK, OPENAI, Target, numbers, variables_of

Names = Mapping[str, str]  #: what sets each field of a region: a variable, or a key of TOML

ANY: Names = variables_of("_n")
PLAIN: Names = {field: name for field, (name, _) in FALLBACK.items()}


@dataclass(frozen=True, slots=True)
class Place:
    """One region, and what it is asked."""

    target: Target
    model: str | None = None
    path: str = CHAT
    timeout: float = 20.0  #: seconds for all of its calls
    names: Names = field(default_factory=lambda: ANY)

    @property
    def called(self) -> str | None:
        """What the region is asked for: a deployment or a model; None where nothing says."""
        return self.target.model_for(self.model) if self.model else self.target.deployment

    @property
    def host(self) -> str:
        """Where it is, with a port that is not the usual one."""
        return urlsplit(self.target.endpoint).netloc

    @property
    def api_version(self) -> str:
        """The dated version, or ``v1``."""
        return "v1" if self.target.speaks_v1 else self.target.api_version

    def name(self, setting: str) -> str:
        """What sets a field of this region."""
        return self.names.get(setting, ANY.get(setting, setting))


def names_of(environ: Mapping[str, str], toml: Mapping[str, Any]) -> dict[str, Names]:
    """What the settings of each region are called, in the order of the regions; OpenAI apart.

    The order is that of ``Settings.targets``, whose last one may be plain OpenAI.
    """
    if "regions" in toml:
        return {str(n): _of_toml(region, n) for n, region in enumerate(toml["regions"], 1)}
    return {number: variables_of(number) for number in numbers(environ)}


def named(targets: tuple[Target, ...], names: Mapping[str, Names]) -> dict[str, Names]:
    """The same, by the name of each region."""
    azure = [target.name for target in targets if not target.is_fallback]
    return {**dict(zip(azure, names.values(), strict=True)), OPENAI: PLAIN}


def _of_toml(region: Mapping[str, Any], number: int) -> Names:
    """The key is that of a variable; all else stands in the file."""
    names = {name: f"{name} of region {number} in --config" for name in ANY}
    return names | {"key": str(region.get("key", names["key"]))}
