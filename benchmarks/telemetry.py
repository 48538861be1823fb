"""The question: what do metrics and telemetry cost a run.

*a scrape* is the text of all metrics, made anew, with so many regions of two models each. *a
request* goes through what ``--telemetry`` puts around it, to a region that answers at once; it is
the processor time of all threads, so that the sending of spans is part of it. The collector is a
process of its own, which takes everything. Medians.

    python -m benchmarks.telemetry [--rounds N] [--requests N] [--json FILE]
"""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import uvloop
from prometheus_client import CollectorRegistry, generate_latest

from batchrunner.model import Fault, Job, Reply, Usage
from batchrunner.policy.region import RegionStatus
from batchrunner.prices import PriceList
from batchrunner.stats import RegionUsage, Stats, Tokens
from batchrunner.summary import Progress
from batchrunner.targets import Target
from batchrunner.telemetry.export import telling
from batchrunner.telemetry.metrics import RunCollector

from .record import installed, save

COLLECTOR = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Taking(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_): pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
print(server.server_port, flush=True)
server.serve_forever()
"""
ANSWER = (
    b'{"id":"chatcmpl-1","model":"gpt-4o-2024-08-06","choices":[{"message":{"content":"yes"},'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":5}}'
)
MODELS = ("gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18")
SAMPLED = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"}


def busy(seed: int) -> RegionUsage:
    """A region that has seen something of everything."""
    usage = RegionUsage(
        ok=1000, throttled=Counter(requests=2, tokens=3), errors=Counter(timeout=2, http_500=4)
    )
    for model in MODELS:
        usage.models[model] = Tokens()
        usage.models[model].add(Usage(model, 100, 20, 4))
    random = Random(seed)
    for _ in range(1000):
        usage.latency.add(random.lognormvariate(0, 0.6))
    return usage


def scrape(count: int, rounds: int) -> float:
    """Milliseconds to make the text for ``count`` regions."""
    regions = {f"region{n}": busy(n) for n in range(count)}
    statuses = [RegionStatus(name, "open", "", 0.0, 3, 8, 5, 0.0) for name in regions]
    prices = PriceList(dict.fromkeys(regions, "azure"))
    progress = Progress(10_000, 0, 60.0, Stats(ok=1000, regions=regions), statuses, prices=prices)
    registry, collector = CollectorRegistry(), RunCollector(0.0)
    registry.register(collector)
    collector.show(lambda: progress)

    def once() -> float:
        began = time.process_time()
        generate_latest(registry)
        return time.process_time() - began

    once()  # prices are looked up for the first time
    return 1000 * median(once() for _ in range(10 * rounds))


async def request(requests: int) -> float:
    """Microseconds that telling of a request takes."""
    target = Target(name="eastus", endpoint="https://east.openai.azure.com/")
    reply = Reply(200, {}, ANSWER)
    job = Job(0, "0" * 16, "a", "/chat/completions", "gpt-4o", b"{}", 100)

    async def answer(_region: str, _job: Job) -> Reply | Fault:
        return reply

    began = time.process_time()
    async with telling(telemetry=True) as observe:
        send = observe(answer, {"eastus": target})
        for number in range(requests):
            await send("eastus", job)
            if number % 100 == 0:
                await asyncio.sleep(0)
    return 1e6 * (time.process_time() - began) / requests


def told(requests: int, rounds: int, variables: dict[str, str]) -> float:
    os.environ |= variables
    try:
        return median(uvloop.run(request(requests)) for _ in range(rounds))
    finally:
        for name in variables:
            del os.environ[name]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rows: list[dict[str, Any]] = [
        {"part": f"a scrape, {count} regions", "ms": round(scrape(count, asked.rounds), 2)}
        for count in (3, 64)
    ]
    process = subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-c", COLLECTOR], stdout=subprocess.PIPE, text=True
    )
    with process as collector:
        assert collector.stdout is not None
        there = f"http://127.0.0.1:{collector.stdout.readline().strip()}"
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = there
        for part, variables in (("a request", {}), ("a request, 1 % sampled", SAMPLED)):
            us = round(told(asked.requests, asked.rounds, variables), 1)
            rows.append({"part": part, "us": us})
        collector.terminate()
    for row in rows:
        print(*row.values(), *list(row)[1:])
    if asked.json:
        save(asked.json, rows, installed("prometheus-client", "opentelemetry-sdk"))


if __name__ == "__main__":
    main()
