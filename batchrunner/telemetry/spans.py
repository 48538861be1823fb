"""Each request as a span and as metrics, named by OpenTelemetry's conventions for generative AI.

The names are spelled out here: the conventions are still in development, and the package that
holds their constants calls them deprecated. Of what is asked and answered, nothing is told but
numbers and names: no prompt, no answer, no id of a job, no message of an error.
"""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider

from ..caller import Send
from ..model import CANCELLED, EMBEDDINGS, Fault, Job, Reply, Usage
from ..policy.answer import is_answer, usage_of
from ..policy.verdict import judge
from ..targets import Target

SCOPE = "batchrunner"
DURATION, TOKENS = "gen_ai.client.operation.duration", "gen_ai.client.token.usage"
#: edges of buckets that the conventions recommend
SECONDS = tuple(0.01 * 2**n for n in range(14))
COUNTS = tuple(4.0**n for n in range(14))
PROVIDERS = {"azure": "azure.ai.openai", "openai": "openai"}
KEPT = ("gen_ai.response.model", "error.type")  #: of what was heard, in metrics too
LONGEST = 256  #: characters of a text that a service gave


class Observed:
    """Sends jobs, and tells of every request: a ``Send`` around another one."""

    def __init__(
        self,
        send: Send,
        targets: Mapping[str, Target],
        traces: TracerProvider,
        metrics: MeterProvider,
    ) -> None:
        self._send = send
        self._places = {name: _place(target) for name, target in targets.items()}
        self._tracer = traces.get_tracer(SCOPE)
        meter = metrics.get_meter(SCOPE)
        self._duration = meter.create_histogram(
            DURATION, "s", "GenAI operation duration.", explicit_bucket_boundaries_advisory=SECONDS
        )
        self._tokens = meter.create_histogram(
            TOKENS,
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=COUNTS,
        )

    async def __call__(self, region: str, job: Job) -> Reply | Fault:
        """Send ``job`` to ``region``."""
        operation = "embeddings" if job.path == EMBEDDINGS else "chat"
        common = self._places[region] | {
            "gen_ai.operation.name": operation,
            "gen_ai.request.model": job.model,
        }
        asked = common | _asked(job)
        name = f"{operation} {job.model}"
        clock = asyncio.get_running_loop().time
        began = clock()
        span = self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=asked)
        try:
            outcome = await self._send(region, job)
        except BaseException as error:
            is_ours = isinstance(error, asyncio.CancelledError)
            kind = CANCELLED if is_ours else type(error).__name__
            self._tell(span, common, {"error.type": kind}, clock() - began)
            raise
        self._tell(span, common, _heard(outcome, job), clock() - began)
        return outcome

    def _tell(
        self, span: Span, common: dict[str, Any], heard: dict[str, Any], seconds: float
    ) -> None:
        if "error.type" in heard:
            span.set_status(Status(StatusCode.ERROR))  # its message may quote the prompt
        span.set_attributes(heard)
        span.end()
        kept = common | {name: heard[name] for name in KEPT if name in heard}
        self._duration.record(seconds, kept)
        for kind in ("input", "output"):
            if (count := heard.get(f"gen_ai.usage.{kind}_tokens")) is not None:
                self._tokens.record(count, kept | {"gen_ai.token.type": kind})


def _place(target: Target) -> dict[str, Any]:
    url = urlsplit(target.endpoint)
    return {
        "batchrunner.region": target.name,
        "gen_ai.provider.name": PROVIDERS[target.kind],
        "server.address": url.hostname or "",
        "server.port": url.port or (443 if url.scheme == "https" else 80),
    }


def _asked(job: Job) -> dict[str, Any]:
    most = job.answer_tokens
    return {} if most is None or job.path == EMBEDDINGS else {"gen_ai.request.max_tokens": most}


def _heard(outcome: Reply | Fault, job: Job) -> dict[str, Any]:
    """What a reply or a fault adds; ``error.type`` is the outcome that an attempt has."""
    if isinstance(outcome, Fault):
        return {"error.type": judge(outcome, job.path).outcome}
    heard: dict[str, Any] = {"http.response.status_code": outcome.status}
    body = _answer(outcome, job)
    if body is None:
        return heard | {"error.type": judge(outcome, job.path).outcome}
    return heard | _said(body) | _used(usage_of(body))


def _answer(reply: Reply, job: Job) -> dict[str, Any] | None:
    try:
        body = orjson.loads(reply.body) if reply.status == 200 else None
    except ValueError:
        return None
    return body if is_answer(job.path, body) else None


def _said(body: Mapping[str, Any]) -> dict[str, Any]:
    """Its id, and how each choice ended: of a response, its status."""
    said: dict[str, Any] = {}
    if isinstance(id_ := body.get("id"), str):
        said["gen_ai.response.id"] = id_[:LONGEST]
    choices = body.get("choices")
    parts = choices if isinstance(choices, list) else [{"finish_reason": body.get("status")}]
    ends = [part.get("finish_reason") for part in parts if isinstance(part, dict)]
    if reasons := [end[:LONGEST] for end in ends if isinstance(end, str)]:
        said["gen_ai.response.finish_reasons"] = reasons
    return said


def _used(usage: Usage) -> dict[str, Any]:
    used: dict[str, Any] = {
        "gen_ai.usage.input_tokens": usage.prompt,
        "gen_ai.usage.output_tokens": usage.completion,
    }
    if usage.cached:
        used["gen_ai.usage.cache_read.input_tokens"] = usage.cached
    if usage.model:
        used["gen_ai.response.model"] = usage.model
    return used
