"""Whether an answer is what it must be, and how it is asked for again. Pure.

Every choice of an answer is held against the schema. An answer is JSON and nothing else: what
stands in a code fence, or twice, is none. Formats count, where the schema names one that is known.
Of a key that stands there twice the last one counts, as for nearly every reader; whole numbers
beyond 64 bits are compared as floats; what is written down is the answer as it came.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NoReturn

import orjson

from .model import Failure, Job
from .policy.choices import Choice, choices
from .terminal import printable

MOST_ERRORS = 3  #: that are said to the model
LONGEST_REASON = 200
LONGEST_MESSAGE = 500
INVALID = "invalid_output"
_CUT = {
    "length": ("truncated", "the answer was cut off at its limit: raise max_tokens"),
    "content_filter": ("filtered", "the answer was cut off by the content filter"),
}
_CUT["max_output_tokens"] = _CUT["length"]


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with an answer."""

    code: str  #: ``invalid_output``, ``refusal``, ``truncated`` or ``filtered``
    message: str
    answer: str = ""  #: the text that broke the schema

    @property
    def is_final(self) -> bool:
        """Whether asking again would only be paid again."""
        return self.code != INVALID

    @property
    def failure(self) -> Failure:
        """What becomes of the job where this is the last word."""
        return Failure(self.code, printable(self.message)[:LONGEST_MESSAGE], retryable=False)

    def again(self, job: Job) -> Job:
        """``job`` with this answer and what is wrong with it behind what it asks."""
        body = orjson.loads(job.body)
        key = "messages" if "messages" in body else "input"
        before = body.get(key) or []
        if isinstance(before, str):
            before = [{"role": "user", "content": before}]
        said = [{"role": "assistant", "content": self.answer}] if self.answer else []
        correction = (
            f"That answer does not follow the JSON schema: {self.message}. "
            "Answer again, with one JSON object that follows it and nothing else."
        )
        body[key] = [*before, *said, {"role": "user", "content": correction}]
        return Job(
            ordinal=job.ordinal,
            fingerprint=job.fingerprint,
            id=job.id,
            path=job.path,
            model=job.model,
            body=orjson.dumps(body),
            answer_tokens=job.answer_tokens,
        )


@dataclass(frozen=True, slots=True)
class Answers:
    """What all answers must look like."""

    schema: Mapping[str, Any]
    _validator: Any = field(init=False)

    def __post_init__(self) -> None:
        from jsonschema_rs import validator_for  # only where there is a schema

        validator = validator_for(dict(self.schema), validate_formats=True, retriever=_nothing)
        object.__setattr__(self, "_validator", validator)

    def complaint(self, body: bytes) -> Complaint | None:
        """What is wrong with the answer in the body of a reply; None where nothing is.

        Whatever is final is told first. Embeddings hold no text and are always fine.
        """
        found = [one for one in map(self._complaint, choices(orjson.loads(body))) if one]
        return next((one for one in found if one.is_final), found[0] if found else None)

    def _complaint(self, choice: Choice) -> Complaint | None:
        if choice.refusal:
            return Complaint("refusal", f"the model refused: {choice.refusal}")
        if choice.end in _CUT:
            return Complaint(*_CUT[choice.end])
        if not choice.text.strip():
            return Complaint(INVALID, "it holds no text")
        try:
            answer = orjson.loads(choice.text)
        except orjson.JSONDecodeError as error:
            return Complaint(INVALID, f"it is not JSON: {error}", choice.text)
        errors = list(islice(self._validator.iter_errors(answer), MOST_ERRORS))
        if not errors:
            return None
        return Complaint(INVALID, "; ".join(map(_in_words, errors)), choice.text)


def _in_words(error: Any) -> str:
    """Where an answer breaks the schema, as a JSON pointer, and how."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in error.instance_path)
    place = "".join(f"/{part}" for part in parts) or "at its root"
    reason: str = error.message
    if len(reason) > LONGEST_REASON:
        reason = f"{reason[: LONGEST_REASON // 2]} … {reason[-LONGEST_REASON // 2 :]}"
    return f"{place}: {reason}"


def _nothing(uri: str) -> NoReturn:
    raise ValueError(f"nothing is fetched, and {uri} is elsewhere")
