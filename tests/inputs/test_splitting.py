"""Lines come out the same however the bytes were cut into blocks."""

from hypothesis import given
from hypothesis import strategies as st

from batchrunner.inputs.splitting import Splitter

BYTES = st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b"\xef\xbb\xbf"])).map(b"".join)


def split(content, sizes, longest=100):
    splitter = Splitter(longest)
    lines = []
    while content:
        size = next(sizes)
        lines += splitter.feed(content[:size])
        content = content[size:]
    return lines + splitter.finish()


def expected(content, longest):
    lines = content.split(b"\n")
    if not lines[-1]:
        lines.pop()
    lines = [line[: longest + 1] for line in lines]
    return [line.removeprefix(b"\xef\xbb\xbf") if i == 0 else line for i, line in enumerate(lines)]


@given(BYTES, st.integers(1, 12), st.sampled_from([3, 5, 100]))
def test_blocks_leave_no_trace(content, size, longest):
    assert split(content, iter(lambda: size, 0), longest) == expected(content, longest)


def test_a_line_without_end_is_never_held_whole():
    splitter = Splitter(longest=1000)

    for _ in range(10_000):
        assert splitter.feed(b"x" * 100) == []
        assert len(splitter._rest) <= 1001

    assert splitter.feed(b"x\nnext\n") == [b"x" * 1001, b"next"]


def test_only_the_first_mark_is_dropped():
    mark = b"\xef\xbb\xbf"

    assert split(mark + b"a\n" + mark + b"b", iter(lambda: 100, 0)) == [b"a", mark + b"b"]
