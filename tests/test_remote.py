"""Inputs that lie elsewhere, through the front door; what is there is a file system in memory."""

import gzip
import io
import json
import os
import signal
import stat
import sys
import tempfile
from pathlib import Path

import anyio
import fsspec
import pyarrow as pa
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from pyarrow import parquet

from batchrunner.errors import BatchrunnerError, DiskError, UsageError
from batchrunner.inputs.remote import at_hand, check_address, file_name, is_remote, plain, shown
from batchrunner.inputs.source import BLOCK
from tests import test_run, test_tables
from tests.test_run import assert_whole, read_results

place, batchrunner = test_run.place, test_run.batchrunner

SETTINGS = test_tables.SETTINGS
PROMPTS = ["Say a", "Say b", "Say c"]
ROWS = "id,prompt\n" + "".join(f"r{i},{prompt}\n" for i, prompt in enumerate(PROMPTS))
SECRET = "canary-of-the-address"  # noqa: S105 - of nothing
URL = f"memory://user:{SECRET}@box/rows.csv?sig={SECRET}"
SAID = "memory://box/rows.csv"


@pytest.fixture(autouse=True)
def copies(tmp_path_factory, monkeypatch):
    """Where private copies are made; whatever a test does, none of them stays."""
    folder = tmp_path_factory.mktemp("copies")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture(autouse=True)
def elsewhere():
    """What lies there, by its path; empty again afterwards."""
    store = MemoryFileSystem.store
    system = MemoryFileSystem()

    def put(path, content):
        system.pipe(path, content if isinstance(content, bytes) else content.encode())

    yield put
    store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


class Failing(MemoryFileSystem):
    """A place with one file, where things go wrong in the way that its path says."""

    protocol = "failing"
    blocks = ()  #: what comes of a file, and how it ends
    size: int | None = 3
    made = 0

    def __init__(self, **options):
        super().__init__(**options)
        type(self).made += 1

    @classmethod
    def _strip_protocol(cls, path):
        return path.removeprefix("failing://")

    def info(self, path, **_):
        if path.endswith("forbidden.csv"):
            raise PermissionError(f"denied: {path}")
        if path.endswith("unsigned.csv"):
            raise NoCredentialsError(f"no credentials for {path}")
        if path.endswith("away.csv"):
            raise ConnectionRefusedError(111, f"refused: {path}")
        if path.endswith("lost.csv"):
            raise EndpointConnectionError(f"no way to {path}")
        kind = "directory" if path.endswith("folder") else "file"
        return {"name": path, "type": kind, "size": type(self).size}

    def _open(self, _path, *_, **__):
        return Blocks(type(self).blocks)


class NoCredentialsError(Exception):
    """As drivers have them: of no class that is known to others."""


class EndpointConnectionError(Exception):
    """The same, where nobody answers."""


class Blocks(io.RawIOBase):
    """A file that comes in these blocks; an exception among them is raised."""

    def __init__(self, blocks):
        self.blocks = iter(blocks)

    def read(self, size=-1):
        assert size == BLOCK
        block = next(self.blocks, b"")
        if isinstance(block, Exception):
            raise block
        return block


@pytest.fixture
def failing():
    """What comes of a file of that place, and how long it says that it is."""
    fsspec.register_implementation("failing", Failing, clobber=True)

    def arrange(*blocks, size=3):
        Failing.blocks, Failing.size = blocks, size

    return arrange


def calls(out):
    return sum(region["calls"] for region in json.loads(out)["simulator"].values())


def test_what_lies_elsewhere_is_answered_here(batchrunner, elsewhere):
    elsewhere("/box/rows.csv", ROWS)

    code, _, err = batchrunner("run", SAID, *SETTINGS)

    assert code == 0
    assert "batchrunner: rows.csv: CSV, UTF-8, comma, 2 columns: id text, prompt text\n" in err
    assert_whole(PROMPTS, read_results("rows.results.jsonl"))
    assert test_tables.checkpoint("rows")["input"]["path"] == SAID
    assert json.loads(Path("rows.results.jsonl.stats.json").read_text())["warnings"] == []


