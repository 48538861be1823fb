"""What answers cost, whichever path they came by."""

import pytest

from batchrunner.model import Usage
from batchrunner.prices import cost_usd, price
from batchrunner.stats import RegionUsage, Tokens


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
