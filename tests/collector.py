"""An OpenTelemetry collector on a loopback socket, which keeps what it is sent."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collected:
    """What came, as bytes and as what they mean."""

    def __init__(self):
        self.raw, self.traces, self.metrics = [], [], []
        self.headers = []

    @property
    def spans(self):
        parts = [part for request in self.traces for part in request.resource_spans]
        return [span for part in parts for scope in part.scope_spans for span in scope.spans]

    @property
    def points(self):
        """The data points of every histogram, by its name; what was sent last counts."""
        parts = [part for request in self.metrics for part in request.resource_metrics]
        scopes = [scope for part in parts for scope in part.scope_metrics]
        return {m.name: m.histogram.data_points for scope in scopes for m in scope.metrics}

    @property
    def resource(self):
        return attributes(self.traces[-1].resource_spans[0].resource)


def attributes(it):
    """Attributes as plain values."""
    return {each.key: _plain(each.value) for each in it.attributes}


def _plain(value):
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(each) for each in value.array_value.values]
    return getattr(value, kind)


@contextmanager
def collecting(status=200, *, hold=None):
    """Serve a collector; yields what it collects and its URL. ``hold`` delays every answer."""
    collected = Collected()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            collected.raw.append(body)
            collected.headers.append(dict(self.headers))
            if hold is not None:
                hold.wait()
            if self.path == "/v1/traces":
                collected.traces.append(ExportTraceServiceRequest.FromString(body))
            else:
                collected.metrics.append(ExportMetricsServiceRequest.FromString(body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield collected, f"http://127.0.0.1:{server.server_port}"
    finally:
        if hold is not None:
            hold.set()
        server.shutdown()
        server.server_close()
        thread.join()
