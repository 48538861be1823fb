"""aiohttp as its documentation shows it, and as good as nothing else.

So many workers pull lines from one iterator and post their bytes; a thread writes what has
gathered and syncs it, each 0.2 s. No retries, no limits, no checks but the status.
"""

import asyncio
import os
import ssl
import threading
from pathlib import Path

import aiohttp
import orjson
import uvloop

from .contest import API_VERSION, KEY, Contest, read_contest

SYNC_S = 0.2


class Writer:
    """Writes lines in groups, in a thread of its own."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._lines: list[bytes] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def append(self, line: bytes) -> None:
        """Have it written, soon."""
        self._lines.append(line)

    def close(self) -> None:
        """Write and sync what is left."""
        self._is_over.set()
        self._thread.join()
        self._flush()
        self._file.close()

    def _write(self) -> None:
        while not self._is_over.wait(SYNC_S):
            self._flush()

    def _flush(self) -> None:
        lines, self._lines = self._lines, []
        self._file.write(b"".join(lines))
        self._file.flush()
        os.fdatasync(self._file.fileno())


async def answer(contest: Contest) -> None:
    ca_file = os.environ.get("SSL_CERT_FILE")
    tls = ssl.create_default_context(cafile=ca_file) if ca_file else True
    url = f"{contest.url}/openai/deployments/gpt-4o-mini/chat/completions"
    url += f"?api-version={API_VERSION}"
    headers = {"api-key": KEY, "content-type": "application/json"}
    writer = Writer(contest.output)
    connector = aiohttp.TCPConnector(limit=0, ssl=tls)
    with contest.input.open("rb") as lines:
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

            async def work() -> None:
                for line in lines:
                    body = orjson.loads(line)
                    name = body.pop("id")
                    async with session.post(url, data=orjson.dumps(body)) as response:
                        response.raise_for_status()
                        reply = orjson.Fragment(await response.read())
                    writer.append(orjson.dumps({"custom_id": name, "response": reply}) + b"\n")

            async with asyncio.TaskGroup() as group:
                for _ in range(contest.concurrency):
                    group.create_task(work())
    writer.close()


if __name__ == "__main__":
    uvloop.run(answer(read_contest()))
