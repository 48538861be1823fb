"""What a report advises: from figures to findings, by tables."""

import pytest

from batchrunner.model import Usage
from batchrunner.policy.region import BY_HAND
from batchrunner.report.advice import advice, calm
from batchrunner.report.allowance import suggested
from batchrunner.report.material import Known
from tests.report.made import MODEL, material, slices, usage

FINE = {"eastus": usage(), "westus": usage()}
TIMES = {"eastus": slices(), "westus": slices()}


def kinds(*arguments, **fields):
    return [finding.kind for finding in advice(material(*arguments, **fields))]


def only(kind, *arguments, **fields):
    (found,) = [f for f in advice(material(*arguments, **fields)) if f.kind == kind]
    return found


def test_a_run_in_which_all_went_well_gets_no_advice():
    assert kinds(FINE, TIMES, caps={MODEL: {120: 200}}, concurrency=64) == []


def test_an_output_without_anything_in_it_gets_no_advice():
    assert kinds({}) == []
    assert kinds({"eastus": usage(0)}, wall_s=0.0) == []


@pytest.mark.parametrize(
    ("cap", "answer", "better"),
    [(1000, 80, 100), (4000, 80, 100), (4096, 700, 890), (300, 80, 100)],
    ids=["1000", "4000", "4096 for long answers", "300"],
)
def test_max_tokens_far_above_what_answers_use_names_a_better_value(cap, answer, better):
    regions = {"eastus": usage(100, tokens=answer)}

    found = only("max_tokens", regions, caps={MODEL: {cap: 100}})

    assert found.figures["suggested"] == better
    assert found.figures["gain"] == pytest.approx((100 + cap) / (100 + better), abs=0.01)
    assert f"Set max_tokens to about {better:,}" in found.remedy


@pytest.mark.parametrize(
    ("answers", "caps"),
    [
        (100, {MODEL: {190: 100}}),
        (49, {MODEL: {4000: 49}}),
        (100, {}),
        (100, {"other": {4000: 9}}),
    ],
    ids=["near enough", "too few answers", "no cap", "another model"],
)
def test_max_tokens_is_left_alone(answers, caps):
    assert "max_tokens" not in kinds({"eastus": usage(answers)}, caps=caps)


def test_whether_tokens_held_the_run_up_is_said():
    caps = {MODEL: {4000: 100}}
    free = only("max_tokens", {"eastus": usage()}, caps=caps)
    held = only("max_tokens", {"eastus": usage(throttled={"tokens": 3})}, caps=caps)

    assert "did not hold this run up" in free.detail
    assert "Tokens held this run up" in held.detail


@pytest.mark.parametrize(
    ("rpm", "words"),
    [(6.0, "did not hold this run up"), (600.0, "Tokens held this run up"), (None, "Tokens held")],
    ids=["requests run out first", "tokens do", "requests are free"],
)
def test_a_limit_that_was_used_up_is_that_of_tokens_only_where_they_run_out_first(rpm, words):
    found = only(
        "max_tokens",
        {"eastus": usage()},
        {"eastus": slices(used=1.0)},
        caps={MODEL: {4000: 100}},
        known={"eastus": Known("open", rpm, 100_000.0)},
    )

    assert words in found.detail


def test_room_for_rare_long_answers_is_left_alone():
    region = usage(995)
    for _ in range(5):
        region.models[MODEL].add(Usage(MODEL, 100, 3500, 0))

    assert "max_tokens" not in kinds({"eastus": region}, caps={MODEL: {4000: 1000}})


def test_answers_that_a_lower_cap_would_cut_are_counted():
    region = usage(9999)
    region.models[MODEL].add(Usage(MODEL, 100, 4000, 0))

    found = only("max_tokens", {"eastus": region}, caps={MODEL: {4000: 10_000}})

    assert found.figures["cut"] == 1
    assert "1 answer would have been cut" in found.remedy


def test_a_suggestion_is_round_and_above_the_longest_answers():
    assert [suggested(p99) for p99 in (1, 8, 80, 254, 1000, 9999)] == [
        20,
        20,
        100,
        320,
        1300,
        13000,
    ]


def test_answers_as_long_as_allowed_were_probably_cut():
    found = only("cut_answers", {"eastus": usage(tokens=256)}, caps={MODEL: {256: 100}})

    assert found.figures["share"] == 1.0
    assert "cut_answers" not in kinds({"eastus": usage(tokens=80)}, caps={MODEL: {256: 100}})


def test_a_limit_that_is_never_reached_while_others_are_throttled():
    regions = {"eastus": usage(), "westus": usage(throttled_s=4.0)}
    times = {"eastus": slices(used=0.2), "westus": slices(used=1.0)}

    found = only("idle_limit", regions, times)

    assert found.figures == {"region": "eastus", "peak_use": 0.2, "throttled": ["westus"]}
    assert "idle_limit" not in kinds(regions, times | {"eastus": slices(used=0.6)})
    assert "idle_limit" not in kinds(regions, times, known={})  # no limit is known
    assert "idle_limit" not in kinds(FINE, times)  # nobody was throttled


