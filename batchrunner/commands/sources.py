"""Where the input and the regions of a command come from."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import Settings, read_settings
from ..environment import load_settings
from .simulate import scenario_of

if TYPE_CHECKING:
    from ..simulator.server import Simulation


@dataclass(frozen=True, slots=True)
class Sources:
    """The files that name regions, as the command line names them."""

    env: Path | None
    config: Path | None
    scenario: str | None  #: None: no simulator; empty: the scenario of the package


@dataclass(frozen=True, slots=True)
class Files:
    """The files that a run is about, likewise."""

    input: str
    output: str | None
    sources: Sources


@asynccontextmanager
async def configured(
    sources: Sources, options: Mapping[str, Any]
) -> AsyncIterator[tuple[Settings, "Simulation | None"]]:
    """The settings, and the simulator where one serves their regions; it lives in the block."""
    if sources.scenario is None:
        yield load_settings(options, sources.env, sources.config), None
        return
    async with simulated(sources.scenario, options) as found:
        yield found


@asynccontextmanager
async def simulated(
    scenario: str, options: Mapping[str, Any]
) -> AsyncIterator[tuple[Settings, "Simulation"]]:
    """The regions of a scenario, served while the block lasts, and settings that name them."""
    from ..simulator.server import serve

    async with serve(scenario_of(scenario)) as simulation:
        yield read_settings(options, simulation.environ(), {}), simulation
