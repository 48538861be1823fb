"""What a retry of an output would run, and the settings that ask the same as before."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import DamagedError, LockedError, UsageError
from .inputs.remote import is_remote, plain
from .outputs import checkpoint, foreign
from .outputs.lines import decode
from .outputs.lock import holder
from .outputs.results_file import tail
from .selection import Selection, facts
from .settings import CONTENTS, SEMANTIC, SEMANTIC_IF_SET, Settings

_MEANING = frozenset({*SEMANTIC, *SEMANTIC_IF_SET, *CONTENTS})
#: files whose content is in the checkpoint, and settings that are about another set of jobs
_NOT_HERE = frozenset(
    {
        *("prompt_file", "messages_file", "schema_file"),
        *("restart", "repair", "retry_failed", "accept_config_change", "reuse", "dedup"),
    }
)


@dataclass(slots=True)
class Again:
    """A selection of the failed jobs of an output, and how to ask for them once more."""

    output: Path
    selection: Selection
    saved: Mapping[str, Any]  #: the checkpoint
    input: str
    selected: int = 0
    failed: int = 0  #: selected or not
    unfinished: int = 0  #: jobs without a result, which run too
    codes: Counter[str] = field(default_factory=Counter)  #: of those that are selected
    regions: Counter[str] = field(default_factory=Counter)

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to run."""
        return not self.selected and not self.unfinished

    def as_json(self) -> dict[str, Any]:
        """What would run, for ``--json``."""
        return {
            "selected": self.selected,
            "failed": self.failed,
            "unfinished": self.unfinished,
            "codes": dict(self.codes.most_common()),
            "regions": dict(self.regions.most_common()),
        }

    def settings(self, given: Settings) -> Settings:
        """``given``, but what is asked is what the earlier run asked."""
        names = given.model_fields_set - _MEANING - _NOT_HERE
        kept = {name: getattr(given, name) for name in names}
        known = self.saved.get("input") or {}
        shape = known.get("shape") or {}
        same = {
            "limit": known.get("limit"),
            "bad_lines": "record" if known.get("bad") else given.bad_lines,
            **{name: shape.get(name) for name in ("delimiter", "encoding")},
            "answer_prefix": shape.get("answer_prefix") or "",
        }
        settings = Settings.model_validate(kept | same | meaning_of(self.saved))
        if settings.fingerprint != self.saved.get("cfg_fp"):
            raise UsageError(
                f"{self.output} was made by a version of batchrunner that asks otherwise: name "
                "everything as it was, with batchrunner run INPUT --retry-failed"
            )
        return settings


def meaning_of(saved: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the last run that change what is asked, from its checkpoint."""
    return {name: value for name, value in saved["cfg"].items() if name in _MEANING}


def again(output: Path, selection: Selection, input_: str | None) -> Again:
    """Look through ``output``; nothing is changed and nothing sent.

    Raises LockedError while a run writes it, DamagedError where results are gone that were safe,
    and UsageError where the input or what was asked is not known, or the run itself is not over.
    """
    foreign.refuse(output, "its jobs were not sent from here; see batchrunner run --help")
    if (writer := holder(output)) is not None:
        raise LockedError(f"another run ({writer}) is writing {output}: wait for it, or stop it")
    if not output.exists():
        raise UsageError(f"{output} does not exist: name the results of a run")
    loaded = checkpoint.load(checkpoint.checkpoint_path(output))
    saved = loaded.fields or {}
    if not saved.get("cfg") or not saved.get("input"):
        raise UsageError(
            f"{loaded.reason or f'{output} has no whole checkpoint'}: without it nobody knows "
            "what was asked; name it all again, with batchrunner run INPUT --retry-failed"
        )
    found = Again(output, selection, saved, _input_name(output, saved, input_))
    _count(found)
    return found


def _input_name(output: Path, saved: Mapping[str, Any], given: str | None) -> str:
    name: str | None = saved["input"].get("path") if given is None else given
    if name is None:
        raise UsageError(
            f"the input of {output} came from standard input, which cannot be read again: save it "
            "as a file and name that with --input"
        )
    if name == "-":
        raise UsageError("a retry reads the input twice: save it as a file, and name that")
    _check_size(name, saved["input"])
    return name


def _check_size(name: str, known: Mapping[str, Any]) -> None:
    """What was added to an input belongs to the run, not to a retry; a limit leaves it out."""
    if is_remote(name):
        return
    path = Path(plain(name))
    if not path.exists():
        raise UsageError(f"{name} is not there: say with --input FILE where the input is now")
    before = known.get("size")
    if before is not None and known.get("limit") is None and path.stat().st_size > before:
        raise UsageError(
            f"{name} is longer than it was: first go on with the run itself, by the command that "
            "began it; --retry-failed there runs failed jobs again too"
        )


def _count(found: Again) -> None:
    """Every whole line once."""
    lines = 0
    everything = Selection()
    for line in tail(found.output):
        lines += 1
        found.failed += everything.takes(line)
        if found.selection.takes(line):
            found.selected += 1
            about = facts(decode(line))
            found.codes[about["code"]] += 1
            found.regions[about["region"]] += 1
    promised = (found.saved.get("results") or {}).get("records", 0)
    if lines < promised:
        raise DamagedError(
            f"{found.output} has lost {promised - lines:,} results that were safe: nothing was "
            f"sent; look at it with: batchrunner verify {found.output}"
        )
    found.unfinished = max(0, (found.saved["input"].get("jobs") or 0) - lines)
    if found.unfinished and not found.saved.get("retrying"):
        raise UsageError(
            f"{found.output} is not complete, {found.unfinished:,} jobs have no result yet: first "
            "go on with the run itself, by the command that began it; --retry-failed there runs "
            "failed ones again too"
        )
