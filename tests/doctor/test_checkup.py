"""What the doctor found, as people see it: on a terminal and elsewhere, whatever is in it."""

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.doctor.caution import Caution, Code
from batchrunner.doctor.findings import Findings
from batchrunner.model import Reply
from batchrunner.views.checkup import plain, show, verdict
from tests.doctor.clinic import LIMITS, answer, error, examined, place
from tests.doctor.clinic import plain as openai
from tests.test_terminal import ESCAPES, Screen

FINE = examined(place("eastus"), answer())
SICK = examined(place("westus", number=2), error(401, "Access denied"))
HINT = Caution(Code.PROXY, ("HTTPS_PROXY",), "HTTPS_PROXY is ignored", "name it with --proxy")


def printed(findings, *, is_terminal=True):
    screen = Screen(is_terminal=is_terminal)
    show(findings, screen)
    return screen.getvalue()


def test_a_terminal_gets_a_table_with_what_is_wrong_below_it(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    shown = printed(Findings([FINE, SICK], [HINT]))
    table, _, below = shown.partition("westus: ")
    rest = f"westus: {below}".split("\n\n")

    assert [line.split()[:2] for line in table.split("\n") if "us " in line] == [
        ["eastus", "ok"],
        ["westus", "FAILED"],
    ]
    assert rest[0].startswith("westus: FAILED: 401 Access denied\n  -> put a key of the resource")
    assert rest[1] == "warning: HTTPS_PROXY is ignored\n  -> name it with --proxy"
    assert rest[2] == "1 of 2 regions FAILED; 2 calls, 56 tokens, 0.000011 USD\n"


def test_elsewhere_each_region_is_a_block_without_colours():
    shown = printed(Findings([FINE, SICK], [HINT]), is_terminal=False)

    assert shown == "\n".join(plain(Findings([FINE, SICK], [HINT]))) + "\n"
    assert shown.startswith(
        "eastus: ok\n"
        "  gpt-4o-mini at eastus.openai.azure.com, api-version 2024-10-21, by key\n"
        "  gpt-4o-mini-2024-07-18 answered in 500ms\n"
        "  JSON schema: yes\n"
        "  limits: 600 requests, 60,000 tokens a minute; 99 and 59,700 left in this\n"
        "    window\n"
        "\n"
    )


def test_headers_that_are_of_no_use_are_named():
    headers = {**LIMITS, "x-ratelimit-remaining-tokens": "-1", "x-ratelimit-reset-tokens": "soon"}
    del headers["x-ratelimit-limit-requests"]
    lines = " ".join(
        " ".join(plain(Findings([examined(place(), answer(headers=headers))]))).split()
    )

    assert "limit-requests absent" in lines
    assert "remaining-tokens unusable (-1)" in lines
    assert "reset-tokens unusable (soon)" in lines
    assert "renewalperiod-tokens" not in lines  # OpenAI never sends it


def test_limits_are_told_where_there_are_any():
    every = {**LIMITS, "x-ratelimit-renewalperiod-tokens": "60"}
    told, silent = (
        "\n".join(plain(Findings([examined(place(), answer(headers=headers))])))
        for headers in (every, {})
    )

    assert "limits: 600 requests, 60,000 tokens a minute" in told
    assert "limits: " not in silent
    assert "no limits advertised" in silent


def test_below_the_table_stands_what_only_a_failing_region_wants_said(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    useless = examined(place(), answer(headers={**LIMITS, "x-ratelimit-remaining-tokens": "-1"}))
    plainly = examined(place(), error(400, "response_format"), answer("ok"))

    assert "remaining-tokens unusable (-1)" in printed(Findings([useless]))
    assert "JSON schema: no (response_format)" in printed(Findings([plainly]))
    assert "gpt-4o-mini at westus.openai.azure.com, api-version" in printed(Findings([SICK]))
    assert "azure.com" not in printed(Findings([FINE]))


VERDICTS = {
    "every region works (2); 2 calls, 112 tokens, 0.000022 USD": [FINE, FINE],
    "the region works; 1 call, 56 tokens, 0.000011 USD": [FINE],
    "1 of 2 regions FAILED; 2 calls, 56 tokens, 0.000011 USD": [FINE, SICK],
    "no region works (1 region); 1 call, 0 tokens": [SICK],
    "no region works (2 regions); 2 calls, 0 tokens": [SICK, SICK],
    "the region works; 1 call, 56 tokens": [examined(openai("m"), answer(model="m"))],
}


@pytest.mark.parametrize("said", VERDICTS)
def test_the_last_line_is_the_verdict_and_what_it_cost(said):
    assert verdict(Findings(VERDICTS[said])) == said


@pytest.mark.parametrize("columns", ["20", "40", "80", "200"])
def test_every_width_has_room_for_every_region(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TERM", "dumb")
    many = [replace(FINE, name=f"a-very-long-name-of-a-region-{n}-{'x' * 30}") for n in range(64)]
    shown = printed(Findings([*many, SICK]))

    assert "FAILED" in shown
    assert max(map(len, shown.splitlines())) <= max(80, int(columns))


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("is_terminal", [False, True], ids=["file", "terminal"])
def test_no_text_of_others_steers_the_terminal(name, is_terminal):
    bad = ESCAPES[name]
    findings = Findings(
        [
            replace(FINE, name=bad, deployment=bad, host=bad, region=bad, signs=(bad,)),
            replace(SICK, reason=bad, remedy=bad),
            examined(place(model=bad), answer(model=bad, headers={"x-ms-region": bad})),
        ],
        [Caution(Code.PROXY, (bad,), bad, bad)],
    )
    shown = printed(findings, is_terminal=is_terminal)

    assert bad not in shown
    for mark in ("\x1b]", "\x9b", "\x9d", "\u202e", "\u2028", "\x07", "\b", "\x7f", "\x85"):
        assert mark not in shown


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "content", "error", "usage", "model", "code"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
HEADERS = st.dictionaries(
    st.sampled_from([*LIMITS, "x-ms-region", "x-ms-spillover-x", "content-type", "retry-after"]),
    st.text(st.characters(exclude_categories=[]), max_size=12),  # aiohttp keeps bad bytes so
)


@given(
    st.integers(100, 599),
    st.binary(max_size=40) | JSON.map(orjson.dumps),
    HEADERS,
    st.sampled_from([place(), openai(), place(auth="entra", key=None)]),
)
def test_whatever_comes_back_can_be_told(status, body, headers, where):
    found = Findings([examined(where, Reply(status, headers, body), answer())])

    assert plain(found)
    assert (
        orjson.loads(orjson.dumps(found.as_json()))["regions"][0]["name"] == found.regions[0].name
    )
    assert found.regions[0].works or found.regions[0].remedy
