"""CSV and TSV: the first row names the columns, each other one is a row of texts.

Quoting is strict, and cells are texts exactly as they were written, newlines and all. Lines
without a cell are skipped and do not count, so that a row has the same number with and without
them. A row that is not as wide as the header comes out as a ``Broken``, in its place. Where cells
end cannot be known any more after bytes that are no text, or a quote that nothing closes; that is
an error of the whole file, told after all the rows before it.
"""

import codecs
import csv
from collections.abc import Iterator
from io import StringIO
from itertools import chain
from pathlib import Path

import orjson

from ..errors import InputError
from . import dialect
from .broken import Broken
from .packing import bare, by_content
from .rows import BATCH, check_names, line_of
from .shape import Column, Shape
from .source import BLOCK, open_any, read_block
from .strict import LONGEST

SAMPLE = 64 * 1024  #: bytes that the delimiter is told from, and types are guessed from
_LINE = 4 * LONGEST  # characters of a line of the file, of which a row may have many
_MARK = "\ufeff"


class CsvFile:
    """A CSV file that is open, and whose header is known; it blocks."""

    def __init__(
        self, path: Path, shape: Shape, *, block: int = BLOCK, sample: int = SAMPLE
    ) -> None:
        self._path = path
        self._file = open_any(path)
        try:
            start = self._start(sample)
            _refuse_other(path, start)
            asked = dialect.checked(shape)
            encoding = asked.encoding or dialect.encoding_of(start)
            first = _first_lines(start, encoding, is_cut=len(start) > sample)
            is_tsv = bare(path.name).lower().endswith(".tsv")
            delimiter = asked.delimiter or ("\t" if is_tsv else dialect.delimiter_of(first))
            self.shape = Shape(delimiter, encoding)
            blocks = chain([start] if start else [], self._blocks(block))
            self._lines = _TextLines(path, blocks, encoding, _remedy(encoding))
            csv.field_size_limit(max(LONGEST, csv.field_size_limit()))
            self._rows = csv.reader(self._lines, delimiter=delimiter, strict=True)
            self._names = self._header()
            self.columns = _guessed(self._names, first, delimiter)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _start(self, size: int) -> bytes:
        """Enough to tell how the rest is written; a packed file comes in smaller pieces."""
        start = b""
        while len(start) <= size and (block := read_block(self._file, size, self._path)):
            start += block
        return start

    def _blocks(self, size: int) -> Iterator[bytes]:
        while block := read_block(self._file, size, self._path):
            yield block

    def _header(self) -> list[str]:
        try:
            names = next((row for row in self._rows if not _is_blank(row)), None)
        except csv.Error as error:
            raise InputError(f"{self._path}: the header {_reason(error, 1)}") from None
        if names is None:
            raise InputError(f"{self._path} is empty: a CSV file begins with a row of names")
        check_names(self._path, names)
        return names

    def batches(self) -> Iterator[list[bytes]]:
        """The rows, about a MiB at a time."""
        batch: list[bytes] = []
        size = 0
        while True:
            try:
                line = self._next()
            except InputError:
                if batch:
                    yield batch
                raise
            if line is None:
                break
            batch.append(line)
            size += len(line)
            if size >= BATCH:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _next(self) -> bytes | None:
        """The next row; None at the end."""
        names, width = self._names, len(self._names)
        while True:
            begin = self._rows.line_num + 1
            try:
                row = next(self._rows, None)
            except csv.Error as error:
                return self._unreadable(error, begin)
            if row is None:
                return None
            if len(row) != width:
                if _is_blank(row):
                    continue
                return _ragged(row, width, begin)
            line = line_of(dict(zip(names, row, strict=True)))
            if b"\\u0000" in line and any("\0" in cell for cell in row):
                place = f"(line {begin} of the file)"
                return Broken(line, f"holds a NUL byte {place}: the file is damaged there")
            return line

    def _unreadable(self, error: csv.Error, begin: int) -> Broken:
        reason = _reason(error, begin)
        if "field larger" in str(error) or "unexpected end" in str(error):
            raise InputError(f"{self._path}: the row at line {begin} {reason}") from None
        return Broken(self._lines.last.encode(errors="replace").strip() or b"-", reason)


