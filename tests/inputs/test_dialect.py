"""What the beginning of a CSV file tells."""

import pytest

from batchrunner.inputs.dialect import delimiter_of, encoding_of, type_of


@pytest.mark.parametrize(
    ("lines", "delimiter"),
    [
        (["a,b\n", "1,2\n"], ","),
        (["a;b\n", "1,5;2,5\n", "3,5;4,5\n"], ";"),
        (["a, then b;c\n", "1;2\n"], ";"),  # as many cells as the header has
        (['"a;b",c\n', "1,2\n"], ","),
        (["a|b|c\n", '"x\n', 'y,z"|2|3\n'], "|"),
        (["a,b;c,d;e\n"], ","),  # of a header alone, the most cells, and the usual one
        (["prompt\n", "a,b\n"], ","),
        ([], ","),
    ],
)
def test_the_delimiter_makes_rows_as_wide_as_the_header(lines, delimiter):
    assert delimiter_of(lines) == delimiter


@pytest.mark.parametrize(
    ("start", "encoding"),
    [
        (b"", "utf-8"),
        (b"\xef\xbb\xbfa", "utf-8"),
        (b"\xff\xfea\0", "utf-16"),
        (b"\xff\xfe\0\0", "utf-32"),
        (b"\xe9", "utf-8"),  # nothing tells what else it is
    ],
)
def test_only_a_mark_tells_an_encoding(start, encoding):
    assert encoding_of(start) == encoding


@pytest.mark.parametrize(
    ("cells", "type_"),
    [
        (["1", ""], "integer"),
        (["1", "01"], "text"),
        (["1", "2.5e3"], "number"),
        (["", ""], "text"),
        ([], "text"),
        (["nan"], "text"),
        (["1" * 19], "number"),
    ],
)
def test_a_type_is_what_all_cells_are(cells, type_):
    assert type_of(cells) == type_
