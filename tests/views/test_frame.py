"""The live screen: whatever its size and whatever happens, it fits and says what matters."""

import io
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from batchrunner.eta import Remaining
from batchrunner.problems import Problem
from batchrunner.summary import Bounds
from batchrunner.timeline import Slice, Timeline
from batchrunner.views.gauge import Snapshot
from batchrunner.views.live.cells import fit, gauge, short, spark
from batchrunner.views.live.frame import frame
from batchrunner.views.live.head import throughput
from tests.views.builders import progress, sick, status, usage

WIDTHS = (40, 80, 120, 200)
PROBLEMS = (
    Problem(1, 1, "out", "swedencentral out: 401 Access denied", "swedencentral"),
    Problem(42, 290, "throttled", "westeurope throttled 9 times, last for 12 s", "westeurope", 9),
    Problem(262, 262, "back", "eastus answers again", "eastus"),
)
HOSTILE = (
    "🙂" * 30,
    "שלום עולם",
    "e\x1b[2J\x07",
    "a\tb\nc",
    "日本" * 20,
    "e\u0301\u200d\ufe0f",
    "",
)


def snapshot(run=None, **given):
    known = {"now": 131.2, "remaining": Remaining(160, 184, 231), "costs": {"eastus": 4.12}}
    return Snapshot(progress=run or sick(), **(known | {"problems": PROBLEMS} | given))


def shown(snap, width, height=24, **options):
    """The screen as a terminal of that width prints it."""
    console = Console(width=width, file=io.StringIO(), **options)
    for line in frame(snap, width - 1, height):
        console.print(line, no_wrap=True, overflow="crop")
    return console.file.getvalue()


def widest(text):
    return max((cell_len(line) for line in text.splitlines()), default=0)


def crowd(count):
    names = [f"region-{number:02d}" for number in range(count)]
    usages = {name: usage(number * 10) for number, name in enumerate(names)}
    return progress([status(name) for name in names], usages, total=90_000)


def test_a_run_is_shown_with_all_that_is_known_of_it():
    text = shown(snapshot(), 110)

    for part in (
        "62.4 %  31,200 of 50,000 jobs",
        "3m04s left          2m40s to 3m51s          5m12s so far",
        "131.2/s now         100.0/s on average",
        "4.12 USD            about 6.6 USD in all",
        "9.7M                about 15.5M in all      3.22M in prompts, 6.45M in answers",
        "31,188 answered     12 failed               118 wait for a region",
        "westeurope     ◐ throttled 12s        0/ 32  ━━━━━ 100%   9,120     214       0",
        "eastus         ● open                41/ 64  ━━━──  56%  20,512       3       2",
        "swedencentral  ✕ out                  0/  3  -                0       0       3",
        "   0:01  swedencentral out: 401 Access denied",
        "   0:42  westeurope throttled 9 times, last for 12 s, until 4:50",
    ):
        assert part in text


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("regions", [0, 1, 5, 64])
@pytest.mark.parametrize("height", [0, 1, 2, 3, 5, 8, 14, 29, 200])
def test_it_is_never_larger_than_its_room(width, regions, height):
    lines = shown(snapshot(crowd(regions)), width, height)

    assert len(lines.splitlines()) <= height
    assert widest(lines) < width


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 220),
    st.integers(0, 60),
    st.lists(st.text(max_size=50), max_size=12),
    st.text(max_size=300),
    st.floats(0, 1e7),
)
def test_no_text_and_no_number_makes_it_larger(width, height, names, text, number):
    regions = [
        status(name, "out", reason=text, use=number, opens_in=number, limit=int(number) or 1)
        for name in dict.fromkeys(names)
    ]
    run = progress(regions, {n: usage(int(number)) for n in names}, wall_s=number, note=text)
    problems = (Problem(number, number, "note", text.replace("\n", " ")),)
    lines = frame(snapshot(run, problems=problems, now=number), width, height)

    assert len(lines) <= height
    assert all(line.cell_len <= width for line in lines)
    assert all(line.plain.isprintable() for line in lines)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_strange_name_moves_no_column(name, width):
    regions = [status(name), status("eastus")]
    lines = shown(snapshot(progress(regions), problems=()), width).splitlines()
    rows = [line for line in lines if "● open" in line]
    places = {cell_len(row[: row.index("●")]) for row in rows}

    assert len(rows) == 2
    assert len(places) == 1


def test_on_a_narrow_screen_the_least_important_columns_are_left_out():
    heads = {}
    for width in (200, 80, 60, 40, 20):
        lines = shown(snapshot(), width).splitlines()
        heads[width] = next((line for line in lines if line.startswith("region")), "").split("  ")
        heads[width] = [title.strip() for title in heads[width] if title.strip()]

    assert heads[200] == [
        "region",
        "state",
        "in flight",
        "quota used",
        "ok",
        "429s",
        "errors",
        "USD",
        "p50",
        "p95",
    ]
    assert heads[80] == ["region", "state", "in flight", "quota used", "ok", "429s", "errors"]
    assert heads[60] == ["region", "state", "in flight", "ok", "429s"]
    assert heads[40] == ["region", "state", "ok"]
    assert heads[20] == ["region"]


def test_of_many_regions_the_busiest_are_shown_in_the_order_of_the_configuration():
    lines = shown(snapshot(crowd(64), problems=()), 100, 20).splitlines()
    names = [line.split()[0] for line in lines if line.startswith("region-")]

    assert names == [f"region-{number}" for number in range(64 - len(names), 64)]
    assert len(names) >= 10
    assert f"+{64 - len(names)} more: {64 - len(names)} open" in lines


def test_a_tiny_screen_still_says_how_far_and_how_long():
    text = shown(snapshot(), 40, 2)

    assert "62.4 %" in text
    assert "3m04s left" in text


