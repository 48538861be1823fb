"""What to do about a region that does not work: the setting to change, by its name. Pure."""

import re
from collections.abc import Callable

from ..model import Fault, FaultKind, Reply
from ..policy.verdict import Throttled, error_in
from ..targets import Target
from ..terminal import printable
from .place import Place

LONGEST_DETAIL = 300
OVERSIZED = "its limit is smaller than this tiny call: give the deployment more quota"
HINDERED = "allow more open files (ulimit -n), or wait until other programs are done"
FILTERED = "key and deployment are right; look at the content filter of the deployment"
BILLING = "no money is left: add credit, or raise the spend limit of the account"
PAGE = (
    "a proxy, a gateway or a sign-in page stands in the way: correct {endpoint}, or name the "
    "proxy to use with --proxy"
)
PROXY = "name a proxy that lets you through: --proxy, or BATCHRUNNER_PROXY with user and password"
ROLE = (
    "give this identity the role Cognitive Services OpenAI User on the resource (Owner is not "
    "enough), and wait five minutes"
)
NO_MODEL = "nobody says which model to ask for"
MISSING_MODEL = "name a model with --model or BATCHRUNNER_MODEL"
_AGAIN = "nothing to set: try again in a minute, and look at the status page of the service"
_UNKNOWN_HOST = re.compile(
    r"DNSError|getaddrinfo|Name or service not known|nodename nor", re.IGNORECASE
)
_NOISE = re.compile(r"^\w+Error: (Cannot connect to host )?|ssl:default ")
_NO_DEPLOYMENT = frozenset({"DeploymentNotFound", "model_not_found"})


def missing_model(place: Place) -> str:
    """No model is named for a region."""
    if place.target.is_fallback:
        return MISSING_MODEL
    return f"{MISSING_MODEL}, or set {place.name('deployment')}"


def throttled(verdict: Throttled) -> str:
    """A region that works, and has no room now."""
    wait = "" if verdict.wait is None else f", in {verdict.wait:.0f} s"
    return f"key and deployment are right; ask again{wait}"


def other_model(place: Place) -> str:
    """Another model answers than the name promises."""
    if place.target.is_fallback:
        return "name the model that you mean with --model"
    return f"correct {place.name('deployment')}, or accept that the deployment holds it"


def other_use(place: Place) -> str:
    """A deployment for something else."""
    return f"choose another --endpoint, or a deployment for it: {place.name('deployment')}"


def refused(place: Place) -> str:
    """The key is right, and such a request is not taken."""
    if place.target.is_fallback:
        return "the key is right; correct --model or --endpoint"
    return (
        f"the key is right; correct {place.name('deployment')}, {place.name('api_version')} or "
        "--endpoint"
    )


def fault_reason(fault: Fault) -> str:
    """Why there is no reply, in words."""
    detail = printable(fault.detail)[:LONGEST_DETAIL]
    if fault.kind is FaultKind.TLS:
        return detail.rpartition(": ")[0] or detail
    if fault.kind is FaultKind.TIMEOUT:
        return detail if detail.startswith("no ") else "no answer in time"
    if fault.kind is FaultKind.CONNECT and _UNKNOWN_HOST.search(detail):
        return "no host has this name"
    detail = _NOISE.sub("", detail)
    return f"{_FAULTS[fault.kind]}: {detail}" if detail else _FAULTS[fault.kind]


_FAULTS = {
    FaultKind.CONNECT: "no connection",
    FaultKind.RESET: "the connection broke off",
    FaultKind.PROTOCOL: "what came back is no HTTP",
    FaultKind.LOCAL: "this machine is at its limits",
}


def is_page(reply: Reply) -> bool:
    """Whether a reply is for browsers."""
    is_html = reply.headers.get("content-type", "").lower().startswith("text/html")
    return is_html or reply.body.lstrip()[:9].lower().startswith((b"<!doctype", b"<html"))


