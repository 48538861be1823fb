"""Something that works and should be looked at all the same. Pure."""

from dataclasses import dataclass
from enum import StrEnum, auto


class Code(StrEnum):
    """What it is about; ``docs/doctor.md`` says more of each."""

    ENV_FILE_READABLE = auto()
    MISSPELT = auto()
    HOMELESS = auto()
    KEY_BLANKS = auto()
    KEY_QUOTED = auto()
    KEY_PLACEHOLDER = auto()
    OVERRIDDEN = auto()
    UNNUMBERED = auto()
    OTHER_PROGRAM = auto()
    IDENTITY = auto()
    PROXY = auto()
    CERTIFICATES = auto()
    BUNDLE = auto()
    FALLBACK_IS_AZURE = auto()
    SETTINGS = auto()
    SHARED_QUOTA = auto()
    PERHAPS_SHARED_QUOTA = auto()
    MODELS_DIFFER = auto()
    VERSIONS_DIFFER = auto()
    VERSION_MISSPELT = auto()
    VERSION_OLD = auto()
    VERSION_PREVIEW = auto()
    LIMIT_DIFFERS = auto()
    OPEN_FILES = auto()
    NO_FALLBACK = auto()


@dataclass(frozen=True, slots=True)
class Caution:
    """What is suspicious, about which regions or variables, and what to do."""

    code: Code
    about: tuple[str, ...]  #: names of regions, variables or files
    message: str
    remedy: str
