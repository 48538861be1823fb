"""What every reply means to whoever configured the region, and the setting that it names."""

import pytest

from batchrunner.doctor.diagnosis import is_same_model
from batchrunner.doctor.examination import Mark, unasked
from batchrunner.model import EMBEDDINGS, RESPONSES, Fault, FaultKind, Reply
from tests.doctor.clinic import answer, error, examined, place, plain, reply, target

DNS = "ClientConnectorDNSError: Cannot connect to host x:443 ssl:default [Name or service …]"
REFUSED = "ClientConnectorError: Cannot connect to host x:1 ssl:default [Connect call failed]"
UNTRUSTED = (
    "its certificate is not trusted (self-signed certificate): correct the endpoint, or name the "
    "authority that signs it with --ca-file"
)
PAGE = b"<html><head><title>Sign in</title></head></html>"
ENTRA = {"auth": "entra", "key": None}
FLAT = {"statusCode": 401, "message": "Unauthorized. Access token is missing, invalid, audience"}
V1 = {"endpoint": "https://eastus.openai.azure.com/openai/v1/"}

#: what came back, the region's settings, the mark, words of the reason, words of the remedy
CASES = {
    "wrong key": (
        error(401, "Access denied due to invalid subscription key", "401"),
        {},
        ("barred", "401 Access denied", "AZURE_OPENAI_API_KEY_1"),
    ),
    "role": (
        error(401, "The principal lacks the required data action", "PermissionDenied"),
        ENTRA,
        ("barred", "lacks the required", "role Cognitive Services OpenAI User"),
    ),
    "token": (reply(401, FLAT), ENTRA, ("barred", "Access token is missing", "az login")),
    "token offered, key wanted": (
        reply(401, FLAT),
        ENTRA,
        ("barred", "", "AZURE_OPENAI_AUTH_1=key"),
    ),
    "keys off": (
        error(403, "Key based authentication is disabled.", "AuthenticationTypeDisabled"),
        {},
        ("barred", "403 Key based", "AZURE_OPENAI_AUTH_1=entra"),
    ),
    "firewall": (
        error(403, "Access denied due to Virtual Network/Firewall rules.", "403"),
        {},
        ("barred", "Firewall", "Networking"),
    ),
    "suspended": (
        error(403, "The resource has been temporarily blocked.", "403"),
        {},
        ("barred", "blocked", "support"),
    ),
    "some other 403": (error(403, "No."), {}, ("barred", "403 No.", "AZURE_OPENAI_API_KEY_1")),
    "no deployment": (
        error(404, "The API deployment for this resource does not exist.", "DeploymentNotFound"),
        {},
        ("barred", "404 The API deployment", "set AZURE_OPENAI_DEPLOYMENT_1"),
    ),
    "no route": (
        error(404, "Resource not found", "404"),
        {},
        ("barred", "404 Resource not found", "AZURE_OPENAI_API_VERSION_1 must exist"),
    ),
    "no route of the v1 form": (
        error(404, "Resource not found", "404"),
        V1,
        ("barred", "404", "it ends in /openai/v1/"),
    ),
    "unknown host": (
        Fault(FaultKind.CONNECT, DNS),
        {},
        ("connect", "no host has this name", "the host in AZURE_OPENAI_ENDPOINT_1"),
    ),
    "refused": (
        Fault(FaultKind.CONNECT, REFUSED),
        {},
        ("connect", "no connection: x:1 [Connect", "host and port in AZURE_OPENAI_ENDPOINT_1"),
    ),
    "refused, with Entra ID": (
        Fault(FaultKind.CONNECT, REFUSED),
        ENTRA,
        ("connect", "no connection", "host and port in AZURE_OPENAI_ENDPOINT_1"),
    ),
    "no request": (
        Fault(FaultKind.CONNECT, "no request could be prepared: ValueError"),
        {},
        ("connect", "no request could be prepared: ValueError", "AZURE_OPENAI_ENDPOINT_1"),
    ),
    "TLS without a remedy": (Fault(FaultKind.TLS, "odd"), {}, ("barred", "odd", "odd")),
    "a proxy that refuses": (
        Fault(FaultKind.CONNECT, "the proxy answers 407"),
        {},
        ("connect", "the proxy answers 407", "BATCHRUNNER_PROXY"),
    ),
    "a proxy that refuses, in its own words": (
        Reply(407, {}, b"sign in first"),
        {},
        ("refused", "407", "BATCHRUNNER_PROXY"),
    ),
    "nobody is signed in": (
        Fault(FaultKind.CONNECT, "no request could be prepared: ClientAuthenticationError"),
        ENTRA,
        ("connect", "no request could be prepared", "az login"),
    ),
    "no token in time": (
        Fault(FaultKind.TIMEOUT, "no token in time"),
        ENTRA,
        ("timeout", "no token in time", "az login"),
    ),
    "certificate": (
        Fault(FaultKind.TLS, UNTRUSTED),
        {},
        ("barred", "not trusted (self-signed certificate)", "--ca-file"),
    ),
    "timeout": (Fault(FaultKind.TIMEOUT, ""), {}, ("timeout", "no answer", "--timeout, now 20 s")),
    "reset": (
        Fault(FaultKind.RESET, "ServerDisconnectedError: Server disconnected"),
        {},
        ("reset", "broke off: Server disconnected", "try again"),
    ),
    "no HTTP": (
        Fault(FaultKind.PROTOCOL, "HttpProcessingError: Bad status line"),
        {},
        ("protocol", "no HTTP", "scheme, host and port of AZURE_OPENAI_ENDPOINT_1"),
    ),
    "out of files": (Fault(FaultKind.LOCAL, "too many open files"), {}, ("local", "", "ulimit")),
    "503": (error(503, "Please try again later."), {}, ("http_503", "503 Please", "try again")),
    "500 without a body": (reply(500, b""), {}, ("http_500", "500 (empty)", "try again")),
    "408": (error(408, "The operation was timeout.", "Timeout"), {}, ("http_408", "408", "again")),
    "200 with a page": (
        reply(200, PAGE, content_type="text/html"),
        {},
        ("bad_payload", "a web page called 'Sign in'", "--proxy"),
    ),
    "403 with a page": (reply(403, PAGE), {}, ("barred", "403, and a web page", "--proxy")),
    "502 with a page": (reply(502, b"<!DOCTYPE html>"), {}, ("http_502", "web page", "proxy")),
    "half a JSON": (
        reply(200, b'{"choices":[{"me'),
        {},
        ("bad_payload", "holds no answer", "correct AZURE_OPENAI_ENDPOINT_1"),
    ),
    "null": (reply(200, None), {}, ("bad_payload", "holds no answer", "AZURE_OPENAI_ENDPOINT_1")),
    "204": (reply(204, b""), {}, ("http_204", "204 (empty)", "AZURE_OPENAI_ENDPOINT_1")),
    "a redirect": (
        reply(302, b"", location="https://login.example/?k=1"),
        {},
        ("barred", "302, a redirect", "it ends with the host"),
    ),
    "a redirect to a page": (
        reply(302, PAGE, content_type="text/html; charset=utf-8"),
        {},
        ("barred", "302, a redirect", "a sign-in page stands in the way"),
    ),
    "too large for it": (
        error(429, "Please retry after 86400 seconds.", "429"),
        {},
        ("oversized", "86400", "more quota"),
    ),
    "for something else": (
        error(400, "The chatCompletion operation does not work", "OperationNotSupported"),
        {},
        ("refused", "does not work", "--endpoint"),
    ),
    "some other 400": (error(400, "Bad.", "x"), {}, ("refused", "400 Bad.", "the key is right")),
}


