"""What a tiny call asks for, and what is asked instead where only the way of asking was refused.

One call tells most if it asks for as much as a demanding job does: an answer that follows a JSON
schema, its length bounded by the newest name for that. An old model, or an old version of the
API, refuses one or the other with 400 and names it; then the next call leaves it out. Pure.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import orjson

from ..answers import Answers
from ..model import CHAT, EMBEDDINGS, Fault, Job, Reply
from ..policy.verdict import error_in

MOST_CALLS = 3  #: to one region
USUAL_TOKENS = 60  #: what a call is charged for: its prompt, the schema and its answer
ROOM = 256  #: tokens of the answer; a model that reasons needs some before it says anything
MORE_ROOM = 2048  #: … and sometimes many
PROMPT = 'Answer with the JSON {"answer": "ok"} and nothing else.'
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string", "enum": ["ok"]}},
    "required": ["answer"],
    "additionalProperties": False,
}
_SHAPE = {"name": "tiny", "strict": True, "schema": SCHEMA}
_NEW, _OLD = "max_completion_tokens", "max_tokens"
_ON_SCHEMA = re.compile(
    r"response_?format|json_?schema|structured output|text\.format", re.IGNORECASE
)
_NO_ROOM = re.compile(r"could not finish the message|higher max_", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Ask:
    """One way of asking for next to nothing."""

    path: str = CHAT
    has_schema: bool = True
    bound: str = _NEW  #: what a chat completion calls the longest answer
    room: int = ROOM

    @property
    def body(self) -> dict[str, Any]:
        """The request, without its model."""
        if self.path == EMBEDDINGS:
            return {"input": "ok"}
        if self.path == CHAT:
            shape = {"response_format": {"type": "json_schema", "json_schema": _SHAPE}}
            asked = {"messages": [{"role": "user", "content": PROMPT}], self.bound: self.room}
        else:
            shape = {"text": {"format": {"type": "json_schema", **_SHAPE}}}
            asked = {"input": PROMPT, "max_output_tokens": self.room, "store": False}
        return asked | (shape if self.has_schema else {})

    def job(self, model: str) -> Job:
        """The same as a job, which is what regions are sent."""
        return Job(0, "", "doctor", self.path, model, orjson.dumps(self.body), self.room)


def first(path: str) -> Ask:
    """What to ask a region that nothing is known of."""
    return Ask(path, has_schema=path != EMBEDDINGS)


def instead(ask: Ask, outcome: Reply | Fault) -> Ask | None:
    """What to ask after ``outcome``; None where that was no matter of how it was asked."""
    if isinstance(outcome, Fault) or outcome.status not in {400, 422} or ask.path == EMBEDDINGS:
        return None
    said = error_in(outcome)
    if ask.has_schema and is_about_schema(outcome):
        return replace(ask, has_schema=False)
    if ask.path == CHAT and ask.bound == _NEW and _NEW in said.message:
        return replace(ask, bound=_OLD)
    if ask.room == ROOM and _NO_ROOM.search(said.message):
        return replace(ask, room=MORE_ROOM)
    return None


def is_about_schema(reply: Reply) -> bool:
    """Whether a refusal names the schema."""
    return _ON_SCHEMA.search(error_in(reply).message) is not None


@lru_cache(maxsize=1)
def asked() -> Answers:
    """What an answer must look like."""
    return Answers(SCHEMA)