def as_parquet():
    sink = io.BytesIO()
    parquet.write_table(pa.table({"prompt": PROMPTS}), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv.gz", gzip.compress(ROWS.encode(), mtime=0)),
        ("rows.parquet", as_parquet()),
        ("rows.jsonl", "".join(json.dumps({"prompt": p}) + "\n" for p in PROMPTS)),
        ("rows", "".join(json.dumps({"prompt": p}) + "\n" for p in PROMPTS)),
    ],
)
def test_its_name_says_what_it_is(batchrunner, elsewhere, name, content):
    elsewhere(f"/box/{name}", content)

    assert batchrunner("run", f"memory://box/{name}", *SETTINGS)[0] == 0
    assert_whole(PROMPTS, read_results("rows.results.jsonl"))
    assert batchrunner("verify", "rows.results.jsonl")[0] == 0


def test_the_same_content_is_the_same_input(batchrunner, elsewhere):
    elsewhere("/box/rows.csv", ROWS)
    batchrunner("run", SAID, *SETTINGS)

    code, out, _ = batchrunner("run", SAID, *SETTINGS)

    assert (code, calls(out)) == (0, 0)
    assert json.loads(out)["warnings"] == []


def test_what_was_added_runs_and_what_was_edited_is_refused(batchrunner, elsewhere):
    elsewhere("/box/rows.csv", ROWS)
    batchrunner("run", SAID, *SETTINGS)

    elsewhere("/box/rows.csv", ROWS + "r3,Say d\n")
    code, out, _ = batchrunner("run", SAID, *SETTINGS)
    assert (code, calls(out)) == (0, 1)

    elsewhere("/box/rows.csv", ROWS.replace("Say b", "Say x") + "r3,Say d\n")
    code, _, err = batchrunner("run", SAID, *SETTINGS)
    assert code == 4
    assert "row 2 of the input is not the one that the results have an answer for" in err
    code, out, _ = batchrunner("verify", "rows.results.jsonl", "--json")
    assert (code, json.loads(out)["changed"]["first"]) == (4, [2])


def test_verify_and_export_fetch_it_again(batchrunner, elsewhere):
    elsewhere("/box/rows.csv", ROWS)
    batchrunner("run", SAID, "-o", "out.jsonl", *SETTINGS)

    code, out, _ = batchrunner("verify", "out.jsonl", "--json")
    assert (code, json.loads(out)["input"]) == (0, SAID)
    assert batchrunner("export", "out.jsonl", "-o", "out.csv")[0] == 0
    assert [row.split(",")[:2] for row in Path("out.csv").read_text().splitlines()[1:]] == [
        [f'"r{i}"', f'"{prompt}"'] for i, prompt in enumerate(PROMPTS)
    ]

    elsewhere("/other/rows.csv", ROWS)
    MemoryFileSystem().rm("/box/rows.csv")
    code, out, _ = batchrunner("verify", "out.jsonl")
    assert (code, f"could not be compared: {SAID} does not exist" in out) == (0, True)
    code, _, err = batchrunner("export", "out.jsonl", "-o", "out.csv")
    assert (code, f"{SAID} does not exist" in err) == (2, True)
    moved = "memory://other/rows.csv"
    assert batchrunner("verify", "out.jsonl", "--input", moved)[0] == 0
    assert batchrunner("export", "out.jsonl", "-o", "out.csv", "--input", moved)[0] == 0


