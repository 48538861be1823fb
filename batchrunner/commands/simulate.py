"""The embedded simulator, for the commands that can do without real regions."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from ..errors import UsageError

if TYPE_CHECKING:
    from ..simulator import Scenario  # a run on real regions needs no server


def simulate_command(scenario: Path | None, port: int, announce: Callable[[str], None]) -> None:
    """Serve a scenario until interrupted."""
    from ..simulator.server import PortError, serve_forever

    loaded = scenario_of(str(scenario or ""))
    try:
        anyio.run(serve_forever, loaded, port, announce, backend_options={"use_uvloop": True})
    except PortError as error:
        raise UsageError(str(error)) from None
    except KeyboardInterrupt:
        return


def scenario_of(name: str) -> "Scenario":
    """The scenario of a file; of the package where ``name`` is empty. Raises UsageError."""
    from ..simulator import ScenarioError, load

    try:
        return load(Path(name) if name else None)
    except ScenarioError as error:
        raise UsageError(str(error)) from None
