"""CSV to rows: exact bytes, what is found out, and what is refused with its place."""

import codecs
import csv
import gzip
import os
import tempfile
import tracemalloc
from io import StringIO
from itertools import islice
from pathlib import Path

import anyio
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batchrunner.errors import ConfigError, InputError, UsageError
from batchrunner.inputs.broken import Broken
from batchrunner.inputs.csvfile import CsvFile
from batchrunner.inputs.jsonl import BadLine, parse
from batchrunner.inputs.opening import Shape, open_lines
from batchrunner.inputs.rows import BATCH, line_of

pytestmark = pytest.mark.socket  # files are read in threads

LONG = settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "60")), deadline=None)


async def read(path, *shape):
    """Columns, shape and rows of a file."""
    async with open_lines(path, Shape(*shape)) as lines:
        assert lines.noun == "row"
        return lines.columns, lines.shape, [line async for batch in lines for line in batch]


async def rows(path, *shape):
    return (await read(path, *shape))[2]


def told(row):
    """A row, and what is said of one that is broken; the line that it stands on is in that."""
    return row, getattr(row, "reason", None)


@pytest.fixture
def write(tmp_path):
    def write(content, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


async def test_a_row_is_json_with_its_texts_as_they_were_written(write):
    path = write(b'id,title\r\n007, a \r\n2,"x, ""y""\r\nz"\r\n3,\r\n4,=cmd()\r\n')

    columns, shape, found = await read(path)

    assert found == [
        b'{"id":"007","title":" a "}',
        b'{"id":"2","title":"x, \\"y\\"\\r\\nz"}',
        b'{"id":"3","title":""}',
        b'{"id":"4","title":"=cmd()"}',
    ]
    assert [column.name for column in columns] == ["id", "title"]
    assert shape == Shape(",", "utf-8")


async def test_lines_without_a_cell_are_skipped_and_do_not_count(write):
    path = write(b"\n\nid,title\n\n1,a\n  \n2,b\n\n")

    assert [orjson.loads(row)["id"] for row in await rows(path)] == ["1", "2"]


async def test_an_empty_cell_of_an_only_column_is_written_as_quotes(write):
    assert await rows(write(b'title\n""\n\na\n')) == [b'{"title":""}', b'{"title":"a"}']


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
async def test_lines_may_end_in_any_way(write, end):
    path = write(end.join(["id,title", "1,a", "2,b"]).encode())

    assert await rows(path) == [b'{"id":"1","title":"a"}', b'{"id":"2","title":"b"}']


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
async def test_the_delimiter_is_found_out(write, delimiter):
    content = f'id{delimiter}text\n1{delimiter}"a{delimiter}b,c;d|e"\n2{delimiter}f\n'

    _, shape, found = await read(write(content.encode()))

    assert shape.delimiter == delimiter
    assert [orjson.loads(row)["text"] for row in found] == [f"a{delimiter}b,c;d|e", "f"]


async def test_one_column_has_no_delimiter_to_find(write):
    assert await rows(write(b"prompt\nSay; please\n")) == [b'{"prompt":"Say; please"}']


async def test_a_tsv_file_has_tabs_whatever_else_it_holds(write):
    path = write(b"a,b\tc\n1,2\t3\n", "t.tsv")

    assert await rows(path) == [b'{"a,b":"1,2","c":"3"}']


@pytest.mark.parametrize("given_", ["\\t", "tab", "\t"])
async def test_what_is_asked_for_wins(write, given_):
    path = write(b"a,b\tc\n1,2\t3\n")

    assert await rows(path, given_) == [b'{"a,b":"1,2","c":"3"}']


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ],
)
async def test_a_byte_order_mark_names_the_encoding(write, mark, encoding):
    path = write(mark + "id;ü\n1;日本🙂\n".encode(encoding))

    assert await rows(path) == ['{"id":"1","ü":"日本🙂"}'.encode()]