def test_answers_that_lie_elsewhere_can_be_reused(batchrunner, elsewhere):
    Path("t.csv").write_text(ROWS)
    batchrunner("run", "t.csv", "-o", "first.jsonl", *SETTINGS)
    elsewhere("/box/first.jsonl", Path("first.jsonl").read_bytes())

    code, out, _ = batchrunner(
        "run", "t.csv", "-o", "second.jsonl", "--reuse", "memory://box/first.jsonl", *SETTINGS
    )

    assert (code, calls(out)) == (0, 0)
    elsewhere("/box/first.jsonl", "nothing\n")
    again = ("run", "t.csv", "-o", "third.jsonl", "--reuse", "memory://box/first.jsonl")
    code, _, err = batchrunner(*again, *SETTINGS)
    assert (code, "--reuse memory://box/first.jsonl holds no results" in err) == (2, True)


def test_a_file_of_this_machine_is_read_where_it_lies(batchrunner, place):
    Path("t.csv").write_text(ROWS)

    assert batchrunner("run", f"file://{place}/t.csv", *SETTINGS)[0] == 0
    assert_whole(PROMPTS, read_results("t.results.jsonl"))
    assert test_tables.checkpoint()["input"]["path"] == f"{place}/t.csv"
    code, _, err = batchrunner("run", f"file://{place}/t.csv", "-o", "t.csv", *SETTINGS)
    assert (code, "t.csv is the input" in err) == (2, True)
    results = f"file://{place}/t.results.jsonl"
    assert batchrunner("status", results)[0] == 0
    table = f"file://{place}/table.csv"
    assert batchrunner("export", results, "-o", table, "--input", f"file://{place}/t.csv")[0] == 0
    assert Path("table.csv").exists()


def test_no_secret_of_the_address_is_told_or_kept(batchrunner, elsewhere, place):
    """Neither where it works nor where it does not, and whatever command is asked."""
    path = URL.removeprefix("memory:/")
    results = "rows.results.jsonl"
    printed = []
    for content in (ROWS, "id,prompt\na,Say,it\n", b"", None):
        if content is not None:
            elsewhere(path, content)
        else:
            MemoryFileSystem().rm(path)
        printed += batchrunner("run", URL, *SETTINGS)
        printed += batchrunner("verify", results, "--input", URL, "--json")
        printed += batchrunner("export", results, "-o", "t.csv", "--input", URL)
    printed += batchrunner("run", "t.csv", "-o", URL, *SETTINGS)
    printed += batchrunner("run", "t.csv", "-o", "x.jsonl", "--reuse", URL, *SETTINGS)
    for command in ("status", "verify"):
        printed += batchrunner(command, URL)
    printed += batchrunner("export", results, "-o", URL)

    assert Path(results).exists()
    assert printed[0] == 0
    assert SAID in "".join(map(str, printed))
    assert SECRET not in "".join(map(str, printed))
    for file in place.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nowhere.csv", "memory://nowhere.csv does not exist: check the address"),
        ("failing://u:p@forbidden.csv", "failing://forbidden.csv may not be read: check the"),
        ("failing://box/unsigned.csv", "cannot be opened (NoCredentialsError): check the"),
        ("failing://box/folder", "failing://box/folder is a directory: name a file in it"),
        ("http://box/rows.csv", "http:// is not fetched: what a web server is told"),
        ("HTTPS://u:p@box/rows.csv", "HTTPS:// is not fetched: what a web server is told"),
        ("simplecache::https://box/rows.csv", "an address with :: names several places"),
        ("zip://rows.csv::memory://box/a.zip", "an address with :: names several places"),
        ("nosuch://box/rows.csv", "nosuch:// is no scheme that fsspec knows"),
        ("sftp://u:p/q@box/rows.csv", "has a : that may begin a port or a password"),
        ("sftp://u:p/12@box/rows.csv", "has a : that may begin a port or a password"),
        ("sftp://u:12/u:p@box/rows.csv", "has a : that may begin a port or a password"),
        ("sftp://u:p/q@", "has a : that may begin a port or a password"),
        ("memory://", "names no file"),
    ],
)
def test_what_cannot_be_opened_is_told_before_anything_is_made(
    batchrunner, place, failing, name, why
):
    failing()
    name = name if "://" in name else f"memory://{name}"

    code, _, err = batchrunner("run", name, *SETTINGS)

    assert (code, why in err) == (2, True)
    assert "u:p" not in err
    assert [file.name for file in place.iterdir()] == ["swift.toml"]


