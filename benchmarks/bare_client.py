"""A minimal client of the chat API with aiohttp and orjson, which the pipeline uses too: the lower bound of its cost.

    python benchmarks/bare_client.py URL ROWS IN_FLIGHT

`teachers.py` runs it in a separate process, like the pipeline, so that both CPU times are measured on the same machine
within minutes.
"""

import asyncio
import sys

import aiohttp
import orjson


async def ask(url: str, rows: int, in_flight: int) -> None:
    numbers = iter(range(rows))
    connector = aiohttp.TCPConnector(limit=in_flight)

    async def work(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            messages = [{"role": "user", "content": f"Write a text that shows three skills. [row {number}]"}]
            body = orjson.dumps({"model": "mock", "messages": messages, "max_tokens": 512, "seed": number})
            headers = {"Content-Type": "application/json"}
            async with session.post(f"{url}/v1/chat/completions", data=body, headers=headers) as response:
                reply = orjson.loads(await response.read())
                assert reply["choices"][0]["message"]["content"], reply

    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(work(session) for _ in range(in_flight)))


if __name__ == "__main__":
    asyncio.run(ask(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
