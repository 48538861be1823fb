"""The operations, each with how it is read and how its answer is written."""

from collections.abc import Callable
from typing import Any

import orjson

from . import chat, embeddings, responses
from .completion import Written
from .dialect import Json
from .order import Complaint, Operation, Order

_READ: dict[Operation, Callable[[dict[str, Any]], Order | Complaint]] = {
    Operation.CHAT: chat.read,
    Operation.RESPONSES: responses.read,
    Operation.EMBEDDINGS: embeddings.read,
}
_BODY: dict[Operation, Callable[[Written], Json]] = {
    Operation.CHAT: chat.body,
    Operation.RESPONSES: responses.body,
    Operation.EMBEDDINGS: embeddings.body,
}


def read(body: bytes, operation: Operation) -> Order | Complaint:
    """The order that a request body makes, or what is wrong with it."""
    try:
        table = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Complaint(
            "We could not parse the JSON body of your request. (HINT: This likely means you "
            "aren't using your HTTP library correctly. The API expects a JSON payload, but what "
            "was sent was not valid JSON.)"
        )
    if not isinstance(table, dict):
        return Complaint("Invalid type for request body: expected an object.")
    return _READ[operation](table)


def write(written: Written) -> Json:
    """The body of an answer, in the shape of its operation."""
    return _BODY[written.order.operation](written)
