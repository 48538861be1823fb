"""Parquet to rows: typed values, a few at a time."""

import sys
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice

import orjson
import pyarrow as pa
import pytest
from pyarrow import parquet

from batchrunner.errors import InputError, UsageError
from batchrunner.inputs.parquet import ParquetFile
from tests.inputs.test_csvfile import read

pytestmark = pytest.mark.socket  # files are read in threads

MOMENT = datetime(2024, 1, 31, 10, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "t.parquet"


VALUES = {
    "text": (pa.array(["ü\n", None]), "text", ["ü\n", None]),
    "dictionary": (pa.array(["a", "b"]).dictionary_encode(), "text", ["a", "b"]),
    "integer": (pa.array([-1, 2**64 - 1 - 2**63]), "integer", [-1, 2**63 - 1]),
    "unsigned": (pa.array([2**64 - 1, 0], pa.uint64()), "integer", [2**64 - 1, 0]),
    "float": (pa.array([float("nan"), 1.5]), "number", [None, 1.5]),
    "infinity": (pa.array([float("inf"), -float("inf")]), "number", [None, None]),
    "decimal": (pa.array([Decimal("1.50"), Decimal("0E-2")]), "number", ["1.50", "0.00"]),
    "boolean": (pa.array([True, None]), "boolean", [True, None]),
    "date": (pa.array([date(2024, 1, 31), None]), "date", ["2024-01-31", None]),
    "stamp": (
        pa.array([MOMENT, None], pa.timestamp("us", tz="UTC")),
        "timestamp",
        ["2024-01-31T10:00:00.250+00:00", None],
    ),
    "nanoseconds": (
        pa.array([1_700_000_000_123_456_789, -1], pa.timestamp("ns")),
        "timestamp",
        ["2023-11-14T22:13:20.123456789", "1969-12-31T23:59:59.999999999"],
    ),
    "seconds": (
        pa.array([0, 1], pa.timestamp("s")),
        "timestamp",
        ["1970-01-01T00:00:00", "1970-01-01T00:00:01"],
    ),
    "time": (pa.array([time(1, 2, 3), None]), "text", ["01:02:03", None]),
    "duration": (pa.array([timedelta(seconds=90.5), None]), "text", ["PT90.5S", None]),
    "whole duration": (pa.array([timedelta(seconds=100), None]), "text", ["PT100S", None]),
    "binary": (pa.array([b"\xff\0", None]), "binary", ["/wA=", None]),
    "list": (pa.array([[1, None], []]), "json", [[1, None], []]),
    "struct": (
        pa.array([{"x": Decimal("1.5"), "at": datetime(2024, 1, 31)}, None]),  # noqa: DTZ001
        "json",
        [{"x": "1.5", "at": "2024-01-31T00:00:00"}, None],
    ),
}


@pytest.mark.parametrize("name", VALUES)
async def test_a_value_has_one_form_in_json(path, name):
    values, type_, expected = VALUES[name]
    parquet.write_table(pa.table({"c": values}), path)

    columns, _, found = await read(path)

    assert [(column.name, column.type) for column in columns] == [("c", type_)]
    assert [orjson.loads(row)["c"] for row in found] == expected


async def test_a_row_is_json_in_the_order_of_its_columns(path):
    parquet.write_table(pa.table({"z": [1, 2], "a": ["x", None]}), path)

    assert (await read(path))[2] == [b'{"z":1,"a":"x"}', b'{"z":2,"a":null}']


async def test_a_table_without_rows(path):
    parquet.write_table(pa.table({"a": pa.array([], pa.string())}), path)

    assert (await read(path))[2] == []


def test_a_large_table_is_read_a_mib_at_a_time(path):
    texts = [f"{i:07d}" + "x" * 993 for i in range(20_000)]
    parquet.write_table(pa.table({"a": texts}), path, row_group_size=7_000, use_dictionary=False)
    table = ParquetFile(path)

    sizes = [sum(map(len, batch)) for batch in islice(table.batches(), 5)]
    count = sum(map(len, table.batches()))
    table.close()

    assert max(sizes) < 2 << 20
    assert count == 20_000


@pytest.mark.parametrize("content", [b"", b"PAR1", b"id,text\n" * 100])
async def test_a_file_that_is_none(path, content):
    path.write_bytes(content)

    with pytest.raises(InputError, match="is no sound Parquet file"):
        await read(path)


async def test_a_spoiled_file(path):
    parquet.write_table(pa.table({"a": list(range(10_000))}), path)
    content = bytearray(path.read_bytes())
    content[4:2000] = bytes(1996)
    path.write_bytes(content)

    with pytest.raises(InputError, match="is no sound Parquet file"):
        await read(path)


async def test_two_columns_of_one_name(path):
    parquet.write_table(pa.table([[1], [2]], names=["a", "a"]), path)

    with pytest.raises(InputError, match="columns 1 and 2 have the same name"):
        await read(path)


async def test_what_is_packed_already(tmp_path):
    with pytest.raises(UsageError, match=r"Parquet is packed inside; unpack the \.gz around it"):
        await read(tmp_path / "t.parquet.gz")


async def test_a_file_that_is_not_there(path):
    with pytest.raises(UsageError, match="does not exist"):
        await read(path)


async def test_without_pyarrow_it_says_what_to_install(path, monkeypatch):
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(UsageError, match=r"pip install 'batchrunner\[table\]'"):
        await read(path)
