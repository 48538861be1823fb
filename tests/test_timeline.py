"""What happened when: nothing is lost or counted twice, however a run is looked at."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.config import Settings
from batchrunner.ledger import Ledger
from batchrunner.model import Attempt, Usage
from batchrunner.outputs.checkpoint import checkpoint_path, encode, load
from batchrunner.policy.region import RegionStatus
from batchrunner.stats import Stats
from batchrunner.timeline import COLUMNS, SLICES, STARTS, Slice, Timeline
from tests.outputs.builders import result
from tests.test_scenarios import region, scenario
from tests.test_supervisor import supervise
from tests.world import World

ZERO = "2026-01-01T00:00:00Z"


def status(name="a", state="open", in_flight=0, use=0.0):
    return RegionStatus(name, state, "", 0.0, in_flight, 8, 8, 0.0, use=use)


def answer(stats, name="a", tokens=10):
    stats.add_attempts([Attempt(name, "ok", 200, 1.0)])
    stats.region(name).models.setdefault("m", type(stats.region(name).tokens)()).add(
        Usage("m", tokens, 0)
    )


def total(timeline, name, column):
    return sum(getattr(one, column) for one in timeline.regions.get(name, []))


def through_json(timeline):
    return Timeline.from_json(json.loads(json.dumps(timeline.as_json())))


def counted(stats, name):
    usage = stats.regions[name]
    return usage.ok, usage.throttled.total(), usage.errors.total(), usage.tokens.prompt


def placed(timeline, name):
    return tuple(total(timeline, name, c) for c in ("ok", "throttled", "errors", "tokens"))


def test_what_is_counted_between_two_looks_stands_in_the_slice_of_the_second():
    timeline, stats = Timeline(), Stats()
    timeline.begin(0.0, ZERO, stats)
    for at in (0.5, 2.5, 2.75):
        answer(stats)
        timeline.look(at, stats, [status()])

    assert [one.ok for one in timeline.regions["a"]] == [1, 0, 2]
    assert [one.tokens for one in timeline.regions["a"]] == [10, 0, 20]


def test_a_region_is_measured_by_the_time_that_it_was_so():
    timeline, stats = Timeline(), Stats()
    timeline.begin(0.0, ZERO, stats)
    states = ("open", "throttled", "resting", "out")
    for quarter, state in enumerate(states, 1):
        timeline.look(quarter * 0.2, stats, [status("a", state, in_flight=5, use=0.5)])

    [one] = timeline.regions["a"]
    assert one.watched == pytest.approx(0.8)
    assert one.in_flight == pytest.approx(4.0)
    assert one.used == pytest.approx(0.4)
    assert (one.throttled_s, one.resting_s, one.out_s) == pytest.approx((0.2, 0.2, 0.2))


def test_a_region_that_appears_later_has_nothing_before():
    timeline, stats = Timeline(), Stats()
    timeline.begin(0.0, ZERO, stats)
    timeline.look(3.0, stats, [status("a")])
    answer(stats, "b")
    timeline.look(4.0, stats, [status("a"), status("b")])

    assert [one.ok for one in timeline.regions["b"]] == [0, 0, 0, 0, 1]


def test_when_the_slices_are_used_up_two_become_one():
    timeline, stats = Timeline(), Stats()
    timeline.begin(0.0, ZERO, stats)
    for second in range(SLICES + 1):
        answer(stats)
        timeline.look(second + 0.5, stats, [status()])

    assert timeline.width == 2.0
    assert [one.ok for one in timeline.regions["a"]] == [2] * (SLICES // 2) + [1]


@pytest.mark.parametrize("hours", [1, 30, 24 * 365])
def test_a_clock_that_jumps_ahead_loses_nothing(hours):
    timeline, stats = Timeline(), Stats()
    timeline.begin(0.0, ZERO, stats)
    for at in (1.0, 2.0, hours * 3600.0):
        answer(stats)
        timeline.look(at, stats, [status()])

    assert total(timeline, "a", "ok") == 3
    assert total(timeline, "a", "watched") == hours * 3600
    assert len(timeline.regions["a"]) <= SLICES


def test_the_next_run_goes_on_where_the_last_one_ended():
    first, stats = Timeline(), Stats()
    first.begin(0.0, ZERO, stats)
    answer(stats)
    first.look(1.5, stats, [status()])
    second = through_json(first)
    second.begin(2.0, ZERO, stats)
    answer(stats)
    second.look(2.5, stats, [status()])

    assert [one.ok for one in second.regions["a"]] == [0, 1, 1]
    assert total(second, "a", "watched") == 2.0
    assert [at for at, _ in second.starts] == [0.0, 2.0]


def test_what_a_killed_run_had_not_saved_stands_in_the_first_slice_of_the_next():
    first, stats = Timeline(), Stats()
    first.begin(0.0, ZERO, stats)
    answer(stats)
    first.look(1.0, stats, [status()])
    saved = through_json(first)
    answer(stats)
    saved.begin(5.0, ZERO, stats)
    saved.look(5.0, stats, [status()])

    assert placed(saved, "a") == counted(stats, "a")


def test_what_was_done_before_there_was_a_timeline_stands_nowhere_however_often_it_goes_on():
    stats, timeline = Stats(), Timeline()
    answer(stats)
    for start in (5.0, 6.0, 7.0):
        timeline.begin(start, ZERO, stats)
        answer(stats)
        timeline.look(start + 0.5, stats, [status()])
        timeline = through_json(timeline)

    assert [one.ok for one in timeline.regions["a"]] == [0, 0, 0, 0, 0, 1, 1, 1]


def test_mended_results_with_lower_numbers_take_nothing_back():
    timeline, stats = Timeline(), Stats()
    timeline.begin(0.0, ZERO, stats)
    for _ in range(5):
        answer(stats)
    timeline.look(1.0, stats, [status()])
    fewer = Stats()
    answer(fewer)
    timeline.begin(2.0, ZERO, fewer)
    answer(fewer)
    timeline.look(2.5, fewer, [status()])

    assert [one.ok for one in timeline.regions["a"]] == [0, 5, 1]


def test_a_run_that_is_started_over_and_over_does_not_make_the_checkpoint_grow():
    timeline = Timeline()
    for start in range(3 * STARTS):
        timeline.begin(float(start), ZERO, Stats())

    assert len(timeline.starts) == STARTS
    assert (timeline.starts[0][0], timeline.starts[-1][0]) == (0.0, 3.0 * STARTS - 1)
    assert timeline.starts[1][0] == 2 * STARTS + 1


LOOKS = st.lists(
    st.tuples(
        st.floats(0, 1000) | st.floats(0, 1e6),  # seconds since the last look
        st.integers(0, 3),  # answers
        st.sampled_from("ab"),
        st.sampled_from(["open", "throttled", "resting", "out"]),
        st.sampled_from(["look", "resume", "kill"]),
    ),
    max_size=40,
)


@given(LOOKS)
def test_slices_add_up_to_what_is_counted_whatever_the_looks_and_resumes(looks):
    timeline, stats, at = Timeline(), Stats(), 0.0
    timeline.begin(at, ZERO, stats)
    for passed, answers, name, state, then in looks:
        at += passed
        for _ in range(answers):
            answer(stats, name)
        if then != "kill":
            timeline.look(at, stats, [status("a", state), status("b")])
        if then != "look":
            timeline = through_json(timeline)
            timeline.begin(at, ZERO, stats)
    timeline.look(at, stats, [status("a"), status("b")])

    assert {n: placed(timeline, n) for n in stats.regions} == {
        n: counted(stats, n) for n in stats.regions
    }
    assert max(map(len, timeline.regions.values())) <= SLICES
    if all(one[4] != "kill" for one in looks):  # nobody watched what came after the last look
        assert total(timeline, "a", "watched") == pytest.approx(at, abs=0.1)


@given(st.lists(st.integers(0, 5), max_size=3 * SLICES))
def test_halving_keeps_every_sum(oks):
    timeline = Timeline(1.0, {"a": [Slice(ok=n, watched=1.0) for n in oks]})
    timeline._halve()

    assert total(timeline, "a", "ok") == sum(oks)
    assert total(timeline, "a", "watched") == len(oks)
    assert len(timeline.regions["a"]) == (len(oks) + 1) // 2


def test_it_is_the_same_after_a_checkpoint():
    timeline, stats = Timeline(), Stats()
    timeline.begin(0.0, ZERO, stats)
    answer(stats)
    timeline.look(1.5, stats, [status(in_flight=3, use=0.25), status("b", "out")])

    assert through_json(timeline) == timeline
    assert set(timeline.as_json()["regions"]["a"]) == set(COLUMNS)


# --- with the files of a run


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out.jsonl"


async def ran(path, ordinal, at):
    """One run of one job."""
    ledger = Ledger.open(path, Settings())
    before = ledger.wall_before
    ledger.timeline.begin(before, ZERO, ledger.stats)
    async with ledger.journal:
        await ledger.record(result(ordinal))
        ledger.timeline.look(before + at, ledger.stats, [status("eastus")])
        await ledger.save(wall_s=at)
    return ledger


@pytest.mark.socket
async def test_a_resumed_run_goes_on_with_the_timeline_of_the_checkpoint(path):
    for ordinal in range(3):
        ledger = await ran(path, ordinal, 2.0)

    assert [one.ok for one in ledger.timeline.regions["eastus"]] == [0, 0, 1, 0, 1, 0, 1]
    assert [at for at, _ in ledger.timeline.starts] == [0.0, 2.0, 4.0]


@pytest.mark.socket
async def test_a_checkpoint_of_an_older_version_begins_a_timeline(path):
    await ran(path, 0, 2.0)
    fields = load(checkpoint_path(path)).fields
    for name in ("timeline", "caps"):
        del fields[name]
    for region_ in fields["stats"]["regions"].values():
        for tokens in region_["models"].values():
            del tokens["lengths"]
    del fields["stats"]["examples"]
    checkpoint_path(path).write_bytes(encode(fields))
    ledger = await ran(path, 1, 1.0)

    assert ledger.stats.ok == 2
    assert total(ledger.timeline, "eastus", "ok") == 1
    assert [at for at, _ in ledger.timeline.starts] == [2.0]


@pytest.mark.socket
async def test_without_a_checkpoint_the_run_goes_on_all_the_same(path):
    await ran(path, 0, 2.0)
    checkpoint_path(path).unlink()
    ledger = await ran(path, 1, 1.0)

    assert ledger.stats.ok == 2


async def test_a_run_too_short_for_a_second_look_still_has_all_its_answers():
    swift = {"latency": {"median": 0.05, "sigma": 0.0}}
    supervisor = supervise(World(scenario(region("a", **swift))), 8)

    await supervisor.run()

    assert total(supervisor.ledger.timeline, "a", "ok") == 8
