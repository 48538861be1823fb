"""From files to lines, over real files and threads."""

import asyncio
import gzip
import os
import threading
import tracemalloc

import pytest

from batchrunner.errors import DiskError, InputError, UsageError
from batchrunner.inputs.source import Source, read_block

pytestmark = pytest.mark.socket

LINES = [b'{"prompt": "%d"}' % number for number in range(5000)]
TEXT = b"\n".join(LINES) + b"\n"


async def lines(path, **options):
    async with Source(path, **options) as source:
        return [line async for some in source for line in some]


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("name", ["in.jsonl", "in.NDJSON", "in"])
async def test_a_plain_file(write, name):
    assert await lines(write(name, TEXT), block=1000) == LINES


@pytest.mark.parametrize("name", ["in.jsonl.gz", "in.gz", "IN.JSONL.GZ"])
async def test_a_packed_file(write, name):
    assert await lines(write(name, gzip.compress(TEXT)), block=1000) == LINES


async def test_packed_parts_one_after_the_other_are_one_file(write):
    half = len(TEXT) // 2
    parts = gzip.compress(TEXT[:half]) + gzip.compress(b"") + gzip.compress(TEXT[half:])

    assert await lines(write("in.jsonl.gz", parts + b"\0" * 512)) == LINES


@pytest.mark.parametrize("lost", [1, 8, 9, 100, 5000])
async def test_a_packed_file_that_was_cut_is_no_shorter_file(write, lost):
    path = write("in.jsonl.gz", gzip.compress(TEXT)[:-lost])

    with pytest.raises(
        InputError, match=r"in\.jsonl\.gz ends too early: the gzip file was cut or spoiled"
    ):
        await lines(path, block=1000)


async def test_an_empty_packed_file_was_cut_too(write):
    with pytest.raises(InputError, match="is empty, which no gzip file is"):
        await lines(write("in.jsonl.gz", b""))


def spoiled(content):
    """One bit of the checksum, which stands before the size at the end."""
    return content[:-8] + bytes([content[-8] ^ 1]) + content[-7:]


@pytest.mark.parametrize(
    "content",
    [spoiled(gzip.compress(TEXT)), gzip.compress(TEXT) + b"garbage", b"no gzip at all", TEXT],
    ids=["spoiled", "garbage after it", "text", "lines"],
)
async def test_a_packed_file_that_is_not_sound(write, content):
    with pytest.raises(InputError, match=r"in\.jsonl\.gz is no sound gzip file"):
        await lines(write("in.jsonl.gz", content))


async def test_a_fault_is_told_each_time(write):
    async with Source(write("in.jsonl.gz", gzip.compress(TEXT) + b"garbage")) as source:
        for _ in range(3):
            with pytest.raises(InputError):
                await anext(source)


@pytest.mark.parametrize("content", ['{"prompt": "a"}', '{"prompt": "a"}\n' * 9])
@pytest.mark.parametrize("code", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
async def test_utf_16_is_one_error(write, code, content):
    path = write("in.jsonl", content.encode(code))

    with pytest.raises(InputError, match=r"in\.jsonl is UTF-16: save it as UTF-8"):
        await lines(path)


async def test_a_packed_file_under_a_plain_name(write):
    with pytest.raises(InputError, match=r"is compressed: let its name end in \.gz"):
        await lines(write("in.jsonl", gzip.compress(TEXT)))


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.jsonl.zst", "t.csv.gz", "t.json"])
async def test_another_format_is_refused_by_its_name(write, name):
    with pytest.raises(UsageError, match=r"cannot be read: the input must be \.jsonl or \.ndjson"):
        await lines(write(name, TEXT))


async def test_what_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"none\.jsonl does not exist: check the path"):
        await lines(tmp_path / "none.jsonl")


async def test_a_directory(tmp_path):
    with pytest.raises(UsageError, match="is a directory: name a file in it"):
        await lines(tmp_path)


async def test_a_pipe_cannot_be_read_twice(tmp_path):
    os.mkfifo(tmp_path / "in.jsonl")

    with pytest.raises(UsageError, match="is no regular file, and the input is read twice: use -"):
        await lines(tmp_path / "in.jsonl")


async def test_a_file_that_may_not_be_read(tmp_path):
    (tmp_path / "in.jsonl").symlink_to("in.jsonl")

    with pytest.raises(UsageError, match=r"in\.jsonl cannot be read: Too many levels"):
        await lines(tmp_path / "in.jsonl")


def test_a_broken_disk_is_no_fault_of_the_input(tmp_path):
    class Broken:
        def read(self, _size):
            raise OSError(5, "Input/output error")

        def close(self):
            pass

    with pytest.raises(DiskError, match=r"x\.jsonl cannot be read: Input/output error"):
        read_block(Broken(), 10, tmp_path / "x.jsonl")


async def test_a_line_of_100_mb_needs_no_100_mb(write):
    path = write("in.jsonl.gz", gzip.compress(b"{}\n" + b"x" * 100_000_000 + b"\n{}\n", 1))
    tracemalloc.start()
    try:
        found = await lines(path, longest=1_000_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert [len(line) for line in found] == [2, 1_000_001, 2]
    assert peak < 10_000_000


async def test_a_task_that_is_cancelled_while_it_reads_loses_nothing(write):
    class Slow(Source):
        reading = threading.Event()
        go_on = threading.Event()

        def _read(self):
            self.reading.set()
            self.go_on.wait(10)
            super()._read()

    async with Slow(write("in.jsonl", TEXT), block=1000) as source:
        task = asyncio.create_task(anext(source))
        await asyncio.to_thread(source.reading.wait, 10)
        task.cancel()
        source.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert [line async for some in source for line in some] == LINES


async def test_a_source_that_is_not_open_cannot_be_read(write):
    with pytest.raises(RuntimeError, match="within its `async with`"):
        await anext(Source(write("in.jsonl", TEXT)))
