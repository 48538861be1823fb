"""The bare loop over the transport of batchrunner: what it would cost if it did nothing else."""

import asyncio
import os

import orjson
import uvloop

from batchrunner.model import Reply
from batchrunner.sdk import make_template
from batchrunner.targets import Target
from batchrunner.transport import AiohttpTransport

from .aiohttp_loop import Writer
from .contest import API_VERSION, KEY, Contest, read_contest

DEADLINE = 300.0


async def answer(contest: Contest) -> None:
    target = Target(name="region-1", endpoint=contest.url, key=KEY, api_version=API_VERSION)
    template = await make_template(target, "/chat/completions", "gpt-4o-mini")
    writer = Writer(contest.output)
    with contest.input.open("rb") as lines:
        async with AiohttpTransport(ca_file=os.environ.get("SSL_CERT_FILE")) as transport:

            async def work() -> None:
                for line in lines:
                    body = orjson.loads(line)
                    name = body.pop("id")
                    reply = await transport.post(template, orjson.dumps(body), DEADLINE)
                    if not isinstance(reply, Reply) or reply.status != 200:
                        raise RuntimeError(f"no answer: {reply}")
                    fragment = orjson.Fragment(reply.body)
                    writer.append(orjson.dumps({"custom_id": name, "response": fragment}) + b"\n")

            async with asyncio.TaskGroup() as group:
                for _ in range(contest.concurrency):
                    group.create_task(work())
    writer.close()


if __name__ == "__main__":
    uvloop.run(answer(read_contest()))
