"""A live run that a person steers, on the virtual clock, to the moment."""

import asyncio
import math
import signal

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchrunner.errors import UsageError
from batchrunner.model import Fault, FaultKind, Reply
from batchrunner.orders import Order
from batchrunner.steering import Steering
from batchrunner.supervisor import DRAIN
from tests.test_scenarios import CALM, region, scenario
from tests.test_supervisor import OUTAGE_WAIT, supervise
from tests.virtual import run as on_virtual_clock
from tests.world import World

SLOW = CALM | {"median": 3.0}


class Live:
    """A run, what is sent when, and what it says when it is steered."""

    def __init__(self, *regions, jobs=200, workers=8, openai=None, **world):
        self.world = World(scenario(*regions, openai=openai), concurrency=workers, **world)
        self.supervisor = supervise(self.world, jobs, workers)
        self.said, self.sent, self.most = [], [], []
        self.steering = Steering(self.supervisor, self.said.append)
        self._send, self.world.caller.send = self.world.caller.send, self._note
        self.jobs, self.answers = jobs, []
        self._record, self.supervisor.ledger.record = (
            self.supervisor.ledger.record,
            self._note_result,
        )

    async def _note(self, name, job):
        self.sent.append((asyncio.get_running_loop().time(), name))
        self.most.append((self.sent[-1][0], self.world.pool.in_flight))
        return await self._send(name, job)

    async def _note_result(self, result):
        self.answers.append(result)
        await self._record(result)

    def order(self, do, name=None, **limits):
        return self.steering.obey(Order(do=do, name=name, **limits))

    async def run(self, *orders):
        """Run to the end; each order is a time, and what is wanted then."""
        clock = asyncio.get_running_loop().time

        async def steer():
            for at, do, *rest in orders:
                await anyio.sleep(at - clock())
                limits = rest.pop() if rest and isinstance(rest[-1], dict) else {}
                self.order(do, *rest, **limits)

        self.supervisor.beside.append(steer)
        with anyio.fail_after(10_000):  # it looks at itself for ever, so that nothing seems stuck
            await self.supervisor.run()
        return clock()

    def count(self, since, until=math.inf, name=None):
        return sum(since < at <= until and name in (None, to) for at, to in self.sent)

    def assert_whole(self):
        ordinals = sorted(result.job.ordinal for result in self.answers)
        assert ordinals == list(range(self.jobs))
        assert [r.failure for r in self.answers if r.failure is not None] == []
        self.assert_settled()

    def assert_settled(self):
        router = self.world.router
        assert router.in_flight == 0
        assert {region.in_flight for region in router.regions} == {0}
        assert self.world.pool.waiting == 0


# --- pause


async def test_a_pause_sends_nothing_loses_nothing_and_lasts_as_long_as_it_is_wanted():
    live = Live(region("a"), jobs=100)
    whole = await Live(region("a"), jobs=100).run()
    began = asyncio.get_running_loop().time()
    ended = await live.run((began + 1.0, "pause"), (began + 3601.0, "resume"))

    live.assert_whole()
    assert live.count(began + 1.0, began + 3600.999) == 0
    assert live.count(began + 3600.999, began + 3601.0) == 8
    assert ended - began == pytest.approx(whole + 3600, abs=1.0)
    assert live.said[0] == "ctl: paused: nothing more is sent; 8 in flight end by themselves"
    assert [what for _, what in live.supervisor.ledger.steered] == [
        text.removeprefix("ctl: ") for text in live.said
    ]


async def test_a_pause_is_no_outage_however_long_the_regions_have_been_down():
    down = [{"kind": "outage", "from": 0.0, "until": 800.0, "status": 503}]
    live = Live(region("a", faults=down), jobs=20)
    await live.run((20.0, "pause"), (850.0, "resume"))

    assert live.supervisor.stopped is None
    live.assert_whole()


async def test_after_a_pause_an_outage_ends_the_run_as_ever():
    down = [{"kind": "outage", "from": 0.0, "until": 1e6, "status": 503}]
    live = Live(region("a", faults=down), jobs=20)
    ended = await live.run((20.0, "pause"), (800.0, "resume"))

    assert live.supervisor.stopped.exit_code == 8
    assert 800 + OUTAGE_WAIT - 1 < ended < 800 + OUTAGE_WAIT + 60


async def test_a_signal_ends_a_run_that_is_paused_at_once():
    live = Live(region("a"), jobs=100)
    asyncio.get_running_loop().call_at(50.0, live.supervisor.interrupt, signal.SIGINT)
    ended = await live.run((1.0, "pause"))

    assert live.supervisor.stopped.exit_code == 130
    assert ended == 50.0
    live.assert_settled()


