"""One job in words."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..explanation import Explanation
from ..model import Job
from ..terminal import printable, printable_lines
from . import words

ROOM = 10  #: characters of a label
SHORT = 0.05  #: seconds of waiting that are not worth a word


def explained_lines(found: Explanation, *, answer: bool) -> list[str]:
    """What is known of a job; its answer only where that is wanted."""
    lines = [printable(line) for line in [_headline(found), *_facts(found)]]
    if answer:
        for text in found.texts:
            lines += ["", printable_lines(text)]
    return lines


def _headline(found: Explanation) -> str:
    record = found.record or {}
    by = f" by {record['region']}" if record.get("region") else ""
    return f"{found.id}: {found.state}{by}"


def _facts(found: Explanation) -> Iterator[str]:
    record = found.record or {}
    where = f" of {found.input}" if found.input else " of the input"
    yield _fact("input", f"{found.noun} {found.ordinal + 1:,}{where}")
    yield from _model(found)
    if found.record is None:
        yield _fact("result", _pending(found))
    if record.get("reused"):
        yield _fact("reused", "nothing was sent: the same request had its last word before")
    yield from _attempts(found)
    if (error := found.error) is not None:
        yield _fact("failed", f"{error['code']}: {error['message']}")
        by_itself = "by itself, when the run is started again" if error["retryable"] else ""
        yield _fact("again", by_itself or "not by itself; batchrunner retry runs it again")
        yield _fact("remedy", error["remedy"])
    if found.endings:
        yield _fact("finish", ", ".join(found.endings))
    yield from _tokens(found)
    if found.response.get("request_id"):
        yield _fact("service", f"request {found.response['request_id']}")
    if record.get("request"):
        yield _fact("request", f"{record['request']} (the same for every job that asks the same)")
    for note in found.notes:
        yield _fact("note", note)


def _fact(label: str, text: str) -> str:
    return f"  {label:<{ROOM}}{text}"


def _model(found: Explanation) -> Iterator[str]:
    asked = found.asked.model if isinstance(found.asked, Job) else ""
    answered = found.usage.model if found.usage else ""
    parts = [f"asked for {asked}"] * bool(asked) + [f"answered by {answered}"] * bool(answered)
    if parts:
        yield _fact("model", ", ".join(parts))


def _pending(found: Explanation) -> str:
    if found.is_left_out:
        return "none: --limit left it out"
    if found.writer is not None:
        return f"none yet: {found.writer} is at work"
    return "none yet: the same run command goes on with it"


def _attempts(found: Explanation) -> Iterator[str]:
    attempts = found.attempts
    if not attempts:
        return
    waited = sum(each["wait"] for each in attempts)
    spent = sum(each["s"] for each in attempts)
    behind = f", {words.duration(waited)} of waiting" if waited else ""
    yield _fact("attempts", f"{len(attempts)}: {words.duration(spent)} of asking{behind}")
    for number, each in enumerate(attempts, 1):
        yield f"    {number}. {_attempt(each)}"


def _attempt(each: Mapping[str, Any]) -> str:
    waited = f" after a wait of {words.duration(each['wait'])}" if each["wait"] >= SHORT else ""
    status = "" if each["status"] is None else f"status {each['status']} "
    return f"{each['region']}{waited}: {each['meaning']} ({status}in {each['s']:.3f}s)"


def _tokens(found: Explanation) -> Iterator[str]:
    content = found.as_json()
    for label, name in (("tokens", "tokens"), ("rejected", "rejected_tokens")):
        counts = content[name]
        if any(counts.values()):
            cached = f" ({counts['cached']:,} cached)" if counts["cached"] else ""
            text = f"{counts['prompt']:,} of the prompt{cached}, {counts['completion']:,} of the "
            yield _fact(label, text + ("answer" if label == "tokens" else "answers not taken"))
    if found.record is not None:
        cost = found.cost_usd
        yield _fact("cost", "not known" if cost is None else f"{cost:.6f} USD")
