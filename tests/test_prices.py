"""What answers cost, whichever path they came by."""

import genai_prices
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.config import read_settings
from batchrunner.errors import ConfigError
from batchrunner.fleet import require_prices
from batchrunner.model import Attempt, Failure, Result, Usage
from batchrunner.outputs.lines import decode, encode
from batchrunner.prices import PriceList, cost_usd, price
from batchrunner.rates import Rates
from batchrunner.stats import RegionUsage, Stats, Tokens
from tests.outputs.builders import CFG, job

ENVIRON = {
    "AZURE_OPENAI_API_KEY_1": "k1",
    "AZURE_OPENAI_ENDPOINT_1": "https://eastus.openai.azure.com/",
    "AZURE_OPENAI_PRICE_1": "2.5/1.25/10",
    "AZURE_OPENAI_API_KEY_2": "k2",
    "AZURE_OPENAI_ENDPOINT_2": "https://ptu.openai.azure.com/",
    "AZURE_OPENAI_PRICE_2": "0/0",
    "AZURE_OPENAI_API_KEY_3": "k3",
    "AZURE_OPENAI_ENDPOINT_3": "https://westus.openai.azure.com/",
    "OPENAI_API_KEY": "sk-0123456789abcdef",
    "OPENAI_PRICE": "3 / 12",
}
MILLIONS = Usage("my-own", 3_000_000, 2_000_000, 1_000_000)


@pytest.mark.parametrize("provider", ["azure", "openai"])
@pytest.mark.parametrize(
    "model", ["text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002"]
)
def test_embeddings_have_a_price(model, provider):
    usage = RegionUsage(models={model: Tokens(answers=10, prompt=10_000)})

    assert cost_usd(usage, provider) > 0


def test_a_response_costs_what_its_tokens_cost():
    assert price("gpt-4.1-mini-2025-04-14", Usage("", 1000, 100)) == pytest.approx(0.00056)