async def test_what_watches_the_run_says_that_it_is_paused():
    live = Live(region("a"), jobs=20)
    seen = []
    live.supervisor.watch = lambda progress: seen.append(progress.note)
    await live.run((0.1, "pause"), (9.0, "resume"))

    assert "paused: batchrunner ctl OUTPUT resume goes on" in seen[4]
    assert "paused" not in seen[-1]


async def test_a_budget_ends_a_run_though_a_region_could_be_let_in_again():
    live = Live(region("a"), region("b"), jobs=200, options={"max_cost": 0.0005})
    ended = await live.run((0.3, "out", "b"))

    assert live.supervisor.stopped.exit_code == 7
    assert ended < 60
    live.assert_settled()


# --- stop


async def test_a_stop_waits_for_what_is_in_flight_and_leaves_the_rest():
    live = Live(region("a", latency=SLOW), jobs=100)
    ended = await live.run((1.0, "stop"), (1.5, "stop"))

    assert live.supervisor.stopped.exit_code == 130
    assert live.supervisor.stopped.reason.startswith("stopped by ctl")
    assert len(live.said) == 1
    assert len(live.answers) == 3  # a region that nobody named a limit of begins so
    assert 3 < ended < 4
    live.assert_settled()


async def test_a_stop_does_not_wait_for_ever():
    live = Live(region("a", latency=CALM | {"median": 250.0}), jobs=100)
    ended = await live.run((1.0, "stop"))

    assert ended == 1.0 + DRAIN
    assert live.supervisor.ledger.stats.calls == 3  # they may be billed
    live.assert_settled()


# --- concurrency


async def test_more_work_at_once_from_that_moment_on():
    live = Live(region("a", latency=SLOW), jobs=100, workers=4)
    await live.run((4.0, "concurrency", {"concurrency": 20}))

    live.assert_whole()
    assert max(n for at, n in live.most if at < 4.0) == 4
    assert max(n for at, n in live.most if at >= 4.0) == 20
    assert live.said == ["ctl: concurrency: at most 20 jobs in flight (was 4)"]


async def test_more_for_the_run_is_not_more_for_a_region_with_a_number_of_its_own():
    environ = {"AZURE_OPENAI_CONCURRENCY_1": "2"}
    live = Live(region("a", latency=SLOW), jobs=30, workers=4, environ=environ)
    await live.run((4.0, "concurrency", {"concurrency": 20}))

    live.assert_whole()
    assert max(n for _, n in live.most) == 2


async def test_less_starts_nothing_above_the_new_number_and_cancels_nothing():
    live = Live(region("a", latency=SLOW), region("b", latency=SLOW), jobs=100, workers=20)
    await live.run((10.0, "concurrency", {"concurrency": 3}))

    live.assert_whole()
    assert max(n for at, n in live.most if at > 10.0) == 3
    assert live.supervisor.ledger.stats.wasted_calls == 0


async def test_less_holds_also_for_those_who_wait_for_a_quota():
    quota = {"rpm": 60, "request_window": 60.0, "request_limit": 60}
    environ = {"AZURE_OPENAI_RPM_1": "59"}
    live = Live(region("a", latency=SLOW, **quota), jobs=200, workers=100, environ=environ)
    await live.run((30.0, "concurrency", {"concurrency": 2}))

    live.assert_whole()
    assert live.world.simulator.statistics()["a"]["ok"] == 200
    assert max(n for at, n in live.most if at > 33.5) == 2


# --- limits


async def test_a_lower_limit_of_requests_holds_from_that_moment_on():
    environ = {"AZURE_OPENAI_RPM_1": "600"}
    live = Live(region("a"), jobs=600, workers=50, environ=environ)
    await live.run((20.0, "region", "a", {"rpm": 120}))

    live.assert_whole()
    times = [at for at, _ in live.sent if at > 20.0]
    for at in times:
        assert sum(at - 10.0 < other <= at for other, _ in live.sent) <= 20
    assert live.said == ["ctl: a: 120 requests per minute (was 600)"]


async def test_a_higher_limit_ends_the_run_sooner():
    environ = {"AZURE_OPENAI_RPM_1": "60"}
    live = Live(region("a"), jobs=200, workers=50, environ=environ)
    ended = await live.run((30.0, "region", "a", {"rpm": 6000, "tpm": 10**9}))

    live.assert_whole()
    assert ended < 50  # 200 s else
    assert live.said == [
        "ctl: a: 6,000 requests per minute (was 60)",
        "ctl: a: 1,000,000,000 tokens per minute (was not known)",
    ]


