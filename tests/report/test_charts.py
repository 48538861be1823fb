"""What charts draw: times as slices, closings as spans, and few enough regions to tell apart."""

from batchrunner.report.charts import MARKS, SHOWN, charts, over_time, steps
from batchrunner.report.figures import figures
from batchrunner.report.material import Known
from batchrunner.report.spans import Span, closed
from batchrunner.timeline import Slice
from tests.report.made import material, slices, usage


def test_every_answer_is_drawn_once():
    made = material({"a": usage(100), "b": usage(50)}, {"a": slices(ok=10), "b": slices(ok=5)})

    drawn = charts(made)

    assert [sum(region["rate"]) for region in drawn["regions"]] == [100.0, 50.0]
    table = over_time(made)
    assert table["columns"] == ["a", "b"]
    assert [sum(row["cells"][n]["ok"] for row in table["rows"]) for n in (0, 1)] == [100, 50]


def test_the_slice_that_has_only_begun_is_drawn_as_a_rate_of_its_own_time():
    times = {"a": [Slice(ok=10, watched=1.0), Slice(ok=5, watched=0.5)]}

    assert charts(material({"a": usage(15)}, times))["regions"][0]["rate"] == [10.0, 10.0]


def test_sixty_four_regions_are_a_few_and_the_rest_and_lose_no_answer():
    regions = {f"region{n:02d}": usage(100 - n) for n in range(64)} | {"openai": usage(3)}
    times = {name: slices(ok=n + 1, throttled_s=0.5) for n, name in enumerate(regions)}

    drawn = charts(material(regions, times))

    names = [region["name"] for region in drawn["regions"]]
    assert len(names) == SHOWN + 1
    assert names[0] == "region00"
    assert names[-2:] == ["58 smaller regions", "openai"]
    assert sum(drawn_sum(region) for region in drawn["regions"]) == sum(
        one.ok for each in times.values() for one in each
    )
    assert len(drawn["bands"]) == 12
    assert len(drawn["tokens"]) == 12
    assert all(0 <= use <= 100 for region in drawn["regions"] for use in region["use"])


def drawn_sum(region):
    return round(sum(region["rate"]))


def test_neighbours_that_were_closed_alike_are_one_span():
    times = [
        Slice(watched=1.0),
        Slice(watched=1.0, throttled_s=1.0),
        Slice(watched=1.0, throttled_s=1.0),
        Slice(watched=1.0, throttled_s=0.2, resting_s=0.3),
        Slice(watched=1.0, out_s=1.0),
        Slice(watched=1.0, throttled_s=0.01),
        Slice(),
    ]

    assert closed(times, 2.0) == [
        Span(2.0, 6.0, "throttled", 1.0),
        Span(6.0, 8.0, "resting", 0.5),
        Span(8.0, 10.0, "out", 1.0),
    ]


def test_steps_of_latencies_keep_every_answer():
    region = usage(0)
    for n in range(500):
        region.latency.add(0.001 * 1.03**n)

    found = steps(region.latency)

    assert sum(count for _, _, count in found) == 500
    assert all(low < high for low, high, _ in found)


def test_an_output_without_times_has_empty_charts():
    made = material({"a": usage(5)})

    drawn = charts(made)

    assert over_time(made) is None
    assert (drawn["slices"], drawn["bands"], drawn["regions"][0]["rate"]) == (0, [], [])


def test_later_runs_are_marked_where_they_began():
    made = material({"a": usage(5)}, {"a": slices()})
    made.timeline.starts.append((4.0, "2026-11-26T11:00:00Z"))

    assert charts(made)["starts"] == [{"at": 4.0, "label": "run 2"}]


def test_what_people_changed_is_marked_in_its_order_and_what_is_odd_is_left_out():
    steered = [{"at_s": n / 2, "what": "paused"} for n in range(30)]
    made = material(
        {"a": usage()}, {"a": slices()}, steered=[{"what": "when?"}, {"at_s": None}, *steered]
    )

    marks = charts(made)["steered"]

    assert marks[:2] == [{"at": 0.0, "label": "1"}, {"at": 0.5, "label": "2"}]
    assert len(marks) == MARKS


def test_the_share_of_a_limit_is_not_told_where_there_is_none():
    """As with provisioned throughput: zero percent would mean that it was idle."""
    regions, times = {"a": usage(), "b": usage()}, {"a": slices(used=0.0), "b": slices(used=0.5)}
    known = {"a": Known("open"), "b": Known("open", 600.0)}

    drawn = charts(material(regions, times, known=known))["regions"]
    killed = charts(material(regions, times, known={}))["regions"]
    said = figures(material(regions, times, known=known))["regions"]

    assert [set(one["use"]) for one in drawn] == [{None}, {50.0}]
    assert [set(one["use"]) for one in killed] == [{None}, {50.0}]
    assert [one["use"]["mean"] for one in said] == [None, 0.5]
