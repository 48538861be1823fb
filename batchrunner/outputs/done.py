"""Which jobs have a line already, at 8.1 bytes a job."""

from array import array


class DoneSet:
    """A set of ordinals, each with the fingerprint of the input line it was made from.

    One bit says whether an ordinal is in it, eight bytes hold its fingerprint: ten million jobs
    take 81 MB, where a set of strings takes a gigabyte.
    """

    def __init__(self) -> None:
        self._bits = bytearray()
        self._fingerprints = array("Q")
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, ordinal: int) -> bool:
        byte = ordinal >> 3
        return byte < len(self._bits) and bool(self._bits[byte] >> (ordinal & 7) & 1)

    def __repr__(self) -> str:
        return f"<DoneSet of {self._count}>"

    def mark(self, ordinal: int, fingerprint: str | bytes) -> bool:
        """Put an ordinal in; False if it was there, and then its first fingerprint stays."""
        byte, bit = ordinal >> 3, 1 << (ordinal & 7)
        if byte >= len(self._bits):
            self._grow(ordinal)
        elif self._bits[byte] & bit:
            return False
        self._bits[byte] |= bit
        self._fingerprints[ordinal] = int(fingerprint, 16)
        self._count += 1
        return True

    def fingerprint(self, ordinal: int) -> str:
        """The 16 hex digits that came with an ordinal; ``KeyError`` if it is not in."""
        if ordinal not in self:
            raise KeyError(ordinal)
        return f"{self._fingerprints[ordinal]:016x}"

    @property
    def highest(self) -> int | None:
        """The largest ordinal; None when the set is empty."""
        for byte in range(len(self._bits) - 1, -1, -1):
            if self._bits[byte]:
                return 8 * byte + self._bits[byte].bit_length() - 1
        return None

    def _grow(self, ordinal: int) -> None:
        room = (ordinal + len(self._fingerprints) // 16 + 1024) // 8 * 8  # whole bytes of bits
        self._bits.extend(bytes(room // 8 - len(self._bits)))
        self._fingerprints.frombytes(bytes(8 * (room - len(self._fingerprints))))
