"""What may be shown: text of others must not steer the terminal. Pure."""


def printable(text: str) -> str:
    """``text`` on one line, with a space for whatever controls a terminal or turns text around."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def printable_lines(text: str) -> str:
    """The same, but its lines stay lines."""
    return "\n".join(printable(line) for line in text.split("\n"))
