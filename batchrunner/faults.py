"""What went wrong when there is no reply: exceptions -> faults.

The whole chain of causes is looked at, because what aiohttp raises says little of it. A machine at
its own limits must not blame a region, and a region that cannot be believed is not worth a retry.
"""

import errno
import os
import socket
import ssl
from collections.abc import Iterator

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from .model import Fault, FaultKind

#: what an exception of aiohttp stands for; the first family that it belongs to
_KINDS: tuple[tuple[type[Exception], FaultKind], ...] = (
    (TimeoutError, FaultKind.TIMEOUT),
    (aiohttp.ClientConnectorError, FaultKind.CONNECT),
    (HttpProcessingError, FaultKind.PROTOCOL),
    (aiohttp.ClientResponseError, FaultKind.PROTOCOL),  # of a proxy
    (OSError, FaultKind.RESET),
    (aiohttp.ClientConnectionError, FaultKind.RESET),
    (aiohttp.ClientPayloadError, FaultKind.RESET),
    (ValueError, FaultKind.PROTOCOL),
)
#: what OpenSSL says when no retry helps: nobody trusted is there, or no TLS is spoken
_NO_TLS = {
    "WRONG_VERSION_NUMBER",
    "PACKET_LENGTH_TOO_LONG",
    "RECORD_LAYER_FAILURE",
    "HTTP_REQUEST",
    "UNSUPPORTED_PROTOCOL",
    "TLSV1_ALERT_PROTOCOL_VERSION",
}
_OUT_OF_FILES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.EADDRNOTAVAIL}


def fault_of(error: Exception) -> Fault:
    """Which fault an exception of aiohttp stands for."""
    said = error.message if isinstance(error, HttpProcessingError) else str(error)
    detail = f"{type(error).__name__}: {' '.join(said.split())}".removesuffix(": ")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return Fault(FaultKind.CONNECT, f"the proxy answers {error.status}")
    causes = list(_causes(error))
    if any(_is_local(cause) for cause in causes):
        return Fault(FaultKind.LOCAL, detail)
    for cause in causes:
        if isinstance(cause, ssl.SSLError) and (reason := _distrust(cause)):
            return Fault(FaultKind.TLS, reason)
    kinds = (kind for family, kind in _KINDS if isinstance(error, family))
    return Fault(next(kinds, FaultKind.RESET), detail)


def release(error: BaseException) -> None:
    """Let go of what the frames of an error hold, the body of its request among it.

    Some of them hold the error too; such a circle lives until the garbage collector finds it.
    """
    for cause in _causes(error):
        cause.__traceback__ = None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """A whole chain of causes, from the last to the first."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_local(error: BaseException) -> bool:
    """Whether this machine is at its own limits."""
    if isinstance(error, socket.gaierror):  # it cannot tell an unknown name from a missing file
        return _are_files_used_up()
    return isinstance(error, OSError) and error.errno in _OUT_OF_FILES


def _are_files_used_up() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return error.errno in _OUT_OF_FILES
    return False


def _distrust(error: ssl.SSLError) -> str | None:
    """Why a region cannot be believed, however often it is asked; None for other TLS errors.

    The errors of aiohttp belong to these families too, but know nothing: their causes do.
    """
    if why := getattr(error, "verify_message", ""):
        return (
            f"its certificate is not trusted ({why}): correct the endpoint, or name the authority "
            "that signs it with --ca-file"
        )
    if getattr(error, "reason", None) in _NO_TLS:
        return "it does not speak TLS 1.2 or later: correct scheme and port of endpoint or proxy"
    return None
