"""What was found around the program, for those who judge it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The variables of this process and of a file, and what others may do with that file."""

    process: Mapping[str, str] = field(default_factory=dict, repr=False)  #: keys are among them
    file: Mapping[str, str] = field(default_factory=dict, repr=False)
    path: str = ".env"
    is_readable: bool = False  #: whether others can read the file
    open_files: int | None = None  #: the most that this process may have; None is no limit

    @property
    def environ(self) -> dict[str, str]:
        """All of them: those of the process win."""
        return {**self.file, **self.process}