@pytest.mark.parametrize(
    ("in_flight", "used", "told"),
    [(16, 0.3, True), (15, 0.3, True), (8, 0.3, False), (16, 0.9, False)],
    ids=["all slots", "nearly all", "half of them", "the quotas are full too"],
)
def test_slots_that_are_all_taken_while_quotas_have_room(in_flight, used, told):
    times = {"eastus": slices(used=used, in_flight=in_flight)}

    found = kinds({"eastus": usage()}, times, concurrency=16)

    assert ("concurrency" in found) is told


def test_slots_that_somebody_changed_say_nothing():
    times = {"eastus": slices(used=0.3, in_flight=16)}
    steered = ({"at_s": 1.0, "what": "concurrency: 64 -> 16"},)

    found = kinds({"eastus": usage()}, times, concurrency=16, steered=steered)
    earlier = kinds({"eastus": usage()}, times, concurrency=8)

    assert "concurrency" not in found + earlier


@pytest.mark.parametrize("throttled", [{}, {"other": 5}], ids=["never", "throttled"])
def test_slots_of_a_region_without_limits_are_judged_by_its_refusals(throttled):
    """As with provisioned throughput, which names no limit."""
    times = {"eastus": slices(used=0.0, in_flight=16)}
    regions = {"eastus": usage(throttled=throttled)}
    found = [
        f
        for f in advice(material(regions, times, concurrency=16, known={"eastus": Known("open")}))
        if f.kind == "concurrency"
    ]

    assert len(found) == (not throttled)
    assert all("none was throttled" in f.detail and "%" not in f.detail for f in found)


def test_a_higher_concurrency_is_named_but_no_fantasy():
    times = {"eastus": slices(used=0.01, in_flight=16.0)}

    assert "64" in only("concurrency", {"eastus": usage()}, times, concurrency=16).remedy


@pytest.mark.parametrize(
    ("region", "state", "words"),
    [
        (usage(0, errors={"barred": 2}), "out: 401 wrong key", "401 wrong key"),
        (usage(0, errors={"timeout": 10}), "open", "its calls ended as timeout"),
        (usage(0, throttled={"tokens": 10}), "throttled", "it was throttled each time"),
        (
            usage(0, throttled={"tokens": 9}, errors={"timeout": 1}),
            "throttled",
            "it was throttled, and calls ended as timeout",
        ),
    ],
    ids=["out", "faulty", "throttled", "throttled and faulty"],
)
def test_a_region_that_earns_nothing_is_named_with_the_reason(region, state, words):
    regions = {"eastus": usage(), "westus": region}

    found = only("no_answers", regions, known={"westus": Known(state)})

    assert found.title == "westus earned nothing"
    assert words in found.detail


def test_a_run_that_every_region_refused_is_told_so_and_not_that_all_is_well():
    regions = {"eastus": usage(0, errors={"barred": 3}), "westus": usage(0)}
    known = {name: Known("out: 401 wrong key") for name in regions}

    found = advice(material(regions, known=known, total=5, stop="no region is left"))

    assert [(f.kind, f.title) for f in found] == [
        ("no_answers", "eastus earned nothing"),
        ("no_answers", "westus earned nothing"),
    ]
    assert "Put its key, deployment or endpoint right" in found[0].remedy


def test_a_region_that_only_refused_jobs_did_answer():
    assert kinds({"eastus": usage(), "westus": usage(0, errors={"refused": 20})}) == []


def test_a_single_call_that_failed_says_nothing_of_its_region():
    assert kinds({"eastus": usage(5), "westus": usage(0, errors={"http_503": 1})}) == []


@pytest.mark.parametrize("state", ["out: 401 revoked.", "open: gpt-4o: 404 no deployment"])
def test_a_region_that_was_left_out_after_some_answers_is_named(state):
    regions = {"eastus": usage(), "westus": usage(7)}

    found = only("left_out", regions, known={"westus": Known(state)})

    assert found.figures["answers"] == 7
    assert state.partition(": ")[2].rstrip(".") in found.detail
    assert "batchrunner doctor" in found.remedy


def test_a_region_that_somebody_took_out_is_not_to_be_put_right():
    known = {"westus": Known(f"out: {BY_HAND}")}

    assert kinds({"eastus": usage(), "westus": usage(0)}, known=known) == []


@pytest.mark.parametrize(("answers", "told"), [(100, True), (5, False)], ids=["many", "few"])
def test_a_reserve_that_was_not_needed_is_no_mistake(answers, told):
    regions = {"eastus": usage(answers), "westus": usage(0)}

    found = [f for f in advice(material(regions)) if f.kind == "no_answers"]

    assert [f.title for f in found] == ["westus was never needed"] * told
    assert all("as it should be for a reserve" in f.remedy for f in found)


@pytest.mark.parametrize(
    ("errors", "remedy"),
    [
        ({"barred": 3}, "batchrunner doctor says which"),
        ({"timeout": 10}, "Raise --timeout"),
        ({"oversized": 10}, "Ask for quota"),
        ({"http_503": 10}, "See the health of the service"),
    ],
    ids=["barred", "timeout", "oversized", "503"],
)
def test_the_remedy_for_a_region_that_earns_nothing_is_that_of_its_errors(errors, remedy):
    regions = {"eastus": usage(), "westus": usage(0, errors=errors)}

    assert remedy in only("no_answers", regions, known={}).remedy


