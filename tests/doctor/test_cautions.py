"""What to look at although every region answers."""

import pytest

from batchrunner.config import Settings
from batchrunner.doctor.cautions import cautions
from tests.doctor.clinic import LIMITS, answer, error, examined, place, plain, simulated

SHARED = {"name": "x", "rpm": 600, "tpm": 120_000, "quota_group": "g", "latency": {"speed": 50.0}}


def told(*pairs, settings=None, open_files=None):
    """The cautions about regions that answered so."""
    places = [where for where, *_ in pairs]
    found = [examined(where, *outcomes) for where, *outcomes in pairs]
    return cautions(settings or Settings(), places, found, open_files)


def codes(*pairs, **more):
    return [one.code for one in told(*pairs, **more)]


def left(requests, tokens=None):
    said = {"requests": requests} if tokens is None else {"requests": requests, "tokens": tokens}
    remaining = {f"x-ratelimit-remaining-{axis}": str(count) for axis, count in said.items()}
    limits = {name: text for name, text in LIMITS.items() if "remaining" not in name}
    return answer(headers={**limits, **remaining})


def test_regions_that_have_nothing_in_common_have_nothing_to_say():
    assert told((place("a"), left(99, 59700)), (place("b", number=2), left(99, 59700))) == []


def test_one_deployment_named_twice_is_one_quota():
    same = {"endpoint": "https://a.openai.azure.com"}
    first, second = place("a", **same), place("b", number=2, endpoint=same["endpoint"] + "/")
    (caution,) = told((first, left(9, 900)), (second, left(8, 700)))

    assert (caution.code, caution.about) == ("shared_quota", ("a", "b"))
    assert "AZURE_OPENAI_QUOTA_GROUP_1 and AZURE_OPENAI_QUOTA_GROUP_2" in caution.remedy


def test_other_deployments_of_a_resource_and_declared_groups_are_fine():
    same = {"endpoint": "https://a.openai.azure.com"}
    one, other = place("a", deployment="x", **same), place("b", deployment="y", **same)
    grouped = [place(name, quota_group="g", **same) for name in "ab"]

    assert codes((one, left(99)), (other, left(99))) == []
    assert codes(*((where, left(n)) for n, where in enumerate(grouped, 1))) == []


COUNTS = {
    "one call after the other": ([(99, 5000), (98, 4700), (97, 4400)], True),
    "in another order": ([(97, 4400), (99, 5000), (98, 4700)], True),
    "each for itself": ([(99, 5000), (99, 5000)], False),
    "tokens for themselves": ([(99, 5000), (98, 5000)], False),
    "no word of tokens": ([(99, None), (98, None)], True),
    "one word of tokens": ([(99, 5000), (98, None)], False),
    "far apart": ([(99, 5000), (20, 400)], False),
    "two of three": ([(99, 5000), (98, 4700), (99, 5000)], False),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counters_that_go_down_from_region_to_region_tell_of_one_quota(name):
    counts, is_told = COUNTS[name]
    pairs = [(place(f"r{n}", number=n), left(*count)) for n, count in enumerate(counts, 1)]

    assert codes(*pairs) == ["perhaps_shared_quota"] * is_told


async def test_a_quota_that_the_simulator_shares_is_found_and_one_that_it_does_not_is_not():
    for group, expected in (("g", ["perhaps_shared_quota"]), (None, [])):
        regions = [{**SHARED, "name": name, "quota_group": group} for name in "abc"]
        kept = {f"AZURE_OPENAI_QUOTA_GROUP_{n}": "" for n in (1, 2, 3)}
        settings, places, found = await simulated({"seed": 1, "regions": regions}, **kept)

        assert [one.code for one in cautions(settings, places, found)] == expected


def test_models_that_differ_are_told_with_who_answers():
    new, old = answer(model="gpt-4o-2024-11-20"), answer(model="gpt-4o-2024-05-13")
    a, b, c = (place(name, model="gpt-4o") for name in "abc")
    (caution,) = told((a, new), (b, old), (c, new))

    assert caution.code == "models_differ"
    assert "2 models: gpt-4o-2024-11-20: a and c; gpt-4o-2024-05-13: b" in caution.message


VERSIONS = {
    "2024-06-01": "version_old",
    "2025-03-01-preview": "version_preview",
    "2024-08-01-preview": "version_preview",
    "latest": "version_misspelt",
    "2024-1-1": "version_misspelt",
}


@pytest.mark.parametrize("version", VERSIONS)
def test_an_api_version_that_is_old_a_preview_or_none(version):
    (caution,) = told((place(api_version=version), answer()))

    assert caution.code == VERSIONS[version]
    assert version in caution.message


def test_versions_that_differ_are_told_and_the_v1_form_is_none():
    v1 = place("c", endpoint="https://c.openai.azure.com/openai/v1/", api_version="2023-05-15")
    pairs = [(place("a"), answer()), (place("b", api_version="2025-01-01"), answer())]

    assert codes(*pairs, (v1, answer())) == ["versions_differ"]
    assert codes(pairs[0], (v1, answer())) == []


def test_limits_that_the_service_names_otherwise():
    more, less = place(rpm=601, tpm=90_000), place(rpm=60, tpm=60_000)
    (higher,) = told((more, answer()))
    (lower,) = told((less, answer()))

    assert "AZURE_OPENAI_TPM_1 says 90,000 tokens a minute, the service 60,000" in higher.message
    assert higher.remedy == "correct AZURE_OPENAI_TPM_1"
    assert "AZURE_OPENAI_RPM_1 says 60 requests" in lower.message
    assert lower.remedy.startswith("raise AZURE_OPENAI_RPM_1")


def test_this_machine_and_the_fallback():
    many = Settings(concurrency=1000)
    alone = Settings(no_fallback=True, targets=(plain().target,))

    assert codes((place(), answer()), settings=many, open_files=1024) == ["open_files"]
    assert codes((place(), answer()), settings=many, open_files=1064) == []
    assert codes((place(), answer()), settings=many, open_files=None) == []
    assert codes((place(), answer()), settings=alone) == ["no_fallback"]


def test_regions_that_failed_have_no_say():
    broken = error(503, "later")

    assert codes((place("a"), answer()), (place("b", number=2), broken)) == []

    assert codes((place("a"), broken), (place("b", number=2), broken)) == []
    assert told() == []
