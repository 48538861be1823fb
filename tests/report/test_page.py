"""The page is one file that loads nothing, and nothing foreign in it becomes more than text."""

import hashlib
import json
import re
from base64 import b64encode
from collections import Counter
from html.parser import HTMLParser

import pytest

from batchrunner.examples import Examples
from batchrunner.report import assets
from batchrunner.report.charts import charts
from batchrunner.report.figures import figures
from batchrunner.report.material import Known
from batchrunner.report.page import embedded, page, whole
from tests.report.made import MODEL, material, slices, usage

VOID = {"meta", "br", "hr", "img", "input", "link"}
HOSTILE = [
    "</script><img src=x onerror=window.pwned=1>",
    "</style><svg onload=window.pwned=1>",
    "--><script>window.pwned=1</script><!--",
    "\" onmouseover=window.pwned=1 x='",
    "{{7*7}}{% raw %}{{ f }}${7*7}",
    "{a|b}{b}{c}\u2028\u2029",
    "\u202e\u2066txt.exe\u2069 \0\x1b[31m\x07",
    "javascript:window.pwned=1",
    "<!--<script>",
    "x" * 10_000,
    "\ud800",
]


class Parsed(HTMLParser):
    """The elements, attributes and texts of a page; what is not balanced raises."""

    def __init__(self, content):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.scripts, self.texts = [], [], [], []
        self.feed(content.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["script"]:
            attrs, text = self.scripts.pop()
            self.scripts.append((attrs, text + data))
        elif self.open[-1:] != ["style"]:
            self.texts.append(data)

    def find(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def data(self):
        (text,) = [text for attrs, text in self.scripts if attrs.get("id") == "data"]
        return json.loads(text)


def full(name=lambda n: f"region{n}", text="a message", count=3):
    """Material of which every part holds something, and its names."""
    regions = {
        name(n): usage(
            60,
            model=name(n),
            throttled={"tokens": 20, name(n): 2},
            errors={"http_503": 9, name(n): 1},
            throttled_s=3.0,
        )
        for n in range(count)
    } | {"openai": usage(40)}
    times = {name_: slices(throttled_s=0.3, resting_s=0.1) for name_ in regions}
    made = material(
        regions,
        times,
        caps={name(n): {4000: 60} for n in range(count)},
        failed=4,
        codes={"content_filter": 3, text: 1},
        answered_by={name(0): {name(0): 9, "b": 1}},
        stop=text,
        warnings=(text,),
        steered=({"at_s": 2.0, "what": text}, {"at_s": 2.1, "what": "paused"}),
        known={each: Known(f"out: {text}", 600.0, 1e6) for each in regions},
        output=text,
        concurrency=16,
    )
    made.stats.examples = Examples(
        {"content_filter": [{"id": name(0), "region": name(0), "message": text}]}
    )
    return made


def shape(parsed):
    """What a page consists of, texts and widths apart."""
    kept = [
        (tag, {k: v for k, v in attrs.items() if k != "style"}) for tag, attrs in parsed.elements
    ]
    return [each for each in kept if each != ("small", {})]


def test_the_page_is_balanced_and_sane_for_people_who_do_not_see_it():
    parsed = Parsed(page(full()))

    assert parsed.find("html") == [{"lang": "en"}]
    ids = [attrs["id"] for _, attrs in parsed.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    named = [attrs["aria-labelledby"] for attrs in parsed.find("section")]
    assert set(named) <= set(ids)
    assert len(parsed.find("h1")) == 1
    assert len(parsed.find("caption")) == len(parsed.find("table"))
    assert all("scope" in attrs for attrs in parsed.find("th"))
    for attrs in parsed.find("div"):
        assert "chart" not in attrs.get("class", "").split() or attrs["aria-label"]


def test_only_our_scripts_may_run_and_nothing_is_loaded():
    parsed = Parsed(page(full()))

    (policy,) = [m["content"] for m in parsed.find("meta") if "http-equiv" in m]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    running = [text for attrs, text in parsed.scripts if "type" not in attrs]
    hashes = [b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in running]
    assert rules == {
        "default-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "style-src": "'unsafe-inline'",
        "script-src": " ".join(f"'sha256-{one}'" for one in hashes),
    }
    assert len(running) == 2
    for tag, attrs in parsed.elements:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "form"}
        assert not {"src", "srcset", "action", "data", "poster"} & set(attrs)
        assert not [name for name in attrs if name.startswith("on")]
        assert attrs.get("href", "#").startswith("#")


def test_no_address_stands_outside_the_library_and_its_licences():
    content = page(full()).decode()
    for own in (assets.asset(assets.SCRIPT), *map(assets.asset, assets.LICENCES)):
        assert own in content
        content = content.replace(own, "")

    assert re.findall(r"https?://\S+|url\(|@import", content) == []


@pytest.mark.parametrize("payload", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_foreign_becomes_an_element_or_an_attribute(payload):
    plain = Parsed(page(full()))
    parsed = Parsed(page(full(lambda n: f"{n}{payload}", payload)))

    assert shape(parsed) == shape(plain)
    assert len(parsed.scripts) == 3
    text = "".join(parsed.texts)
    assert not set(text) & set("\0\x1b\x07\u2028\u2029\u202e\u2066\u2069\ud800")
    assert "x" * 2001 not in text
    if "7*7" in payload:
        assert "{{7*7}}" in text
        assert "49" not in re.findall(r"[^\d](\d+)\$\{", text)


def test_the_name_of_an_option_is_kept_whole_and_what_stands_beside_it_is_escaped():
    assert whole("with --fallback-after <b> or a--b") == (
        'with <span class="whole">--fallback-after</span> &lt;b&gt; or a--b'
    )


@pytest.mark.parametrize("payload", HOSTILE[:-1], ids=range(len(HOSTILE) - 1))
def test_data_of_the_charts_means_the_same_and_ends_no_element(payload):
    text = embedded({payload: [payload]})

    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == {payload: [payload]}


def test_what_is_drawn_is_what_the_figures_say():
    made = full()

    drawn, said = Parsed(page(made)).data, figures(made)

    assert drawn == json.loads(json.dumps(charts(made)))
    tokens = {row["name"]: row for row in drawn["tokens"]}
    for region in said["regions"]:
        row = tokens[region["region"]]
        assert row["fresh"] + row["cached"] == region["tokens"]["prompt"]
        assert row["completion"] == region["tokens"]["completion"]
    widths = [round(sum(one[2] for one in each["latency"])) for each in drawn["regions"]]
    assert widths == [100] * len(drawn["regions"])


def test_every_figure_stands_in_the_page_as_text():
    made = full()

    text = " ".join("".join(Parsed(page(made)).texts).split())

    said = figures(made)
    for sentence in [*said["story"], *(f["remedy"] for f in said["advice"]), *said["warnings"]]:
        assert " ".join(sentence.split()) in text
    for change in said["steered"]:
        assert change["what"] in text
    for region in said["regions"]:
        assert region["region"] in text
        assert f"{region['calls']:,}" in text
    for model in said["models"]:
        assert f"{model['prompt']:,}" in text


@pytest.mark.parametrize(
    "made",
    [
        material({}),
        material({"a": usage(0)}, wall_s=0.0),
        material({"a": usage(3)}),
        material({"a": usage(0, throttled={"tokens": 5})}, {"a": slices(ok=0, throttled_s=1.0)}),
        material({f"r{n}": usage(2) for n in range(64)}, {f"r{n}": slices() for n in range(64)}),
        material({"a": usage(5, model="no such model")}),
    ],
    ids=["nothing", "not begun", "no times", "no answer", "64 regions", "no price"],
)
def test_there_is_a_page_for_every_output(made):
    content = page(made)

    assert "None" not in "".join(Parsed(content).texts).replace("None.", "")
    assert len(content) < 1_000_000


def test_the_library_is_the_one_that_is_named():
    library = assets.asset(assets.SCRIPT)

    assert hashlib.sha256(library.encode()).hexdigest() == assets.SHA256
    assert f'version="{assets.VERSION}"' in library.replace(" ", "") or assets.VERSION in library
    assert "Apache License" in assets.asset("echarts/LICENSE")


def test_a_code_that_was_counted_down_to_nothing_is_not_shown():
    made = material({"a": usage(1)})
    made.stats.codes = Counter({"http_503": 0})

    assert figures(made)["failures"] == []
    assert MODEL in "".join(Parsed(page(made)).texts)