@pytest.mark.parametrize(
    ("blocks", "size", "why"),
    [
        ([b"id"], 3, "did not arrive whole: 2 bytes where 3 were announced"),
        (
            [b"id,p", TimeoutError()],
            3,
            "did not arrive whole: 4 bytes or more where 3 were announced",
        ),
        ([b"id", ConnectionResetError(104, SECRET)], 3, "cannot be fetched (Connection reset by"),
        ([b"id", NoCredentialsError(SECRET)], None, "cannot be fetched (NoCredentialsError)"),
    ],
)
def test_what_does_not_arrive_whole_is_never_taken_for_shorter(
    batchrunner, failing, blocks, size, why
):
    failing(*blocks, size=size)

    code, _, err = batchrunner("run", "failing://box/rows.csv", *SETTINGS)

    assert (code, f"failing://box/rows.csv {why}" in err) == (3, True)
    assert "start the same command again" in err
    assert SECRET not in err
    assert not Path("rows.results.jsonl").exists()


@pytest.mark.parametrize(
    ("name", "why"),
    [("away.csv", "Connection refused"), ("lost.csv", "EndpointConnectionError")],
)
def test_who_cannot_be_reached_may_be_tried_again(batchrunner, failing, name, why):
    failing()

    code, _, err = batchrunner("run", f"failing://box/{name}", *SETTINGS)

    assert (code, f"cannot be fetched ({why}): start the same" in err) == (3, True)


def test_a_length_that_nobody_knows_is_not_compared(batchrunner, failing):
    failing(ROWS.encode(), size=None)

    assert batchrunner("run", "failing://box/rows.csv", *SETTINGS)[0] == 0
    assert_whole(PROMPTS, read_results("rows.results.jsonl"))


def test_what_is_wrong_inside_names_the_address(batchrunner, elsewhere):
    elsewhere("/box/rows.csv", "id,prompt\na,Say,it\n")

    code, _, err = batchrunner("run", SAID, *SETTINGS)

    assert (code, f"{SAID}: 1 row cannot be a job" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("run", "t.csv", "-o", "s3://box/o.jsonl"), "needs a local --output; copy it there"),
        (("status", "s3://box/o.jsonl"), "copy the results here, with their .checkpoint.json"),
        (("verify", "s3://box/o.jsonl"), "copy the results here, with their .checkpoint.json"),
        (("export", "s3://box/o.jsonl", "-o", "t.csv"), "copy the results here"),
        (("export", "o.jsonl", "-o", "s3://box/o.jsonl"), "write the table to a local -o"),
    ],
)
def test_results_are_on_this_machine(batchrunner, arguments, why):
    Path("t.csv").write_text(ROWS)
    more = SETTINGS if arguments[0] == "run" else ()

    code, _, err = batchrunner(*arguments, *more)

    assert (code, "s3://… is not on this machine: " in err, why in err) == (
        2,
        True,
        True,
    )


def test_a_driver_that_is_not_there_is_named(batchrunner, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)

    code, _, err = batchrunner("run", "s3://box/rows.csv", *SETTINGS)

    assert (code, "s3:// needs a package: Install s3fs to access S3" in err) == (2, True)


def test_without_fsspec_it_says_how_to_get_it(batchrunner, monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)

    code, _, err = batchrunner("run", SAID, *SETTINGS)

    assert (code, "needs fsspec: pip install 'batchrunner[remote]'" in err) == (2, True)


@pytest.mark.socket
async def test_where_the_copy_has_no_room(elsewhere, copies, monkeypatch):
    elsewhere("/box/rows.csv", ROWS)

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(copies / "nowhere"))
        with pytest.raises(DiskError, match=f"{SAID} cannot be kept in .* set TMPDIR"):
            async with at_hand(SAID):
                raise AssertionError("there is no copy")


