"""Where what stands: 64-bit keys to places, at some 32 bytes each. Pure.

Theory of operation. A dict of strings takes two hundred bytes for each entry, which is two
gigabytes for ten million answers. Here two arrays of machine words lie side by side, keys and
places. A key is looked for from the slot on that its low bits name, until it is found or a slot
is empty; keys are parts of good hashes, so runs are short while a quarter of the slots is empty.
Nothing is ever removed. A place is kept one larger than it is, so that zero means an empty slot.
"""

from array import array

_SMALLEST = 1 << 10  #: slots; always a power of two, so that a mask finds the slot
MAX_PLACE = 2**64 - 2


class Index:
    """A map from 64-bit keys to 64-bit places; ``room`` entries fit without growing."""

    def __init__(self, room: int = 0) -> None:
        self._count = 0
        self._keys = self._places = array("Q")
        self._make(max(_SMALLEST, 1 << (room * 4 // 3).bit_length()))

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"<Index of {self._count}>"

    def put(self, key: int, place: int) -> None:
        """Say where a key stands; a later place takes the place of an earlier one."""
        slot = self._slot(key)
        if not self._places[slot]:
            if self._count >= self._most:
                self._grow()
                slot = self._slot(key)
            self._count += 1
        self._keys[slot], self._places[slot] = key, place + 1

    def get(self, key: int) -> int | None:
        """Where a key stands; None where nobody said."""
        place = self._places[self._slot(key)]
        return place - 1 if place else None

    def _slot(self, key: int) -> int:
        """The slot of a key, or the empty one where it belongs."""
        keys, places, mask = self._keys, self._places, self._mask
        slot = key & mask
        while places[slot] and keys[slot] != key:
            slot = slot + 1 & mask
        return slot

    def _make(self, slots: int) -> None:
        self._mask, self._most = slots - 1, slots // 4 * 3
        self._keys, self._places = array("Q", [0]) * slots, array("Q", [0]) * slots

    def _grow(self) -> None:
        keys, places = self._keys, self._places
        self._make(2 * len(keys))
        for key, place in zip(keys, places, strict=True):
            if place:
                slot = self._slot(key)
                self._keys[slot], self._places[slot] = key, place
