"""``--telemetry``: spans and metrics go to a collector, as the OTEL_* variables say.

They are sent by threads of OpenTelemetry's own, in batches; where these do not keep up, spans are
dropped. A collector that cannot be reached costs a run a few seconds at its end, and a warning.
"""

import asyncio
import logging
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING

import anyio

from ..caller import Send
from ..errors import ConfigError
from ..targets import Target

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.trace import TracerProvider

FLUSH = 5.0  #: seconds that the last spans and metrics are given
Observe = Callable[[Send, Mapping[str, Target]], Send]
_LOG = logging.getLogger("batchrunner")


def require(*, telemetry: bool) -> None:
    """ConfigError where telemetry is wanted and its libraries are not there."""
    needed = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
    if telemetry and not all(map(_has, needed)):
        raise ConfigError(
            "--telemetry needs OpenTelemetry: pip install 'batchrunner[telemetry]', "
            "or leave the option out"
        )


@asynccontextmanager
async def telling(*, telemetry: bool) -> AsyncIterator[Observe]:
    """Yields what makes a ``Send`` tell a collector of every request, if ``telemetry`` is wanted.

    What is left is sent on leaving. ConfigError where the libraries are missing, or the OTEL_*
    variables cannot be.
    """
    if not telemetry:
        yield lambda send, _: send
        return
    require(telemetry=telemetry)
    from .spans import Observed

    with _hushed() as heard:
        traces, metrics = _providers()
        try:
            yield lambda send, targets: Observed(send, targets, traces, metrics)
        finally:
            with anyio.CancelScope(shield=True):
                in_time = await _ended(traces, metrics)
            if heard.count or not in_time:
                _LOG.warning(
                    "batchrunner: telemetry: the collector did not take everything, which the run "
                    "did not wait for: look at OTEL_EXPORTER_OTLP_ENDPOINT and the collector's log"
                )


def _has(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def _providers() -> "tuple[TracerProvider, MeterProvider]":
    try:
        resource = _resource()
        return _traces(resource), _metrics(resource)
    except Exception as error:  # noqa: BLE001 - values are not shown: a header may be a key
        raise ConfigError(
            f"--telemetry: {type(error).__name__} from OpenTelemetry: correct the OTEL_* variables"
        ) from None


def _resource() -> "Resource":
    """What the variables say of this program, and its name where they give none."""
    from opentelemetry.sdk.resources import Resource

    own = Resource({"service.version": version("batchrunner")}).merge(Resource.create())
    if str(own.attributes["service.name"]).startswith("unknown_service"):
        return own.merge(Resource({"service.name": "batchrunner"}))
    return own


def _traces(resource: "Resource") -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import NoOpTracerProvider

    if os.environ.get("OTEL_TRACES_EXPORTER") == "none":
        return NoOpTracerProvider()
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _metrics(resource: "Resource") -> "MeterProvider":
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.metrics import NoOpMeterProvider
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    if os.environ.get("OTEL_METRICS_EXPORTER") == "none":
        return NoOpMeterProvider()
    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    return MeterProvider([reader], resource=resource, shutdown_on_exit=False)


async def _ended(*providers: "TracerProvider | MeterProvider") -> bool:
    """Send what is left, for so long; returns whether that was enough.

    The threads are daemons, so that nothing waits for them after that.
    """
    ends = [end for p in providers if (end := getattr(p, "shutdown", None)) is not None]
    done = [asyncio.Event() for _ in ends]
    for end, event in zip(ends, done, strict=True):
        loop = asyncio.get_running_loop()
        threading.Thread(target=_end, args=(end, loop, event), daemon=True).start()
    with anyio.move_on_after(FLUSH):
        for event in done:
            await event.wait()
    return all(event.is_set() for event in done)


def _end(end: Callable[[], None], loop: asyncio.AbstractEventLoop, done: asyncio.Event) -> None:
    with suppress(Exception):  # whatever it is, it is told as one warning
        end()
    with suppress(RuntimeError):  # the loop has not waited
        loop.call_soon_threadsafe(done.set)


class _Heard(logging.Handler):
    """Counts complaints, and shows none: they come with tracebacks, and may hold headers."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += record.levelno >= logging.WARNING


@contextmanager
def _hushed() -> Iterator[_Heard]:
    """Keep what OpenTelemetry has to complain of from standard error."""
    logger, heard = logging.getLogger("opentelemetry"), _Heard()
    before = logger.propagate
    logger.addHandler(heard)
    logger.propagate = False
    try:
        yield heard
    finally:
        logger.propagate = before
        logger.removeHandler(heard)
