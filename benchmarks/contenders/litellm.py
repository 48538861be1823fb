"""The LiteLLM Router over five Azure deployments, with gather and a semaphore around it."""

import asyncio
import json
import os
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would be fetched when imported

import litellm  # type: ignore[import-not-found]  # in an environment of its own

from .contest import API_VERSION, KEY, Contest, read_contest

litellm.telemetry = False
litellm.suppress_debug_info = True


def make_router(contest: Contest) -> litellm.Router:
    deployment = {
        "model": "azure/gpt-4o-mini",
        "api_base": contest.url,
        "api_key": KEY,
        "api_version": API_VERSION,
    }
    deployments = [
        {
            "model_name": "gpt-4o-mini",
            "litellm_params": deployment,
            "model_info": {"id": f"region-{n}"},
        }
        for n in range(1, contest.regions + 1)
    ]
    return litellm.Router(model_list=deployments)


async def answer(contest: Contest) -> None:
    router = make_router(contest)
    places = asyncio.Semaphore(contest.concurrency)
    with contest.output.open("w") as file:

        async def one(name: str, body: dict[str, Any]) -> None:
            async with places:
                completion = await router.acompletion(**body)
            file.write(json.dumps({"id": name, "response": completion.model_dump()}) + "\n")
            file.flush()

        await asyncio.gather(*(one(name, body) for name, body in contest.jobs()))


if __name__ == "__main__":
    asyncio.run(answer(read_contest()))