@pytest.mark.socket
async def test_the_copy_is_for_its_owner_alone(elsewhere, copies):
    elsewhere("/box/rows.csv", ROWS)
    before = os.umask(0)
    try:
        async with at_hand(SAID) as path:
            modes = [stat.S_IMODE(file.stat().st_mode) for file in (path, path.parent)]
            assert path.read_text() == ROWS
            assert path.is_relative_to(copies)
    finally:
        os.umask(before)

    assert modes == [0o600, 0o700]


@pytest.mark.socket
async def test_fetching_can_be_given_up_between_two_blocks(failing):
    with anyio.CancelScope() as scope:

        def endless():
            yield b"id"
            anyio.from_thread.run_sync(scope.cancel)
            yield b",p"
            raise AssertionError("nobody should read on")

        failing(size=None)
        Failing.blocks = endless()
        async with at_hand("failing://box/rows.csv"):
            raise AssertionError("it should not arrive")

    assert scope.cancelled_caught


def test_fetching_can_be_interrupted(batchrunner, failing):
    def endless():
        os.kill(os.getpid(), signal.SIGINT)
        while True:
            yield b"id,prompt\n"

    failing(size=None)
    Failing.blocks = endless()

    code, _, err = batchrunner("run", "failing://box/rows.csv", *SETTINGS)

    assert (code, "interrupted before anything was sent" in err) == (130, True)


@pytest.mark.socket
async def test_each_fetch_has_a_connection_of_its_own(failing):
    """One that fsspec keeps remembers lengths, and what stood in the address."""
    before = Failing.made
    for _ in range(2):
        failing(b"abc")
        async with at_hand("failing://box/rows.csv") as path:
            assert path.read_bytes() == b"abc"

    assert Failing.made == before + 2


@pytest.mark.socket
async def test_an_error_of_the_block_that_is_not_ours_stays_as_it_is(elsewhere):
    elsewhere("/box/rows.csv", ROWS)

    with pytest.raises(OSError, match="mine") as caught:
        async with at_hand(SAID):
            raise OSError(2, "mine")
    assert caught.value.args == (2, "mine")
    with pytest.raises(BatchrunnerError, match=f"^{SAID} is bad$"):
        async with at_hand(SAID) as path:
            raise UsageError(f"{path} is bad")


@pytest.mark.parametrize(
    ("url", "place_alone", "name"),
    [
        ("s3://bucket/a/rows.csv.gz", "s3://bucket/a/rows.csv.gz", "rows.csv.gz"),
        ("s3://bucket/a@b.csv?versionId=1", "s3://bucket/a@b.csv", "a@b.csv"),
        ("ftp://u:p@host:21/rows.csv", "ftp://host:21/rows.csv", "rows.csv"),
        ("ftp://u:p?q#r@host/rows.csv", "ftp://host/rows.csv", "rows.csv"),
        ("az://c/rows.csv?sig=x/y", "az://c/rows.csv", "rows.csv"),
        ("abfs://box@account.dfs.example/r.csv", "abfs://box@account.dfs.example/r.csv", "r.csv"),
        ("abfs://box:key@account/r.csv", "abfs://account/r.csv", "r.csv"),
        ("s3://bucket?x=y", "s3://bucket", "bucket"),
        ("az://box?sig=x/y", "az://box", "box"),
        (
            "s3://arn:aws:s3:x:1:accesspoint/a/r.csv",
            "s3://arn:aws:s3:x:1:accesspoint/a/r.csv",
            "r.csv",
        ),
    ],
)
def test_an_address_is_shown_without_its_secrets(url, place_alone, name):
    assert is_remote(url)
    check_address(url)
    assert (shown(url), file_name(url)) == (place_alone, name)


def test_what_is_no_address():
    assert not any(
        map(is_remote, ("-", "a.csv", "C:/a.csv", "a:b", "file:///a.csv", Path("s3://a")))
    )
    assert plain("file:///a.csv") == "/a.csv"
