"""The answers that the body of a success holds, whatever its path. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the answers that a reply holds."""

    text: str
    refusal: str
    end: str  #: why it ended

    @property
    def said(self) -> str:
        """What the model said: its text, or why there is none."""
        return self.text or self.refusal


def choices(body: Any) -> Iterator[Choice]:
    """The answers of a chat completion or of a response, told apart by their shape."""
    if not isinstance(body, dict):
        return
    if isinstance(choices := body.get("choices"), list):
        for choice in choices:
            message = _mapping(_mapping(choice).get("message"))
            end = _text(_mapping(choice).get("finish_reason"))
            yield Choice(_text(message.get("content")), _text(message.get("refusal")), end)
    elif isinstance(output := body.get("output"), list):
        parts = [
            _mapping(part)
            for item in map(_mapping, output)
            if item.get("type") == "message" and isinstance(item.get("content"), list)
            for part in item["content"]
        ]
        yield Choice(
            "".join(_text(part.get("text")) for part in parts),
            "".join(_text(part.get("refusal")) for part in parts),
            _text(_mapping(body.get("incomplete_details")).get("reason")),
        )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
