"""What the process leaves behind, and what it does at the limits of its machine."""

import asyncio
import json
import os
import resource
import socket
import ssl
import stat
import subprocess
import sys

import pytest
import trustme

from tests.faultserver import faulty, reply
from tests.security.commands import KEY, batchrunner, regions

pytestmark = pytest.mark.socket

SHOW = """
import resource
from batchrunner.cli import main
resource.setrlimit(resource.RLIMIT_CORE, (4096, 4096))
try:
    main(["--help"])
except SystemExit:
    print("core", resource.getrlimit(resource.RLIMIT_CORE)[0])
"""


def write(place, url, count=1):
    (place / ".env").write_text(regions(url))
    (place / ".env").chmod(0o600)
    jobs = [json.dumps({"prompt": str(n), "model": "m"}) for n in range(count)]
    (place / "in.jsonl").write_text("\n".join(jobs))


def read(place):
    return [json.loads(line) for line in (place / "in.results.jsonl").read_bytes().splitlines()]


def test_no_core_is_left():
    if resource.getrlimit(resource.RLIMIT_CORE)[1] < 4096 and os.geteuid() != 0:
        pytest.skip("cores are forbidden here anyway")
    shown = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, check=True)  # noqa: S603

    assert shown.stdout.endswith(b"core 0\n")


async def test_everything_that_is_written_is_for_its_owner_alone(tmp_path):
    async with faulty() as server:
        write(tmp_path, server.url)
        (tmp_path / ".env").chmod(0o644)
        ended = await batchrunner(tmp_path, "run", "in.jsonl", "--quiet", before="umask 000")

    assert ended.code == 0
    assert ended.err == "batchrunner: others can read the keys in .env: chmod 600 .env\n"
    made = [path for path in tmp_path.iterdir() if path.name.startswith("in.results")]
    assert len(made) >= 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}


async def test_a_machine_without_files_left_blames_no_region(tmp_path):
    """More jobs than connections that can be open: all are answered, and nobody rests."""

    async def later(line, _):
        await asyncio.sleep(0.05)
        await line.say(reply())

    async with faulty(later) as server:
        write(tmp_path, server.url, 60)
        ended = await batchrunner(
            tmp_path, "run", "in.jsonl", "--json", "--max-attempts", 1, before="ulimit -n 40"
        )

    stats = json.loads(ended.out)
    outcomes = {attempt["outcome"] for result in read(tmp_path) for attempt in result["attempts"]}
    assert ended.code == 0
    assert stats["jobs"]["ok"] == 60
    assert outcomes == {"ok", "local"}
    assert stats["regions"]["region1"]["state"] == "open"


def test_an_outage_of_all_regions_ends_the_run_after_the_time_given(tmp_path, command, serve):
    with socket.socket() as nobody:  # bound, but it does not listen
        nobody.bind(("127.0.0.1", 0))
        write(tmp_path, f"http://127.0.0.1:{nobody.getsockname()[1]}", 20)
        ended = command("run", "in.jsonl", "--json", "--outage-wait", 0.5)

    assert ended.code == 8
    assert "no region has answered for 0.5 s: run the same command later" in ended.err
    assert json.loads(ended.out)["jobs"]["failed"] == 0
    assert read(tmp_path) == []

    write(tmp_path, serve().url, 20)
    assert command("run", "in.jsonl").code == 0
    assert len(read(tmp_path)) == 20


def has_namespaces():
    command = ["unshare", "--net", "true"]
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0  # noqa: S603
    except OSError:
        return False


@pytest.mark.skipif(not has_namespaces(), reason="no network namespace may be made here")
async def test_a_machine_without_a_network_sends_nothing_and_says_so(tmp_path):
    write(tmp_path, "https://eastus.openai.azure.com/", 20)
    command = [sys.executable, "-m", "batchrunner", "run", "in.jsonl", "--outage-wait", "0.5"]
    process = await asyncio.create_subprocess_exec(
        *("unshare", "--net", *command), cwd=tmp_path, stderr=asyncio.subprocess.PIPE
    )
    _, err = await asyncio.wait_for(process.communicate(), 60)

    assert process.returncode == 8
    assert b"no region has answered for 0.5 s" in err
    assert KEY.encode() not in err
    assert read(tmp_path) == []


def test_a_region_that_cannot_prove_its_name_costs_a_few_connections(tmp_path, command, serve):
    """It is out at once, however many jobs there are; with its authority named, all is well."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = serve(tls=context)
    write(tmp_path, server.url, 200)
    refused = command("run", "in.jsonl", "--concurrency", 5)
    heard = len(server.heard)
    answered = command("run", "in.jsonl", "--concurrency", 5, "--ca-file", "ca.pem")

    assert refused.code == 8
    assert "region1: its certificate is not trusted" in refused.err
    assert "--ca-file" in refused.err
    assert heard == 0
    assert answered.code == 0
    assert len(read(tmp_path)) == 200
