"""A server that is faster than every client: nginx with one static answer, on its own core."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .process import SERVER_CORE, pinned
from .workload import ANSWER

_CONFIG = """
daemon off; worker_processes 1; worker_rlimit_nofile 20000; pid nginx.pid;
error_log stderr crit;
events {{ worker_connections 9000; }}
http {{
  access_log off; default_type application/json;
  keepalive_requests 1000000000; keepalive_timeout 300s; client_body_buffer_size 64k;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {{
    listen 127.0.0.1:{port} backlog=8192{ssl};
    location / {{ return 200 '{answer}'; }}
  }}
}}
"""
_SSL = """ ssl;
    ssl_certificate server.pem; ssl_certificate_key server.pem; ssl_session_cache off"""
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Server:
    """Where to send jobs, and whom to believe."""

    url: str
    ca_file: Path | None = None


@contextmanager
def serving(place: Path, *, tls: bool) -> Iterator[Server]:
    """Start nginx in ``place``, a directory of its own, and end it afterwards."""
    ca_file = make_certificate(place) if tls else None
    port = free_port()
    config = _CONFIG.format(port=port, ssl=_SSL if tls else "", answer=ANSWER)
    (place / "nginx.conf").write_text(config)
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists():
        sys.exit("nginx is missing: apt-get install nginx-light")
    command = pinned(SERVER_CORE, program, "-p", place, "-c", "nginx.conf")
    process = subprocess.Popen(command)  # noqa: S603 - only what stands above
    try:
        _await(port)
        yield Server(f"http{'s' if tls else ''}://127.0.0.1:{port}", ca_file)
    finally:
        process.terminate()
        process.wait()


def make_certificate(place: Path) -> Path:
    """Put ``server.pem`` for 127.0.0.1 into ``place``; returns the file of its authority."""
    import trustme

    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        place / "server.pem"
    )
    authority.cert_pem.write_to_path(place / "ca.pem")
    return place / "ca.pem"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _await(port: int) -> None:
    end = time.monotonic() + _PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return
