"""async-batch-llm as its manual shows it, with its checkpoint in JSON Lines as the output."""

import asyncio

from async_batch_llm import (  # type: ignore[import-not-found]  # in its own environment
    ArtifactIdentity,
    JsonlArtifactStore,
    ProcessorConfig,
    llm,
    process_stream,
)

from .contest import KEY, Contest, read_contest


async def answer(contest: Contest) -> None:
    strategy = llm(
        "openai-compatible:gpt-4o-mini",
        base_url=f"{contest.url}/v1",
        api_key=KEY,
        max_connections=contest.concurrency,
        temperature=0.2,
        generation_config={"max_tokens": 200},
    )
    identity = ArtifactIdentity(provider="nginx", model="gpt-4o-mini")
    config = ProcessorConfig(
        concurrency=contest.concurrency,
        max_queue_size=4 * contest.concurrency,
        max_result_queue_size=2 * contest.concurrency,
    )
    prompts = ((name, body["messages"][0]["content"]) for name, body in contest.jobs())
    store = JsonlArtifactStore(contest.output, identity=identity)
    async for result in process_stream(strategy, prompts, config=config, artifact_store=store):
        if not result.success:
            raise RuntimeError(result.error)


if __name__ == "__main__":
    asyncio.run(answer(read_contest()))