async def test_cp1252_is_read_where_it_is_asked_for(write):
    path = write("id,text\n1,Müsli » 3 €\n".encode("cp1252"))

    assert await rows(path, None, "cp1252") == ['{"id":"1","text":"Müsli » 3 €"}'.encode()]


@pytest.mark.parametrize("name", ["t.csv.gz", "T.CSV.GZ"])
async def test_a_packed_table(write, name):
    assert await rows(write(gzip.compress(b"a,b\n1,2\n"), name)) == [b'{"a":"1","b":"2"}']


async def test_types_are_guessed_and_only_shown(write):
    path = write(
        b"sku,n,price,ok,day,at,note,none\n"
        b"007,1,1.50,true,2024-01-31,2024-01-31T10:00:00Z,a,\n"
        b"008,-2,3,False,2024-02-01,2024-01-31 10:00,1,\n"
    )

    columns, _, found = await read(path)

    assert [column.type for column in columns] == [
        *("text", "integer", "number", "boolean", "date", "timestamp", "text", "text")
    ]
    assert orjson.loads(found[0])["n"] == "1"


async def test_a_header_alone_is_a_table_without_rows(write):
    columns, _, found = await read(write(b"id,text"))

    assert (len(columns), found) == (2, [])


async def test_rows_that_are_none_stand_in_their_place_with_a_reason(write):
    path = write(b'id,text\n1,"a\nb"\n2,a,b\n3\n4,"a" b\n5,a\0b\n6,c\n')

    found = await rows(path)

    assert [getattr(row, "reason", None) for row in found] == [
        None,
        (
            "has 3 cells where the header has 2 (line 4 of the file):"
            " quote the cell that holds the delimiter"
        ),
        "has 1 cell where the header has 2 (line 5 of the file): write the missing ones",
        (
            "goes on behind a closing quote (line 6 of the file):"
            " write each quote inside of a cell twice"
        ),
        "holds a NUL byte (line 7 of the file): the file is damaged there",
        None,
    ]
    bad = parse(found[1], 1)
    assert isinstance(bad, BadLine)
    assert bad.reason == found[1].reason


async def test_the_text_of_a_nul_is_none(write):
    assert await rows(write(b"a,b\n\\u0000,1\n")) == [b'{"a":"\\\\u0000","b":"1"}']


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "t.csv is empty: a CSV file begins with a row of names"),
        (b"\n \n", "t.csv is empty"),
        (b"a,b,a\n", "columns 1 and 3 have the same name, 'a'"),
        (b",a\n", "column 1 has no name in the header: name it, or remove it"),
        (b'a,"b\n1,2\n', "the header begins a quoted cell that never ends"),
        (b'a,b\n1,2\n3,"x\n4,y\n', "the row at line 3 begins a quoted cell that never ends"),
        (
            b"a,b\n1,2\n3,\xe9\n",
            "line 3 is not UTF-8 at byte 11 of the file: save it as UTF-8, or",
        ),
        (b"a,b\n1,\xe2\x82", "line 2 is not UTF-8 at byte 7 of the file"),
        (b"\x1f\x8b\x08", "is compressed: let its name end in .gz"),
        (b"PAR1....", "is a Parquet file: let its name end in .parquet"),
        (b"PK\x03\x04....", "is a workbook or another archive: save it as CSV"),
    ],
)
async def test_a_file_that_cannot_be_read_to_its_end(write, content, words):
    with pytest.raises(InputError) as refused:
        await read(write(content))

    assert words in str(refused.value)


async def test_rows_before_a_fault_are_read_first(write):
    async with open_lines(write(b"a,b\n1,2\n3,\xff\n")) as lines:
        assert await anext(lines) == [b'{"a":"1","b":"2"}']
        for _ in range(2):
            with pytest.raises(InputError, match="line 3 is not UTF-8"):
                await anext(lines)