class _TextLines:
    """The lines of the file with their ends, as text; what csv reads rows from."""

    def __init__(self, path: Path, blocks: Iterator[bytes], encoding: str, remedy: str) -> None:
        self._path = path
        self._blocks = blocks
        self._encoding = encoding
        self._remedy = remedy
        self.last = ""  #: the line that was read last

    def __iter__(self) -> Iterator[str]:
        number, rest = 0, ""
        for text, fault in self._texts():
            lines = list(StringIO(rest + text, newline=""))
            is_open = bool(lines) and not lines[-1].endswith("\n")  # after \r there may be \n
            rest = lines.pop() if is_open else ""
            for line in lines:
                number += 1
                self.last = line
                yield line
            if fault:
                raise InputError(f"{self._path}: line {number + 1} {fault}: {self._remedy}")
            if len(rest) > _LINE:
                raise InputError(f"{self._path}: line {number + 1} is too long to be one")
        if rest:
            self.last = rest
            yield rest

    def _texts(self) -> Iterator[tuple[str, str | None]]:
        """The text, block by block; at bytes that are none, what stands before them, and why."""
        decode = codecs.getincrementaldecoder(self._encoding)().decode
        offset, mark = 0, _MARK
        for block in chain(self._blocks, [b""]):
            offset += len(block)
            fault = None
            try:
                text = decode(block, final=not block)
            except UnicodeDecodeError as error:
                text = error.object[: error.start].decode(error.encoding, "ignore")
                place = offset - len(error.object) + error.start + 1
                fault = f"is not {self._encoding.upper()} at byte {place:,} of the file"
            except UnicodeError:
                text, fault = "", f"is not {self._encoding.upper()}"
            if text:
                text, mark = text.removeprefix(mark), ""
            yield text, fault


def _remedy(encoding: str) -> str:
    if codecs.lookup(encoding).name == "utf-8":
        return "save it as UTF-8, or name its encoding, such as --encoding cp1252"
    return "name its true --encoding, or save it as UTF-8 and name none"


def _first_lines(start: bytes, encoding: str, *, is_cut: bool) -> list[str]:
    """The first lines, without the last one if it was cut."""
    text = codecs.getincrementaldecoder(encoding)("ignore").decode(start)
    lines = list(StringIO(text.removeprefix(_MARK), newline=""))
    return lines[:-1] if is_cut else lines


def _refuse_other(path: Path, start: bytes) -> None:
    """Refuse what is no text, whatever it is called."""
    if (packing := by_content(start)) is not None:
        raise InputError(f"{path} is compressed: let its name end in {packing.suffix}")
    if start.startswith(b"PAR1"):
        raise InputError(f"{path} is a Parquet file: let its name end in .parquet")
    if start.startswith(b"PK\x03\x04"):
        raise InputError(f"{path} is a workbook or another archive: save it as CSV")


def _guessed(names: list[str], sample: list[str], delimiter: str) -> tuple[Column, ...]:
    rows = [row for row in csv.reader(sample, delimiter=delimiter) if not _is_blank(row)]
    whole = [row for row in rows[1:101] if len(row) == len(names)]
    cells = [[row[i] for row in whole] for i in range(len(names))]
    return tuple(Column(n, dialect.type_of(c)) for n, c in zip(names, cells, strict=True))


def _is_blank(row: list[str]) -> bool:
    """Whether the line is empty; an only cell that is empty is written as quotes."""
    return not row or (len(row) == 1 and row[0] != "" and row[0].isspace())


def _ragged(row: list[str], width: int, begin: int) -> Broken:
    remedy = (
        "quote the cell that holds the delimiter" if len(row) > width else "write the missing ones"
    )
    cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
    return Broken(
        orjson.dumps(row),
        f"has {cells} where the header has {width} (line {begin} of the file): {remedy}",
    )


def _reason(error: csv.Error, begin: int) -> str:
    """What csv says, in words that say what to do."""
    text = str(error)
    if "unexpected end" in text:
        return "begins a quoted cell that never ends: close the quote"
    if "field larger" in text:
        return f"has a cell of more than {LONGEST >> 20} MiB, or a quote that never closes"
    if "expected after" in text:
        return (
            f"goes on behind a closing quote (line {begin} of the file):"
            " write each quote inside of a cell twice"
        )
    return f"cannot be read (line {begin} of the file): {text}"
