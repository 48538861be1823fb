"""Why a region answered as it did, and what to do about it: outcome -> words. Pure.

What an outcome means is said by the same ``judge`` that a run asks; here are the remedies.
"""

import re
from dataclasses import dataclass

from ..model import RESPONSES, Fault, Reply
from ..policy.verdict import (
    Answered,
    Barred,
    Faulty,
    Hindered,
    Oversized,
    Refused,
    Throttled,
    error_in,
    judge,
)
from ..terminal import printable
from . import remedies
from .place import Place

_TITLE = re.compile(r"<title[^>]*>\s*([^<]{1,80})", re.IGNORECASE)
_MODEL = re.compile(r"(gpt-\d|chatgpt-|o\d|text-embedding-)")
_DATED = re.compile(r"-(\d{4}-\d\d-\d\d|\d{4}|latest)")
_FILTERED = frozenset({"content_filter", "invalid_prompt"})
_OTHER_USE = "OperationNotSupported"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Whether a region works, and why not."""

    works: bool
    outcome: str  #: as attempts of a run name it: ``ok``, ``throttled``, ``barred``, ``timeout`` …
    reason: str = ""
    remedy: str = ""


def diagnose(outcome: Reply | Fault, place: Place) -> Diagnosis:
    """Say what the last outcome of a region's calls means for whoever has configured it.

    A region that throttles works: its key and its deployment have been accepted.
    """
    match judge(outcome, place.path):
        case Answered() as answered:
            return _answered(answered.usage.model, place)
        case Refused() as refused:
            return _refused(refused, outcome, place)
        case Throttled() as throttled:
            reason = f"it throttles ({throttled.cause}): {_reason(outcome)}"
            return _works(throttled.outcome, reason, remedies.throttled(throttled))
        case Oversized() | Hindered() | Faulty() | Barred() as failed:
            return _fails(failed.outcome, *_words(failed, outcome, place))


def _works(outcome: str, reason: str = "", remedy: str = "") -> Diagnosis:
    return Diagnosis(works=True, outcome=outcome, reason=reason, remedy=remedy)


def _fails(outcome: str, reason: str, remedy: str) -> Diagnosis:
    return Diagnosis(works=False, outcome=outcome, reason=reason, remedy=remedy)


def _words(
    failed: Oversized | Hindered | Faulty | Barred, outcome: Reply | Fault, place: Place
) -> tuple[str, str]:
    """Why a region does not work, and the remedy."""
    match failed:
        case Oversized():
            return _reason(outcome), remedies.OVERSIZED
        case Hindered(message):
            return message, remedies.HINDERED
        case Barred(reason) if place.path == RESPONSES and "/responses" in reason:
            why, _, remedy = reason.rpartition(" (")  # judge itself says what to set
            return why, remedy.removesuffix(")")
        case Faulty() | Barred():
            return _reason(outcome), remedies.of(outcome, place)


def _answered(model: str, place: Place) -> Diagnosis:
    asked = place.model or place.called or ""
    if is_same_model(asked, model):
        return _works("ok")
    reason = f"asked for {asked}, it answered with {printable(model)}"
    return _works("ok", reason, remedies.other_model(place))


def _refused(refused: Refused, outcome: Reply | Fault, place: Place) -> Diagnosis:
    """The request was not taken: by the service, which accepted the key, or by a proxy."""
    reason = _reason(outcome)
    if isinstance(outcome, Reply) and outcome.status == 407:
        return _fails(refused.outcome, reason, remedies.PROXY)
    if refused.code in _FILTERED:
        return _works(refused.outcome, reason, remedies.FILTERED)
    if refused.code == _OTHER_USE:
        return _fails(refused.outcome, reason, remedies.other_use(place))
    return _fails(refused.outcome, reason, remedies.refused(place))


def is_same_model(asked: str, answered: str) -> bool:
    """Whether a model that answers may be the one that was asked for, as far as names tell.

    A deployment can have any name; only one that is called like a model promises one.
    """
    asked, answered = (name.lower().replace("gpt-35", "gpt-3.5") for name in (asked, answered))
    if not answered or not _MODEL.match(asked):
        return True
    return answered == asked or _DATED.fullmatch(answered.removeprefix(asked)) is not None


def _reason(outcome: Reply | Fault) -> str:
    """What was said, on one line."""
    if isinstance(outcome, Fault):
        return remedies.fault_reason(outcome)
    if 300 <= outcome.status < 400:
        return f"{outcome.status}, a redirect: who answers there is not the service"
    if remedies.is_page(outcome):
        title = _TITLE.search(outcome.body[:4096].decode("utf-8", "replace"))
        named = f" called {printable(title[1].strip())!r}" if title else ""
        return f"{outcome.status}, and a web page{named} in place of an answer"
    said = error_in(outcome)
    if outcome.status == 200:
        return f"a 200 that holds no answer: {said.message}"
    return f"{outcome.status} {said.message}"