async def test_what_the_service_names_holds_and_the_answer_says_so():
    live = Live(region("a", rpm=120), jobs=300, workers=50)
    await live.run((9.0, "region", "a", {"rpm": 6000}))

    live.assert_whole()
    assert live.said == [
        "ctl: a: 6,000 requests per minute (was 120); the service names 120, which holds"
    ]
    assert live.supervisor.ledger.stats.wasted_calls == 0


async def test_a_limit_of_a_group_is_shared_and_the_answer_names_all():
    environ = {f"AZURE_OPENAI_QUOTA_GROUP_{n}": "one" for n in (1, 2)}
    live = Live(region("a"), region("b"), region("c"), jobs=300, workers=50, environ=environ)
    await live.run((1.0, "region", "b", {"rpm": 60}))

    live.assert_whole()
    assert live.said == ["ctl: a, b: 60 requests per minute (was not known)"]
    assert live.order("show")["state"]["regions"]["a"]["shares_with"] == ["b"]


async def test_a_limit_below_what_a_job_may_use_fails_no_job():
    live = Live(region("a"), jobs=20)
    await live.run((0.1, "region", "a", {"tpm": 5}))

    live.assert_whole()


async def test_a_region_has_a_number_of_its_own():
    live = Live(region("a", latency=SLOW), jobs=60, workers=12)
    await live.run((10.0, "region", "a", {"concurrency": 2}))

    live.assert_whole()
    assert max(n for at, n in live.most if at > 10.0) == 2


# --- out and in


async def test_a_region_that_is_out_gets_nothing_until_it_is_in_again():
    live = Live(region("a"), region("b"), jobs=300)
    await live.run((1.0, "out", "a"), (4.0, "in", "a"))

    live.assert_whole()
    assert live.count(0.0, 1.0, "a") > 0
    assert live.count(1.0, 3.999, "a") == 0
    assert live.count(3.999, math.inf, "a") > 0
    assert live.supervisor.ledger.stats.wasted_calls == 0


async def test_when_every_region_is_out_jobs_wait_and_neither_fail_nor_end_the_run():
    live = Live(region("a"), openai={}, jobs=100)
    shown = []
    loop = asyncio.get_running_loop()
    loop.call_at(400.0, lambda: shown.append(live.order("show")["state"]))
    await live.run((1.0, "out", "openai"), (1.0, "out", "a"), (800.0, "in", "a"))

    live.assert_whole()
    assert live.supervisor.stopped is None
    assert live.count(1.0, 799.9) == 0
    assert (shown[0]["waiting"], shown[0]["in_flight"]) == (8, 0)
    assert "every region was taken out" in shown[0]["note"]
    assert shown[0]["regions"]["a"]["state"] == "out"
    assert "no region is left" in live.said[1]


async def test_a_key_that_was_mended_is_tried_when_its_region_is_let_in():
    refused = [{"kind": "error", "from": 0.0, "until": 30.0, "status": 401}]
    live = Live(region("a", faults=refused), region("b", rpm=60), jobs=200)
    await live.run((10.0, "in", "a"), (40.0, "in", "a"))

    live.assert_whole()
    assert live.count(9.999, 39.999, "a") == 1
    assert live.count(39.999, math.inf, "a") > 50
    assert live.said[0].startswith("ctl: a: in again; one request goes first, as it was out (401")


async def test_a_region_that_was_barred_while_another_is_out_does_not_end_the_run():
    refused = [{"kind": "error", "from": 5.0, "until": 1e9, "status": 401}]
    live = Live(region("a", faults=refused), region("b"), jobs=400)
    await live.run((1.0, "out", "b"), (800.0, "in", "b"))

    live.assert_whole()
    assert live.supervisor.stopped is None


async def test_when_the_last_region_fails_a_job_rests_and_does_not_wait_for_who_is_out():
    live = Live(region("a"), region("b"), jobs=40)
    broken = live._send

    async def send(name, job):
        if 2.0 < asyncio.get_running_loop().time() < 4.0:
            return Fault(FaultKind.RESET, "")
        return await broken(name, job)

    live._send = send
    ended = await live.run((0.1, "out", "b"))

    assert len(live.answers) == 40
    assert ended < 300
    live.assert_settled()


