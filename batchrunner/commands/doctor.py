"""One tiny call to every region, and what came of it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from ..config import Settings, require_targets
from ..doctor.asking import MOST_CALLS, USUAL_TOKENS
from ..doctor.cautions import cautions
from ..doctor.findings import Findings
from ..doctor.looking import hushed, look_around
from ..doctor.place import Names, named, names_of
from ..doctor.probing import examine, places
from ..doctor.surroundings import Surroundings
from ..doctor.variables import EXPLAINING, suspicions
from ..endpoints import shown
from ..environment import is_trusted, load_settings, read_toml
from ..errors import ConfigError
from ..inputs.request import ENDPOINTS
from ..targets import OPENAI
from ..views import checkup
from .sources import Sources, simulated
from .talk import say, tell

if TYPE_CHECKING:
    from ..simulator.scenario import OpenAI, Region, Scenario

COMMON = "gpt-4o-mini"
TIMEOUT = 20.0  #: seconds; a run's patience is not wanted here


@dataclass(frozen=True, slots=True)
class _Configured:
    """What there is to examine, and where that stands."""

    settings: Settings
    names: Mapping[str, Names]
    around: Surroundings


def doctor_command(sources: Sources, options: Mapping[str, Any], *, as_json: bool) -> int:
    """Examine every region and say what was found; returns the exit code."""
    given = {name: value for name, value in options.items() if value is not None}
    given.setdefault("timeout", TIMEOUT)

    async def main() -> Findings:
        async with _configured(sources, given) as configured:
            require_targets(configured.settings)
            return await _examined(configured)

    findings = anyio.run(main, backend_options={"use_uvloop": True})
    with suppress(OSError):  # who stopped reading does not change the exit code
        if as_json:
            say(findings.as_json(), [], as_json=True)
        else:
            checkup.show(findings)
    return findings.exit_code


async def _examined(configured: _Configured) -> Findings:
    settings, around = configured.settings, configured.around
    path = ENDPOINTS[settings.endpoint]
    regions = places(settings, path=path, names=configured.names)
    count = len(regions)
    tell(
        f"{count} {'region' if count == 1 else 'regions'}: a call of about {USUAL_TOKENS} tokens "
        f"to each, {MOST_CALLS} at most"
    )
    if settings.proxy_url is not None:
        tell(f"through the proxy {shown(settings.proxy_url)}")
    found = await examine(settings, path=path, names=configured.names)
    proxied = settings.proxy_url is not None
    return Findings(
        found,
        [
            *suspicions(around, proxied=proxied),
            *cautions(settings, regions, found, around.open_files),
        ],
    )


@asynccontextmanager
async def _configured(sources: Sources, given: Mapping[str, Any]) -> AsyncIterator[_Configured]:
    if sources.scenario is None:
        yield _from_files(sources, given)
        return
    async with simulated(sources.scenario, given) as (settings, simulation):
        names = named(settings.targets, names_of(simulation.environ(), {}))
        asked = _asked(settings, simulation.simulator.scenario)
        yield _Configured(asked, names, Surroundings())


def _asked(settings: Settings, scenario: "Scenario") -> Settings:
    """Every region is asked for a deployment that it has, where no model is named."""
    if settings.model is not None:
        return settings
    first = {region.name: _first_of(region) for region in scenario.regions}
    first[OPENAI] = _first_of(scenario.openai)
    targets = [t.model_copy(update={"deployment": first[t.name]}) for t in settings.targets]
    return settings.model_copy(update={"targets": tuple(targets)})


def _first_of(simulated: "Region | OpenAI | None") -> str:
    """A deployment that a scenario has; where it takes any name, that of a common model."""
    return next((n for n in simulated.deployments if n != "*"), COMMON) if simulated else COMMON


def _from_files(sources: Sources, given: Mapping[str, Any]) -> _Configured:
    """The real regions; where they cannot be read, what stands out in the variables says why."""
    trusted = is_trusted(given)
    with hushed():
        around = look_around(sources.env, trusted=trusted)
        try:
            settings = load_settings(given, sources.env, sources.config)
            require_targets(settings)
        except ConfigError:
            for caution in suspicions(around):
                if caution.code in EXPLAINING:
                    tell(f"warning: {caution.message}: {caution.remedy}")
            raise
        names = names_of(around.environ, read_toml(sources.config, trusted=trusted))
    return _Configured(settings, named(settings.targets, names), around)