@pytest.mark.parametrize("name", CASES)
def test_a_region_that_fails_says_why_and_which_setting_to_change(name):
    outcome, settings, (kind, reason, remedy) = CASES[name]
    found = examined(place(**settings), outcome)

    assert found.mark is Mark.FAILED
    assert (found.works, found.outcome) == (False, kind)
    assert reason in found.reason
    assert remedy in found.remedy


#: the same of plain OpenAI
PLAIN = {
    "wrong key": (
        error(401, "Incorrect API key provided: sk-ab**cd.", "invalid_api_key"),
        "API_KEY",
    ),
    "no such model": (error(404, "The model `x` does not exist", "model_not_found"), "--model"),
    "wrong URL": (error(404, "Invalid URL"), "OPENAI_BASE_URL: it ends in /v1"),
    "country": (error(403, "Country not supported"), "OpenAI does not serve"),
    "no money": (error(429, "You exceeded", "insufficient_quota"), "add credit"),
    "a bad request": (error(400, "Bad."), "correct --model or --endpoint"),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_openai_has_remedies_of_its_own(name):
    outcome, remedy = PLAIN[name]
    found = examined(plain(), outcome)

    assert found.mark is Mark.FAILED
    assert remedy in found.remedy
    assert "AZURE" not in found.remedy
    assert "sk-ab" not in found.reason


WARNED = {
    "throttled": (
        error(429, "have exceeded the token rate limit. Please retry after 60 seconds."),
        ("throttled", "it throttles (tokens)", "ask again, in 60 s"),
    ),
    "short of machines": (
        error(429, "experiencing high demand"),
        ("throttled", "(capacity)", "in 20 s"),
    ),
    "throttled without a word": (reply(429, b""), ("throttled", "(other)", "ask again")),
    "filtered": (
        error(400, "The response was filtered", "content_filter"),
        ("refused", "400 The response was filtered", "content filter of the deployment"),
    ),
    "another model": (
        answer(model="gpt-35-turbo-0125"),
        ("ok", "asked for gpt-4o-mini, it answered with gpt-35", "AZURE_OPENAI_DEPLOYMENT_1"),
    ),
}


@pytest.mark.parametrize("name", WARNED)
def test_a_region_whose_key_and_deployment_are_right_works_with_a_warning(name):
    outcome, (kind, reason, remedy) = WARNED[name]
    found = examined(place(), outcome)

    assert found.mark is Mark.WARNING
    assert (found.works, found.outcome) == (True, kind)
    assert reason in found.reason
    assert remedy in found.remedy


def test_a_region_that_answers_is_ok_and_tells_what_there_is_to_know():
    found = examined(place(deployment="prod"), answer())

    assert found.mark is Mark.OK
    assert (found.reason, found.remedy) == ("", "")
    assert (found.host, found.deployment, found.api_version) == (
        "eastus.openai.azure.com",
        "prod",
        "2024-10-21",
    )
    assert (found.model, found.status, found.seconds, found.calls) == (
        "gpt-4o-mini-2024-07-18",
        200,
        0.5,
        1,
    )
    assert found.schema.support == "yes"
    assert found.region is None  # it does not say


def test_a_region_for_which_no_model_is_named_is_not_asked():
    nameless = place(model=None)
    found = unasked(nameless)

    assert nameless.called is None
    assert (found.works, found.calls, found.status) == (False, 0, None)
    assert found.remedy.endswith("BATCHRUNNER_MODEL, or set AZURE_OPENAI_DEPLOYMENT_1")
    assert unasked(plain(None)).remedy.endswith("BATCHRUNNER_MODEL")


def test_a_version_without_responses_is_told_with_the_remedy_of_the_judge():
    message = "Azure OpenAI Responses API is enabled only for api-version 2025-03-01-preview"
    found = examined(place(path=RESPONSES), error(400, message, "BadRequest"))

    assert found.reason == f"400 {message}"
    assert found.remedy.startswith("a dated Azure endpoint answers /responses from")
    assert not found.remedy.endswith(")")


def test_embeddings_have_no_schema():
    body = {"model": "text-embedding-3-small", "data": [{"embedding": [0.1]}], "usage": {}}
    found = examined(place(path=EMBEDDINGS, model="text-embedding-3-small"), reply(200, body))

    assert found.mark is Mark.OK
    assert (found.schema.support, found.schema.why) == ("unknown", "embeddings have none")


MODELS = [
    ("gpt-4o", "gpt-4o-2024-08-06", True),
    ("gpt-4o", "gpt-4o", True),
    ("gpt-35-turbo", "gpt-3.5-turbo-0125", True),
    ("gpt-4o", "gpt-4o-mini-2024-07-18", False),
    ("gpt-4o-mini", "gpt-4o-2024-08-06", False),
    ("o3", "o3-mini-2025-01-31", False),
    ("text-embedding-3-small", "text-embedding-3-large", False),
    ("prod", "gpt-4o-2024-08-06", True),  # any name is a deployment's
    ("our-gpt-4o", "gpt-4.1-2025-04-14", True),
    ("gpt-4o", "", True),
]


@pytest.mark.parametrize(("asked", "answered", "is_same"), MODELS)
def test_a_name_like_a_model_promises_that_model(asked, answered, is_same):
    assert is_same_model(asked, answered) is is_same


def test_what_a_service_says_cannot_steer_the_terminal_nor_be_endless():
    outcome = error(503, "\x1b]0;owned\x07" + "x" * 100_000)
    page = reply(502, b"<html><title>\x1b[2J evil</title>")
    region = answer(headers={"x-ms-region": "\x1b[31mEast" * 40})

    for found in (examined(place(), one) for one in (outcome, page, region)):
        shown = f"{found.reason}{found.remedy}{found.region}{found.signs}"
        assert "\x1b" not in shown
        assert len(shown) < 1000


def test_no_examination_holds_a_key():
    found = examined(place(), answer())

    assert "0123456789abcdef" not in repr(found) + repr(target())