@pytest.mark.parametrize(
    ("material_", "words"),
    [
        (material({"a": usage(0)}), "Nothing was sent"),
        (material({"a": usage(5)}), "too little to go by"),
        (material({"a": usage(0, errors={"refused": 60})}, failed=60), "under Failed jobs"),
        (material({"a": usage(100)}, total=200, stop="the budget"), "beside why it is not"),
        (material({"a": usage(100)}), "fit together"),
    ],
    ids=["nothing sent", "five jobs", "all refused", "stopped", "all well"],
)
def test_where_there_is_nothing_to_change_no_more_is_said_than_is_known(material_, words):
    assert words in calm(material_)


def test_a_fallback_that_was_not_needed_is_no_loss():
    assert kinds({"eastus": usage(), "openai": usage(0)}) == []


def test_a_sick_region_is_named_with_its_faults():
    regions = {"eastus": usage(), "westus": usage(errors={"http_503": 30, "refused": 50})}
    times = {"westus": slices(resting_s=0.5)}

    found = only("sick_region", regions, times)

    assert found.figures == {"region": "westus", "faults": 30, "calls": 180, "resting_s": 5.0}
    assert "30 http_503" in found.detail
    assert "sick_region" not in kinds({"eastus": usage(errors={"refused": 90})})


@pytest.mark.parametrize("outcome", ["overtaken", "cancelled", "local", "barred", "invalid"])
def test_what_is_not_a_regions_own_fault_does_not_make_it_sick(outcome):
    assert "sick_region" not in kinds({"eastus": usage(errors={outcome: 30})})


def test_the_remedy_for_a_sick_region_is_that_of_its_most_frequent_fault():
    slow = only("sick_region", {"eastus": usage(errors={"timeout": 30, "http_503": 2})})
    ill = only("sick_region", {"eastus": usage(errors={"timeout": 2, "http_503": 30})})

    assert "Raise --timeout" in slow.remedy
    assert "See the health" in ill.remedy


def test_many_findings_of_a_kind_do_not_bury_the_others():
    regions = {f"r{n}": usage(errors={"http_503": 30}) for n in range(64)}

    found = [f for f in advice(material(regions)) if f.kind == "sick_region"]

    assert len(found) == 3
    assert found[-1].detail.endswith("61 more are like that: see the tables.")


def test_lack_of_capacity_is_not_mistaken_for_lack_of_quota():
    found = only("capacity", {"eastus": usage(throttled={"capacity": 40})})

    assert "more quota does not help" in found.detail


@pytest.mark.parametrize(("taken", "told"), [(50, True), (2, False)], ids=["much", "little"])
def test_a_fallback_that_took_much_is_named_with_its_cost(taken, told):
    regions = {"eastus": usage(100), "openai": usage(taken)}

    assert ("fallback" in kinds(regions)) is told


def test_a_fallback_without_a_known_price_is_not_called_free():
    regions = {"eastus": usage(100), "openai": usage(50, model="nobody knows")}

    found = only("fallback", regions)

    assert found.detail == "50 answers."
    assert found.figures["cost_usd"] is None


def test_more_quota_is_not_the_remedy_where_the_regions_are_out():
    known = {"eastus": Known("out: 401")}
    regions = {"eastus": usage(0, errors={"barred": 2}), "openai": usage(100)}

    assert "all of them were left out" in only("fallback", regions, known=known).remedy


def test_many_wasted_calls_are_named_with_their_causes():
    found = only("wasted_calls", {"eastus": usage(throttled={"requests": 60})})

    assert found.figures == {"wasted": 60, "calls": 160, "causes": {"requests": 60}}
    assert "RPM" in found.remedy
    assert "wasted_calls" not in kinds({"eastus": usage(throttled={"requests": 3})})


@pytest.mark.parametrize(
    "region",
    [usage(errors={"http_503": 30}), usage(throttled={"capacity": 40})],
    ids=["sick", "capacity"],
)
def test_wasted_calls_that_a_region_is_named_for_are_not_told_twice(region):
    assert len(kinds({"eastus": region})) == 1


def test_calls_that_were_throttled_without_a_reason_have_a_remedy_of_their_own():
    found = only("wasted_calls", {"eastus": usage(throttled={"other": 60})})

    assert "60 throttled without a reason" in found.detail
    assert "provisioned" in found.remedy


def test_a_name_that_two_versions_answer_to():
    found = only("versions", FINE, answered_by={"gpt-4o": {"a": 90, "b": 10}, "x": {"c": 1}})

    assert found.figures == {"asked": "gpt-4o", "models": {"a": 90, "b": 10}}


def test_what_is_told_of_names_is_one_line_and_short():
    regions = {"eastus": usage(), "\u202e<b>\0\n" + "x" * 10_000: usage(0)}

    for finding in advice(material(regions)):
        assert finding.title.isprintable()
        assert len(finding.title) < 100