def test_why_a_region_is_out_is_said_where_no_problem_says_it():
    reason = "✕ swedencentral: 401 Access denied due"

    assert reason not in shown(snapshot(), 100)
    assert reason in shown(snapshot(problems=()), 100)
    assert reason in shown(snapshot(problems=(*PROBLEMS[1:],)), 100)


def test_colours_are_only_an_addition(monkeypatch):
    coloured = shown(snapshot(), 100, force_terminal=True, color_system="truecolor")
    monkeypatch.setenv("NO_COLOR", "1")
    plain = shown(snapshot(), 100, force_terminal=True, color_system="truecolor")

    assert "\x1b[32m" in coloured
    assert "\x1b[3" not in plain
    for word in ("open", "throttled", "resting", "out"):
        assert word in plain


def test_numbers_that_grow_move_nothing():
    """From one look to the next the columns stand where they stood."""

    def places(seconds, **given):
        region = status(opens_in=seconds, state="throttled", **given)
        lines = shown(snapshot(progress([region], {"eastus": usage(int(seconds))})), 100)
        row = next(line for line in lines.splitlines() if line.startswith("eastus"))
        return [row.index(mark) for mark in ("◐", "/", "━", "%")]

    assert places(1, in_flight=1, use=0.08) == places(599, in_flight=64, use=1.0)


def test_before_anything_is_known_it_says_so():
    text = shown(Snapshot(progress=progress([status()], total=10, wall_s=0.0)), 100)

    assert "0.0 %   0 of 10 jobs" in text
    assert "not known yet" in text


def test_a_share_is_never_rounded_up_to_all():
    run = progress([], {"eastus": usage(99_999)}, total=100_000)

    assert " 99.9 %" in shown(snapshot(run), 100)


def test_no_jobs_are_all_jobs():
    assert "100.0 %" in shown(snapshot(progress([], total=0)), 100)


def test_a_cost_of_which_a_part_is_unknown_is_at_least_so_much():
    assert "at least 4.12 USD" in shown(snapshot(costs={"eastus": 4.12, "west": None}), 100)
    assert "no known price" in shown(snapshot(costs={"eastus": None}), 100)
    assert "cost    -" in shown(snapshot(costs={}), 100)


def test_a_small_cost_is_told_whole():
    run = progress((), {"eastus": usage(37, tokens=300)}, total=300)
    text = shown(snapshot(run, costs={"eastus": 0.00009, "west": None}), 60)

    assert "at least 0.0001 USD about 0.00073 USD in all\n" in text


def test_what_will_end_the_run_early_is_told_with_how_near_it_is():
    bounds = Bounds(3.1, 5.0, 1_200_000, 5_000_000, ends_in=725.0)
    run = replace(sick(), bounds=bounds)

    told = "bounds  budget 3.10 of 5.00 USD, 1,200,000 of 5,000,000 tokens, deadline in 12m05s\n"
    assert told in shown(snapshot(run), 120)
    assert "bounds  budget 3.10 of 5.00 USD" in shown(snapshot(run), 60)
    assert "bounds" not in shown(snapshot(), 120)


@pytest.mark.parametrize(
    ("bounds", "is_yellow"),
    [
        (Bounds(3.1, 6.5), True),  # 6.6 in all
        (Bounds(3.1, 6.7), False),
        (Bounds(tokens=9e6, max_tokens=15e6), True),
        (Bounds(tokens=9e6, max_tokens=16e6), False),
        (Bounds(ends_in=180.0), True),  # 184 s to go
        (Bounds(ends_in=190.0), False),
    ],
)
def test_a_bound_that_will_end_the_run_early_stands_out(bounds, is_yellow):
    run = replace(sick(), bounds=bounds)
    text = shown(snapshot(run), 100, force_terminal=True, color_system="truecolor")
    line = next(line for line in text.splitlines() if "bounds" in line)

    assert ("\x1b[1;33m" in line) is is_yellow


def test_a_paused_run_says_so_where_the_time_to_go_stands():
    run = replace(sick(), paused=True, note="paused: batchrunner ctl OUTPUT resume goes on")
    lines = shown(snapshot(run, remaining=None, now=0.0), 80).splitlines()

    assert lines[1].split()[:2] == ["time", "paused"]


def test_throughput_is_of_this_run_without_the_slice_that_is_not_over():
    timeline = Timeline(1.0, {"a": [Slice(ok=n) for n in (9, 9, 1, 2, 3, 4)]}, [(0, ""), (2, "")])
    timeline.regions["b"] = [Slice(ok=10)] * 4
    run = progress(timeline=timeline)

    assert throughput(run, 80) == ([11, 12, 3], 1.0)
    assert throughput(run, 2) == ([12, 3], 1.0)
    assert throughput(progress(), 80) == ([], 1.0)


def test_how_numbers_are_shortened():
    told = {0: "0", 812: "812", 1234: "1.23k", 99_960: "100k", 999_499: "999k", 4_560_000: "4.56M"}

    assert {number: short(number) for number in told} == told


def test_bars_say_how_much_there_is_of_something():
    assert [gauge(share, 4) for share in (0, 0.01, 0.5, 0.99, 1, 7)] == [
        "────",
        "━───",
        "━━──",
        "━━━━",
        "━━━━",
        "━━━━",
    ]
    assert spark([0, 1, 4, 8]) == "·▂▅█"
    assert spark([]) == ""


def test_a_text_is_cut_between_characters():
    assert fit("日本日本", 5) == "日本…"
    assert fit("日本日本", 4) == "日 …"
    assert fit("abc", 5, "right") == "  abc"
    assert fit("abc", 0) == ""
