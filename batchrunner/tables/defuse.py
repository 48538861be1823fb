"""Texts that a spreadsheet would take for a formula, made harmless. Pure.

An answer is written by a model that has read texts of strangers: a cell that begins with an equals
sign, or with one of its kin, may fetch a page or start a program when a spreadsheet opens it. An
apostrophe before it makes it a text.
"""

_FORMULA = frozenset(
    "=+-@|%\uff1d\uff0b\uff0d\uff20\uff5c\uff05\u2212\ufe62\ufe63\ufe66\ufe6a\ufe6b"
)
_LEADING = frozenset("\t\r\n")
_UNSEEN = "\0\u200b\u200c\u200d\u2060\ufeff"


def defuse(text: str) -> str:
    """``text``, with an apostrophe before it where it could be a formula."""
    if not text:
        return text
    if text[0].isalnum():  # most of them
        return text
    begins = text.lstrip().lstrip(_UNSEEN).lstrip()
    is_formula = text[0] in _LEADING or (begins and begins[0] in _FORMULA)
    return "'" + text if is_formula else text
