"""Blocks of bytes to lines."""

from .strict import LONGEST

_BOM = b"\xef\xbb\xbf"


class Splitter:
    """Cuts a stream of blocks into lines, holding back what has not ended yet.

    A line that is longer than ``longest`` comes out cut one byte beyond it, which is how it is
    known to be too long; however long it is, no more of it is ever held. A byte order mark at the
    start of the stream is dropped.
    """

    def __init__(self, longest: int = LONGEST) -> None:
        self._most = longest + 1
        self._rest = b""
        self._first = True

    def feed(self, block: bytes) -> list[bytes]:
        """The lines that end in ``block``, without their newlines."""
        lines = block.split(b"\n")
        if len(self._rest) < self._most:
            lines[0] = (self._rest + lines[0])[: self._most]
        else:
            lines[0] = self._rest
        self._rest = lines.pop()[: self._most]
        if len(block) > self._most:
            lines = [line[: self._most] for line in lines]
        return self._without_mark(lines)

    def finish(self) -> list[bytes]:
        """The last line, if it has no newline."""
        rest, self._rest = self._rest, b""
        return self._without_mark([rest] if rest else [])

    def _without_mark(self, lines: list[bytes]) -> list[bytes]:
        if self._first and lines:
            self._first = False
            lines[0] = lines[0].removeprefix(_BOM)
        return lines
