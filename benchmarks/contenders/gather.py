"""What people write: gather, a semaphore and the SDK's client, a line for each answer."""

import asyncio
import json
from typing import Any

from openai import AsyncAzureOpenAI

from .contest import API_VERSION, KEY, Contest, read_contest


async def answer(contest: Contest) -> None:
    client = AsyncAzureOpenAI(azure_endpoint=contest.url, api_key=KEY, api_version=API_VERSION)
    places = asyncio.Semaphore(contest.concurrency)
    with contest.output.open("w") as file:

        async def one(name: str, body: dict[str, Any]) -> None:
            async with places:
                completion = await client.chat.completions.create(**body)
            file.write(json.dumps({"id": name, "response": completion.model_dump()}) + "\n")
            file.flush()

        await asyncio.gather(*(one(name, body) for name, body in contest.jobs()))


if __name__ == "__main__":
    asyncio.run(answer(read_contest()))