async def test_a_job_too_large_for_the_regions_that_are_left_waits_for_the_one_that_is_out():
    live = Live(region("a"), region("b"), jobs=3)
    answers = live._send

    async def send(name, job):
        if name == "b":
            return await answers(name, job)
        return Reply(429, {"retry-after": "86400"}, b'{"error":{"message":"too many"}}')

    live._send = send
    await live.run((0.0, "out", "b"), (200.0, "in", "b"))

    live.assert_whole()
    assert live.supervisor.stopped is None
    assert live.count(0.0, math.inf, "b") == 3


async def test_an_outage_of_all_that_are_left_ends_the_run():
    down = [{"kind": "outage", "from": 5.0, "until": 1e6, "status": 503}]
    live = Live(region("a", faults=down), region("b"), jobs=400)
    ended = await live.run((1.0, "out", "b"))

    assert live.supervisor.stopped.exit_code == 8
    assert live.supervisor.ledger.stats.failed == 0
    assert OUTAGE_WAIT < ended < OUTAGE_WAIT + 100


# --- words


async def test_what_is_so_already_changes_nothing_and_is_not_noted():
    live = Live(region("a"), jobs=100)
    await live.run(
        (0.1, "resume"),
        (0.2, "in", "a"),
        (0.3, "out", "a"),
        (0.4, "out", "a"),
        (0.5, "in", "a"),
        (0.6, "pause"),
        (0.7, "pause"),
        (0.8, "resume"),
    )

    assert [text.split(":")[1].strip() for text in live.said] == ["a", "a", "paused", "resumed"]


async def test_a_region_that_does_not_exist_is_told_with_those_that_do():
    live = Live(region("a"), region("b"), jobs=1)

    with pytest.raises(UsageError, match="there is no region 'c'; known: a, b"):
        live.order("out", "c")
    assert live.said == []


MISTAKES = [
    ({"do": "out"}, "out needs the name of a region"),
    ({"do": "region", "name": "a"}, "region NAME needs a limit"),
    ({"do": "concurrency"}, "concurrency needs a number"),
]


@pytest.mark.parametrize(("order", "message"), MISTAKES)
async def test_an_order_that_is_not_whole_is_refused(order, message):
    live = Live(region("a"), jobs=1)

    with pytest.raises(UsageError, match=message):
        live.steering.obey(Order(**order))


async def test_show_says_what_is_true():
    live = Live(region("a", rpm=600), region("b"), jobs=50, environ={"AZURE_OPENAI_RPM_1": "300"})
    before = live.order("show")["state"]
    await live.run()
    after = live.order("show")["state"]

    assert (before["done"], before["total"], before["concurrency"]) == (0, 50, 8)
    assert before["regions"]["a"]["rpm"] == 300
    assert before["regions"]["b"]["rpm"] is None
    assert (after["done"], after["failed"], after["in_flight"], after["waiting"]) == (50, 0, 0, 0)
    assert live.said == []


# --- the law: whatever is asked whenever, each job has one result, and the accounts are even


NAMES = st.sampled_from(["a", "b", "openai"])
ORDERS = st.one_of(
    st.builds(Order, do=st.sampled_from(["pause", "resume", "show"])),
    st.builds(Order, do=st.sampled_from(["out", "in"]), name=NAMES),
    st.builds(Order, do=st.just("concurrency"), concurrency=st.integers(1, 40)),
    st.builds(Order, do=st.just("region"), name=NAMES, rpm=st.integers(10, 3000)),
    st.builds(Order, do=st.just("region"), name=NAMES, tpm=st.integers(100, 10**6)),
    st.builds(Order, do=st.just("region"), name=NAMES, concurrency=st.integers(1, 30)),
)
FREE = [Order(do="in", name=name) for name in ("a", "b", "openai")] + [Order(do="resume")]
FAULTS = [{"kind": "error", "rate": 0.05, "status": 500}]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.0, 30.0), ORDERS), max_size=12),
    st.integers(1, 80),
    st.integers(1, 20),
)
def test_however_a_run_is_steered_each_job_has_one_result(orders, jobs, workers):
    async def main():
        live = Live(
            region("a", rpm=600, faults=FAULTS),
            region("b", tpm=30_000),
            openai={},
            jobs=jobs,
            workers=workers,
            options={"fallback_after": 1.0},
        )

        async def steer():
            for at, order in sorted(orders, key=lambda one: one[0]):
                await anyio.sleep(at - asyncio.get_running_loop().time())
                live.steering.obey(order)
            for order in FREE:
                live.steering.obey(order)

        live.supervisor.beside.append(steer)
        await live.supervisor.run()
        assert live.supervisor.stopped is None
        assert sorted(r.job.ordinal for r in live.answers) == list(range(jobs))
        live.assert_settled()

    on_virtual_clock(main())
