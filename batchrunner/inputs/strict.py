"""JSON that means what it says: a line is read without losing anything, or refused with a reason.

orjson is fast and almost strict. Two things remain. It turns whole numbers beyond 64 bits into
floats; such a line has 19 digits in a row, which is cheap to see, and only then is it looked at
closely. Of any 19 bytes in a row three or four are sixth ones, so that a look at every sixth byte
clears most lines already. And its messages speak of JSON, not of what to do, so a line that it
refuses is read once more by the slow reader below, which knows the reason.
"""

import json
from typing import Any, NoReturn

import orjson

LONGEST = 16 * 1024 * 1024  #: bytes of a line; what is longer is no job

_BOM = b"\xef\xbb\xbf"
_DIGITS = bytes(0x30 if chr(byte).isdigit() and byte < 0x80 else 0x20 for byte in range(256))
_MANY_DIGITS = b"0" * 19  # the shortest whole number that may not fit into 64 bits
_SIXTH_DIGITS = b"0" * 3  # what is left of it on every sixth byte
_TOO_DEEP = "is nested too deeply: 250 levels are the most"
_KINDS = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}


class RefusedError(ValueError):
    """A line is no job; the message says why, and what to do, in one line."""


def load(line: bytes) -> dict[str, Any]:
    """The object on ``line``, with every value as it was written; or a refusal."""
    if len(line) > LONGEST:
        raise RefusedError(f"is too long: {LONGEST >> 20} MiB are the most")
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        _diagnose(line)
        raise RefusedError(f"is not JSON: {error.msg}") from None
    if _has(line[::6], _SIXTH_DIGITS) and _has(line, _MANY_DIGITS):
        _diagnose(line)
    if type(value) is not dict:
        kind = _KINDS.get(type(value), "a number")
        raise RefusedError(f'is {kind}, not a job: write an object such as {{"prompt": "…"}}')
    return value


def dump(value: dict[str, Any]) -> bytes:
    """``value`` as JSON, without spaces."""
    try:
        return orjson.dumps(value)
    except TypeError:  # of what was loaded, only depth can be refused
        raise RefusedError(_TOO_DEEP) from None


def kind(value: object) -> str:
    """What ``value`` is, in words, without showing what somebody wrote."""
    if type(value) in (int, float):
        return f"{value!r:.40}"
    if type(value) is bool:
        return "true" if value else "false"
    return _KINDS.get(type(value), "an object")


def quoted(text: str) -> str:
    """``text`` in quotes, on one line, and no longer than a glance."""
    return ascii(text if len(text) <= 60 else text[:59] + "…").replace("'", '"')


def _has(line: bytes, digits: bytes) -> bool:
    """Whether so many digits follow each other; ``find`` is faster than ``in``.

    That takes what it looks for to be a number first, and makes an error which nobody sees.
    """
    return line.translate(_DIGITS).find(digits) >= 0


def _diagnose(line: bytes) -> None:
    """Refuse ``line`` with the reason, if there is one."""
    if b"\0" in line:
        raise RefusedError("holds a NUL byte: the file is damaged here, or is no text file")
    if line.startswith(_BOM):
        raise RefusedError("starts with a byte order mark: only a file may; remove it here")
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        where = error.start + 1
        raise RefusedError(f"is not UTF-8 at byte {where}: save the file as UTF-8") from None
    try:
        value = _READER.decode(text)
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise RefusedError(_not_json(error)) from None
    except UnicodeEncodeError:
        raise RefusedError(
            "holds half a surrogate pair, such as \\ud800: write the whole character"
        ) from None
    except RecursionError:
        raise RefusedError(_TOO_DEEP) from None


def _not_json(error: json.JSONDecodeError) -> str:
    if error.msg == "Extra data":
        return f"goes on after the job, at column {error.colno}: one job on each line"
    if error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated"):
        return "ends in the middle of the JSON: a job must stand whole on one line"
    return f"is not JSON at column {error.colno}: {error.msg[0].lower()}{error.msg[1:]}"


def _whole(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**64:
        raise RefusedError(f"holds a number beyond 64 bits, {digits:.24}: write it as a text")
    return int(digits)


def _float(digits: str) -> float:
    if float(digits) in (float("inf"), float("-inf")):
        raise RefusedError(f"holds a number that is too large, {digits:.24}: write it as a text")
    return float(digits)


def _constant(name: str) -> NoReturn:
    raise RefusedError(f"holds {name}, which is not JSON: write null, or leave the field out")


_READER = json.JSONDecoder(parse_int=_whole, parse_float=_float, parse_constant=_constant)