def of(outcome: Reply | Fault, place: Place) -> str:
    """What to do about a region that failed or will not serve us."""
    if isinstance(outcome, Fault):
        return _of_fault(outcome, place)
    if is_page(outcome):
        return PAGE.format(endpoint=place.name("endpoint"))
    if outcome.status in _OF_STATUS:
        return _OF_STATUS[outcome.status](outcome, place)
    if outcome.status < 400:
        return f"correct {place.name('endpoint')}: {_form(place.target)}"
    return _AGAIN


def _of_fault(fault: Fault, place: Place) -> str:
    endpoint = place.name("endpoint")
    match fault.kind:
        case FaultKind.TLS:
            return fault.detail.rpartition(": ")[2]
        case FaultKind.TIMEOUT:
            if place.target.auth == "entra" and fault.detail.startswith("no token"):
                return _SIGN_IN
            return (
                f"give it longer (--timeout, now {place.timeout:g} s); if that does not help, a "
                f"firewall drops what is sent: correct {endpoint}, or use --proxy"
            )
        case FaultKind.CONNECT:
            return _unconnected(fault, place)
        case FaultKind.PROTOCOL:
            return f"correct scheme, host and port of {endpoint}"
        case FaultKind.RESET | FaultKind.LOCAL:
            return f"try again; if it stays, a firewall or a proxy is in the way of {endpoint}"


_SIGN_IN = "sign in (az login), or give this machine a managed identity"


def _unconnected(fault: Fault, place: Place) -> str:
    endpoint = place.name("endpoint")
    if "no request could be prepared" in fault.detail and place.target.auth == "entra":
        return _SIGN_IN
    if "proxy" in fault.detail:
        return PROXY
    if _UNKNOWN_HOST.search(fault.detail):
        return f"correct the host in {endpoint}; for a private one, join its network"
    return f"correct host and port in {endpoint}, or let it through the firewall"


def _unauthorised(reply: Reply, place: Place) -> str:
    if error_in(reply).code == "PermissionDenied":
        return ROLE
    if place.target.auth == "entra":
        return f"{_SIGN_IN}, in the tenant of the resource; else set {place.name('auth')}=key"
    if place.target.is_fallback:
        return f"put a valid key of an OpenAI project into {place.name('key')}"
    return (
        f"put a key of the resource that {place.name('endpoint')} names into {place.name('key')}"
    )


def _forbidden(reply: Reply, place: Place) -> str:
    said = error_in(reply)
    words = f"{said.code} {said.message}".lower()
    if "authenticationtypedisabled" in words or "key based authentication" in words:
        return f"this resource takes no keys: set {place.name('auth')}=entra"
    if "firewall" in words or "virtual network" in words:
        return "let this machine's address in: Networking of the resource; or join its network"
    if "blocked" in words:
        return "the resource is suspended: ask the support of Azure"
    if "permissiondenied" in words:
        return ROLE
    if place.target.is_fallback:
        return "OpenAI does not serve this account from here: look at the account's settings"
    return f"see whether {place.name('key')} may use this resource, and its Networking settings"


def _not_found(reply: Reply, place: Place) -> str:
    is_known = error_in(reply).code in _NO_DEPLOYMENT
    if is_known and place.target.is_fallback:
        return "name a model that this account may use: --model"
    if is_known:
        return (
            f"set {place.name('deployment')} to the name of a deployment of this resource; a new "
            "one needs five minutes"
        )
    version = "" if place.target.speaks_v1 else f"; {place.name('api_version')} must exist"
    return f"correct {place.name('endpoint')}: {_form(place.target)}{version}"


def _form(target: Target) -> str:
    if target.is_fallback:
        return "it ends in /v1"
    if target.speaks_v1:
        return "it ends in /openai/v1/, and the resource must know that form"
    return "it ends with the host"


_OF_STATUS: dict[int, Callable[[Reply, Place], str]] = {
    401: _unauthorised,
    403: _forbidden,
    404: _not_found,
    429: lambda _, __: BILLING,
}