@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-4.1", "o3", "gpt-5.4", "my-own"])
@pytest.mark.parametrize("prompt", [0, 1, 1_000, 127_999, 300_000, 900_000])
def test_an_answer_costs_what_the_list_says_also_where_long_prompts_cost_more(model, prompt):
    usage = Usage(model, prompt, 777, prompt // 3)
    listed = RegionUsage(models={model: Tokens(1, prompt, 777, prompt // 3)})

    assert price(model, usage, "azure") == pytest.approx(cost_usd(listed, "azure"), abs=1e-6)


@pytest.mark.parametrize("model", ["gpt-4o-mini-2024-07-18", "gpt-5.4", "text-embedding-3-small"])
@pytest.mark.parametrize("prompt", [10, 1_000, 99_999, 150_000, 300_000, 900_000])
def test_what_is_looked_up_once_is_what_the_list_says_each_time(model, prompt):
    tokens = genai_prices.Usage(input_tokens=prompt, cache_read_tokens=7, output_tokens=777)
    listed = float(genai_prices.calc_price(tokens, model, provider_id="openai").total_price)

    assert price(model, Usage(model, prompt, 777, 7)) == pytest.approx(listed)


# --- prices of regions


def configured(**options):
    return read_settings(options, ENVIRON, {})


def test_a_region_charges_what_the_settings_say():
    prices = PriceList.of(configured().targets)

    assert prices.answer("eastus", "my-own", MILLIONS) == pytest.approx(2 * 2.5 + 1.25 + 2 * 10)
    assert prices.answer("ptu", "gpt-4o", MILLIONS) == 0
    assert prices.answer("openai", "my-own", MILLIONS) == pytest.approx(3 * 3 + 2 * 12)
    assert prices.answer("westus", "my-own", MILLIONS) is None
    listed = price("gpt-4o", MILLIONS, "azure")
    assert prices.answer("westus", "gpt-4o", MILLIONS) == listed > 0


@pytest.mark.parametrize(
    "text", ["2.5", "1/2/3/4", "a/b", "-1/2", "1e3/2", "nan/1", "inf/1", "/", ""]
)
def test_what_is_no_price_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match=r"2\.5/1\.25/10"):
        Rates.parse(text)


def test_an_error_names_the_variable():
    with pytest.raises(ConfigError, match=r"^AZURE_OPENAI_PRICE_1: write US dollars per million"):
        read_settings({}, ENVIRON | {"AZURE_OPENAI_PRICE_1": "free"}, {})
    with pytest.raises(ConfigError, match=r"^OPENAI_PRICE: write US dollars per million"):
        read_settings({}, ENVIRON | {"OPENAI_PRICE": "2,5/10"}, {})
    toml = {"endpoint": "https://a.openai.azure.com/", "key": "OPENAI_API_KEY", "price": "2"}
    with pytest.raises(ConfigError, match=r"^--config: region 1: price: "):
        read_settings({}, ENVIRON, {"regions": [toml]})


def test_the_file_of_config_names_prices_too():
    toml = {"endpoint": "https://a.openai.azure.com/", "key": "OPENAI_API_KEY", "price": "1/2"}
    targets = read_settings({}, ENVIRON, {"regions": [toml]}).targets

    assert PriceList.of(targets).answer("a", "x", MILLIONS) == pytest.approx(3 + 4)


def test_regions_and_models_cost_what_their_answers_do():
    prices = PriceList.of(configured().targets)
    usage = RegionUsage(models={"my-own": Tokens(7, 3_000_000, 2_000_000, 1_000_000)})
    usages = {"eastus": usage, "ptu": usage, "westus": usage, "openai": usage}

    costs = prices.regions(usages)
    assert costs == {"eastus": 26.25, "ptu": 0, "westus": None, "openai": 33}
    assert {name: prices.models(name, usage)["my-own"] for name in usages} == costs
    assert prices.known(usages) == pytest.approx(26.25 + 33)


def test_a_checkpoint_tells_the_same_prices():
    targets = configured().targets
    saved = {
        "providers": {target.name: target.kind for target in targets},
        "prices": {target.name: target.price for target in targets if target.price},
    }

    assert PriceList.recall(saved) == PriceList.of(targets)
    assert PriceList.recall({}) == PriceList(), "of an earlier version"


def test_a_bound_needs_a_price_of_every_region_that_may_be_used():
    require_prices(configured(), ["my-own"])  # nothing bounds the cost
    require_prices(configured(max_cost=1), ["gpt-4o", "gpt-4o-mini"])
    with pytest.raises(ConfigError, match="no price of 'my-own' is known for westus: set AZURE_"):
        require_prices(configured(max_cost=1), ["gpt-4o", "my-own"])


# --- what a job cost

MODELS = st.sampled_from(["gpt-4o-mini-2024-07-18", "gpt-5.4", "o3", "my-own"])
USAGES = st.builds(Usage, MODELS, st.integers(1, 9999), st.integers(0, 9999), st.just(0))
REGIONS = st.sampled_from(["eastus", "westus", "ptu", "openai"])
REJECTED = st.builds(
    Attempt, REGIONS, st.just("invalid"), st.just(200), st.just(1.0), st.none(), USAGES
)


@given(
    st.lists(st.tuples(st.lists(REJECTED, max_size=3), REGIONS, USAGES | st.none()), max_size=9)
)
def test_jobs_cost_together_what_their_regions_do(many):
    prices, stats, total, is_known = PriceList.of(configured().targets), Stats(), 0.0, True
    for rejected, region, usage in many:
        attempts = (*rejected, Attempt(region, "ok" if usage else "refused", 200, 1.0))
        failure = None if usage else Failure("refused", "", retryable=False)
        result = Result(job(), None, attempts, failure, usage)
        stats.add(result)
        cost = decode(encode(result, CFG, prices.result(result))).get("cost_usd")
        is_known = is_known and cost is not None
        total += cost or 0.0

    costs = prices.regions(stats.regions)
    assert is_known == (None not in costs.values())
    if is_known:
        assert total == pytest.approx(sum(costs.values()), abs=1e-6 * (1 + len(costs)))


def test_a_job_for_which_nothing_was_sent_has_no_cost():
    assert PriceList().result(Result(job(), None, (), reused=True)) is None
