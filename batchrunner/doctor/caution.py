"""Something that works and should be looked at all the same."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caution:
    """What is suspicious, about which regions or variables, and what to do."""

    code: str
    about: tuple[str, ...]  #: names of regions, variables or files
    message: str
    remedy: str
