"""What the benchmarks make of their measurements, without measuring."""

import pytest

from benchmarks import memory, throughput
from benchmarks.process import Cost
from benchmarks.throughput import OURS, Contender, Sample


def sample(jobs, seconds, start=1.0):
    return Sample(jobs, *(Cost(s, s, 50.0, 0.0, 0.5) for s in (start + seconds, start)))


def rows(ours, theirs):
    samples = {Contender(OURS): ours, Contender("aiohttp_loop"): theirs}
    return list(throughput.summarize(samples, 64, tls=False))


def test_the_start_up_is_taken_off():
    assert sample(1001, 0.5, start=9.0).rate == pytest.approx(2000)
    assert sample(1001, 0.5, start=9.0).cpu_us == pytest.approx(500)


@pytest.mark.parametrize(("seconds", "missed"), [(1.53, False), (1.55, True)])
def test_a_contender_that_we_come_too_close_to_is_missed(seconds, missed):
    mine, other = rows([sample(1001, seconds)], [sample(1001, 1.0)])
    assert "missed" not in mine
    assert other["missed"] is missed


def test_ratios_are_taken_within_a_round():
    ours = [sample(1001, s) for s in (1.0, 4.0, 2.0)]  # the machine was slow, for both alike
    other = rows(ours, [sample(1001, s / 2) for s in (1.0, 4.0, 2.0)])[1]
    assert other["ours_by_rate"] == pytest.approx(0.5)


def test_slow_contenders_get_fewer_jobs_but_several_for_each_place():
    slow = Contender("gather", share=0.1)
    assert slow.jobs(50_000, 64) == 5_000
    assert slow.jobs(50_000, 2_000) == 10_000
    assert slow.jobs(500, 2_000) == 500


def measured(part, peak_mb, jobs=1000, at_once=2000, *, tls=False):
    return {
        "part": part,
        "tls": tls,
        "jobs": jobs,
        "concurrency": 2000,
        "at_once": at_once,
        "peak_mb": peak_mb,
    }


def missed(*rows):
    return [row["missed"] for row in memory.judge(list(rows))]


def test_slow_answers_are_compared_with_the_base():
    base = measured("base", 80.0)
    assert missed(base, measured("flight", 139.0)) == [False, False]
    assert missed(base, measured("flight", 141.0)) == [False, True]


def test_by_tls_they_are_compared_with_connections_that_do_nothing_else():
    base = measured("base", 80.0, tls=True)
    bare = measured("bare", 25.0, tls=True), measured("bare", 120.0, tls=True)
    assert missed(base, measured("flight", 234.0, tls=True), *bare) == [False] * 4
    assert missed(base, measured("flight", 236.0, tls=True), *bare)[1] is True
    plain = measured("base", 80.0), measured("flight", 141.0)
    assert missed(*plain, *bare)[1] is True


def test_many_jobs_are_compared_with_few():
    base, few = measured("base", 80.0), measured("count", 150.0)
    assert missed(base, few, measured("count", 166.0)) == [False, False, False]
    assert missed(base, few, measured("count", 168.0)) == [False, False, True]


def test_ten_million_jobs_may_take_300_megabytes_in_all():
    base, few = measured("base", 80.0), measured("count", 150.0)
    assert missed(base, few, measured("count", 299.0, memory.FULL.jobs))[-1] is False
    assert missed(base, few, measured("count", 301.0, memory.FULL.jobs))[-1] is True


def test_fewer_in_flight_than_there_should_be_proves_nothing():
    assert missed(measured("base", 80.0), measured("flight", 90.0, at_once=1000))[-1] is True