async def test_what_is_no_text_in_the_encoding_asked_for(write):
    with pytest.raises(InputError, match=r"line 2 is not CP1252 at byte 7.*name its true"):
        await rows(write(b"a,b\n1,\x81\n"), None, "cp1252")


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((None, "klingon"), "--encoding: 'klingon' is not known"),
        ((None, "base64"), "--encoding: 'base64' is not known"),
        ((",,", None), "--delimiter: ',,' is no delimiter"),
        (('"', None), "--delimiter"),
        (("\n", None), "--delimiter"),
    ],
)
async def test_a_shape_that_cannot_be(write, shape, words):
    with pytest.raises(ConfigError, match=words):
        await rows(write(b"a,b\n"), *shape)


async def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        await rows(tmp_path / "none.csv")


async def test_a_cell_that_does_not_end_is_no_endless_cell(write):
    path = write(b'a,b\n1,"' + b"x" * (17 << 20) + b'"\n')

    with pytest.raises(InputError, match="line 2 has a cell of more than 16 MiB, or a quote"):
        await rows(path)


def test_a_large_table_is_never_held_whole(tmp_path):
    """Batches end after a MiB, and no more of the file has been read than they need."""
    path = tmp_path / "t.csv"
    with path.open("w") as file:
        file.write("id,text\n")
        file.writelines(f"{i},{'x' * 50}\n" for i in range(200_000))
    table = CsvFile(path, Shape(), block=64 * 1024)
    batches = table.batches()

    first = list(islice(batches, 2))

    assert table._file.tell() < 4 * BATCH < path.stat().st_size
    sizes = [sum(map(len, batch)) for batch in first]
    assert all(BATCH <= size < BATCH + 200 for size in sizes)
    assert sum(map(len, first)) + sum(map(len, batches)) == 200_000
    table.close()


CELLS = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
        st.sampled_from(',;\t|"\n\r =+-@\u202e\u2028\x0b\x85🙂é\ufeff'),
    ),
    max_size=12,
)


@given(
    table=st.integers(2, 4).flatmap(
        lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=6)
    ),
    block=st.integers(1, 40),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]),
)
@example(table=[["a\r", "\nb"], ["\r\n", '"']], block=1, delimiter=",", end="\n", encoding="utf-8")
@LONG
def test_what_was_written_is_what_is_read(table, block, delimiter, end, encoding):
    """Whatever cells hold, wherever blocks end."""
    names = [f"c{i}" for i in range(len(table[0]) if table else 2)]
    text = StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([names, *table])
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "t.csv")
        path.write_bytes(text.getvalue().encode(encoding))
        opened = CsvFile(path, Shape(delimiter), block=block, sample=4)
        found = [orjson.loads(row) for batch in opened.batches() for row in batch]
        opened.close()

    assert found == [dict(zip(names, row, strict=True)) for row in table]


@example(content=b"\r\na,b,c", block=1)
@given(
    content=st.lists(
        st.sampled_from([b"a", b",", b'"', b"\n", b"\r", b"\0", b"\xff", b"\xc3\xa9", b";"])
    ).map(b"".join),
    block=st.integers(1, 9),
)
@LONG
def test_whatever_a_file_holds_its_rows_are_jobs_or_broken_or_there_is_one_error(content, block):
    async def look(path):
        async with open_lines(path, Shape(",")) as lines:
            return [line async for batch in lines for line in batch]

    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "t.csv")
        path.write_bytes(b"x,y\n" + content)
        try:
            whole = anyio.run(look, path)
        except InputError:
            return
        opened = CsvFile(path, Shape(","), block=block, sample=1)
        again = [row for batch in opened.batches() for row in batch]
        opened.close()
    assert list(map(told, again)) == list(map(told, whole))
    assert all(isinstance(row, Broken) or set(orjson.loads(row)) == {"x", "y"} for row in whole)


def test_a_row_takes_no_more_room_than_its_cells():
    tracemalloc.start()
    try:
        lines = [line_of({"n": number}) for number in range(1000)]
        assert tracemalloc.get_traced_memory()[0] < 200 * len(lines)
    finally:
        tracemalloc.stop()
