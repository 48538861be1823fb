"""What a request asks for, whichever of the operations it is for."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .text import CHARACTERS

#: Prompts that contain one of these always meet the content filter, or are always too long.
FILTER_MARKER = "[[filter]]"
LONG_MARKER = "[[too-long]]"

#: The answers to prompts that contain this are written, and then withheld by the filter.
WITHHELD_MARKER = "[[filter-answer]]"

#: The model refuses prompts that contain this, or stops in the middle of its answer to them.
REFUSE_MARKER = "[[refuse]]"
CUT_MARKER = "[[cut]]"

#: The answer breaks the schema: until the conversation holds an answer, or always.
INVALID_MARKER = "[[invalid]]"
ALWAYS_INVALID_MARKER = "[[always-invalid]]"

_REASONING = ("o1", "o3", "o4", "gpt-5")
_EMBEDDING = "text-embedding-"
_CHATTING = (*_REASONING, "gpt-", "chatgpt-")


class Operation(StrEnum):
    """What can be asked for, by the end of its path."""

    CHAT = "chat/completions"
    RESPONSES = "responses"
    EMBEDDINGS = "embeddings"


@dataclass(frozen=True, slots=True)
class Complaint:
    """Why a request is no good: status 400."""

    message: str
    param: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A request that can be answered."""

    operation: Operation
    text: str  #: the whole prompt
    last: str  #: the last user message, or the last message where there is none
    messages: int
    model: str | None
    max_tokens: int | None = None
    choices: int = 1  #: how many texts are wanted; none of an embedding
    schema: Mapping[str, Any] | None = None  #: None is free text; an empty schema is any object
    sampling: tuple[str, ...] = ()  #: the sampling parameters that are not at their default
    old_limit: bool = False  #: the limit was given as ``max_tokens``
    is_answered: bool = False  #: the conversation holds an answer of the model
    table: Mapping[str, Any]  #: the request itself

    @property
    def estimate(self) -> int:
        """Prompt tokens as the service estimates them on admission, from the characters."""
        return -(-len(self.text) // CHARACTERS)

    @property
    def prompt_tokens(self) -> int:
        """Prompt tokens as they are counted: the words cost a little more than estimated."""
        around = 4 * self.messages + 3 if self.messages else 0
        return len(self.text) * 10 // 38 + around


def unsupported(order: Order, model: str) -> Complaint | None:
    """What a model refuses and others do not."""
    others = _CHATTING if order.operation is Operation.EMBEDDINGS else _EMBEDDING
    if model.startswith(others):
        return Complaint(
            f"The {order.operation} operation does not work with the specified model, {model}. "
            "Please choose different model and try again.",
            None,
            "OperationNotSupported",
        )
    if not model.startswith(_REASONING):
        return None
    if order.old_limit:
        return Complaint(
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead.",
            "max_tokens",
            "unsupported_parameter",
        )
    if order.sampling:
        name = order.sampling[0]
        return Complaint(
            f"Unsupported value: '{name}' does not support the given value with this model. "
            "Only the default value is supported.",
            name,
            "unsupported_value",
        )
    return None


def missing(name: str) -> Complaint:
    """A parameter that must be there is not."""
    return Complaint(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")


def empty(name: str) -> Complaint:
    """A list that must hold something does not."""
    return Complaint(
        f"Invalid '{name}': empty array. Expected an array with minimum length 1, but got an "
        "empty array instead.",
        name,
        "empty_array",
    )


def bad_number(table: Mapping[str, Any], name: str, least: int = 1) -> Complaint | None:
    """A number of things is none, or too small."""
    value = table.get(name)
    if value is None or (type(value) is int and value >= least):
        return None
    return Complaint(
        f"Invalid '{name}': expected an integer of at least {least}.", name, "invalid_value"
    )


def bad_mode(table: Mapping[str, Any], *names: str) -> Complaint | None:
    """A way of answering that is left out here."""
    for name in names:
        if table.get(name):
            said = {"stream": "stream", "background": "answer in the background"}[name]
            return Complaint(f"The simulator does not {said}.", name, "unsupported_value")
    return None


def text_of(content: Any) -> str:
    """The text of one message, which may come in parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "\n".join(part for part in parts if isinstance(part, str))
    return ""


def name_of(model: Any) -> str | None:
    """The model that a request names."""
    return model if isinstance(model, str) else None
