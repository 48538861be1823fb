"""From files to lines, over real files and threads."""

import asyncio
import gzip
import os
import sys
import threading
import tracemalloc
from random import Random

import pytest

from batchrunner.errors import DiskError, InputError, UsageError
from batchrunner.inputs import packing
from batchrunner.inputs.packing import Unpacked, by_name
from batchrunner.inputs.source import Source, read_block

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

pytestmark = pytest.mark.socket

LINES = [b'{"prompt": "%d"}' % number for number in range(5000)]
TEXT = b"\n".join(LINES) + b"\n"
CHECKED = {zstd.CompressionParameter.checksum_flag: 1}
PACK = {
    ".gz": lambda content: gzip.compress(content, 1),
    ".zst": lambda content: zstd.compress(content, options=CHECKED),
}
EACH = pytest.mark.parametrize("suffix", PACK)


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


@pytest.mark.parametrize("name", ["in.jsonl{}", "in{}", "IN.JSONL{}", "in.ndjson{}"])
@EACH
async def test_a_packed_file(write, name, suffix):
    path = write(name.format(suffix if name.islower() else suffix.upper()), PACK[suffix](TEXT))

    assert await lines(path, block=1000) == LINES


@EACH
async def test_packed_parts_one_after_the_other_are_one_file(write, suffix):
    half, pack = len(TEXT) // 2, PACK[suffix]
    parts = pack(TEXT[:half]) + pack(b"") + pack(TEXT[half:])

    assert await lines(write("in.jsonl" + suffix, parts)) == LINES


async def test_zeros_that_fill_up_a_gzip_file_are_nothing(write):
    assert await lines(write("in.jsonl.gz", gzip.compress(TEXT) + b"\0" * 512)) == LINES


@pytest.mark.parametrize("lost", [1, 4, 8, 9, 100, 1000])
@EACH
async def test_a_packed_file_that_was_cut_is_no_shorter_file(write, lost, suffix):
    path = write("in.jsonl" + suffix, PACK[suffix](TEXT)[:-lost])

    with pytest.raises(InputError, match=r"ends too early: the (gzip|zstd) file was cut or spoil"):
        await lines(path, block=1000)


@EACH
async def test_an_empty_packed_file_was_cut_too(write, suffix):
    with pytest.raises(InputError, match=r"is empty, which no (gzip|zstd) file is"):
        await lines(write("in.jsonl" + suffix, b""))


def spoiled(content, at):
    """One bit of it is another one."""
    return content[:at] + bytes([content[at] ^ 1]) + content[at:][1:]


UNSOUND = {
    "checksum": lambda pack: spoiled(pack(TEXT), -8 if pack is PACK[".gz"] else -4),
    "garbage after it": lambda pack: pack(TEXT) + b"garbage",
    "other text": lambda _: b"no packed file at all",
    "lines": lambda _: TEXT,
}


@pytest.mark.parametrize("how", UNSOUND)
@EACH
async def test_a_packed_file_that_is_not_sound(write, how, suffix):
    path = write("in.jsonl" + suffix, UNSOUND[how](PACK[suffix]))

    with pytest.raises(InputError, match=r"is no sound (gzip|zstd) file"):
        await lines(path)


async def test_a_zstd_file_that_wants_gigabytes_to_unpack_is_refused(write):
    """A window of a GiB, which the header alone asks for."""
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 30})
    path = write("in.jsonl.zst", packer.compress(TEXT) + packer.flush())

    with pytest.raises(InputError, match="Frame requires too much memory"):
        await lines(path)


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


@EACH
async def test_a_packed_file_under_a_plain_name(write, suffix):
    with pytest.raises(InputError, match=rf"is compressed: let its name end in \{suffix}$"):
        await lines(write("in.jsonl", PACK[suffix](TEXT)))


@pytest.mark.parametrize(
    "name", ["t.csv", "t.parquet", "t.jsonl.xz", "t.csv.gz", "t.csv.zst", "t.json"]
)
async def test_another_format_is_refused_by_its_name(write, name):
    with pytest.raises(UsageError, match=r"cannot be read: the input must be \.jsonl, \.ndjson"):
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


@EACH
async def test_a_line_of_100_mb_needs_no_100_mb(write, suffix):
    pack = PACK[suffix]
    noise = Random(1).randbytes(1_000_000).replace(b"\n", b"x")  # repeated, it is no bomb
    path = write("in.jsonl" + suffix, pack(b"{}\n") + pack(noise) * 100 + pack(b"\n{}\n"))
    tracemalloc.start()
    try:
        found = await lines(path, longest=1_000_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert [len(line) for line in found] == [2, 1_000_001, 2]
    assert peak < 10_000_000


async def test_a_bomb_is_recognised_by_what_comes_out_of_it(write):
    path = write("in.jsonl.zst", zstd.compress(bytes(packing.SURE + (2 << 20))))
    assert path.stat().st_size < packing.SURE / packing.RATIO

    with pytest.raises(InputError, match="unpacks to more than 10,000 times its size"):
        await lines(path)


@EACH
async def test_what_packs_well_is_no_bomb(write, suffix):
    """Hundreds of times smaller than its content, as lines with one long prompt may be."""
    content = b"".join(b"x" * 100_000 + Random(n).randbytes(64) for n in range(50))
    path = write("in.jsonl" + suffix, PACK[suffix](content))
    file = Unpacked(path, by_name(path.name), sure=0)
    try:
        while block := file.read(1000):
            assert content.startswith(block)
            content = content[len(block) :]
        assert content == b""
    finally:
        file.close()


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
