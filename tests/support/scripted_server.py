"""A deterministic teacher behind a real HTTP server, in a process of its own.

The answer is a function of the request alone, so that two runs over it must end with the same bytes. It
counts what it is asked: `GET /stats` tells how many requests came, and how many of them came before.
Run as a script: prints its port, serves until it is killed.
"""

import argparse
import asyncio
import hashlib
import random
from typing import Any

import orjson
from aiohttp import web

WORDS = (
    "river stone market evening letter garden winter captain copper window engine harbour lantern orchard "
    "needle bridge pocket meadow violin saddle anchor candle barrel thunder ribbon kettle shepherd mirror"
).split()
VERBS = "carries follows mends hides finds turns holds leaves paints weighs".split()


class Script:
    def __init__(self, latency: float, faults: float, bad: str) -> None:
        self.latency, self.faults, self.bad = latency, faults, bad
        self.seen: dict[str, int] = {}
        self.asked = self.running = self.most_running = 0

    async def chat(self, http: web.Request) -> web.Response:
        raw = await http.read()
        body = orjson.loads(raw)
        key = hashlib.sha256(raw).hexdigest()
        self.asked += 1
        tries = self.seen[key] = self.seen.get(key, 0) + 1
        dice = random.Random(key)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.sleep(self.latency * dice.uniform(0.5, 1.5))
        finally:
            self.running -= 1
        if self.bad and self.bad in raw.decode():
            return web.json_response({"error": {"message": "this prompt is not welcome"}}, status=400)
        fault_dice = random.Random(f"fault {key}")  # of its own: the answer must not depend on the tries before it
        if tries == 1 and fault_dice.random() < self.faults:
            return self._fault(fault_dice, http)
        return web.Response(body=orjson.dumps(completion(body, dice)), content_type="application/json")

    def _fault(self, dice: random.Random, http: web.Request) -> web.Response:
        kind = dice.randrange(4)
        if kind == 0:
            return web.json_response({"error": {"message": "slow down"}}, status=429, headers={"Retry-After": "0.01"})
        if kind == 1:
            return web.json_response({"error": {"message": "boom"}}, status=503)
        if kind == 2:
            return web.Response(body=b'{"choices": [{"mess', content_type="application/json")
        assert http.transport is not None
        http.transport.close()
        return web.Response()

    async def stats(self, _: web.Request) -> web.Response:
        repeated = sum(count - 1 for count in self.seen.values())
        return web.json_response({"asked": self.asked, "repeated": repeated, "most_running": self.most_running})


def completion(body: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    form = body.get("response_format")
    if form:
        text = orjson.dumps(filled(form["json_schema"]["schema"], dice)).decode()
    elif "Explanation:" in body["messages"][-1]["content"]:
        text = f"Answer: {sentence(dice)}\nExplanation: {paragraph(dice, 2)}"
    else:
        text = filled({"type": "string"}, dice)
    return {
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": len(str(body["messages"])) // 4, "completion_tokens": len(text) // 4},
    }


def filled(schema: dict[str, Any], dice: random.Random) -> Any:
    """A value for a JSON schema: paragraphs for strings, one in eight of them a refusal."""
    if "enum" in schema:
        return dice.choice(schema["enum"])
    match schema.get("type"):
        case "object":
            found = {key: filled(inner, dice) for key, inner in schema["properties"].items()}
            if "instruction" in found:
                found["instruction"] = (
                    f"How do I use a {dice.choice(WORDS)} to mend a {dice.choice(WORDS)} by the river?"
                )
            return found
        case "array":
            return [filled(schema["items"], dice) for _ in range(max(2, schema.get("minItems", 0)))]
        case "boolean":
            return dice.random() < 0.5
        case "integer" | "number":
            return dice.randrange(10)
    if dice.random() < 1 / 8:
        return "I'm sorry, but I cannot help with that request."
    return paragraph(dice, 8)


def paragraph(dice: random.Random, sentences: int) -> str:
    return " ".join(sentence(dice) for _ in range(sentences))


def sentence(dice: random.Random) -> str:
    a, b, c, d = dice.sample(WORDS, 4)
    return f"The {a} {dice.choice(VERBS)} a {b} while {dice.randrange(2, 90)} {c}s wait by the {d}."


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--latency", type=float, default=0.0)
    arguments.add_argument("--faults", type=float, default=0.0, help="share of requests that fail the first time")
    arguments.add_argument("--bad", default="", help="requests that contain this text get HTTP 400")
    options = arguments.parse_args()
    script = Script(options.latency, options.faults, options.bad)

    async def serve() -> None:
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/v1/chat/completions", script.chat)
        app.router.add_get("/stats", script.stats)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
