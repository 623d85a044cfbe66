"""A deterministic teacher behind a real HTTP server, in a process of its own.

The answer is a function of the request alone, so that two runs over it must end with the same bytes. It
counts what it is asked: `GET /stats` tells how many requests came, and how many of them came before.
It can be a difficult server too: one that refuses fields, thinks aloud, has few slots or a rate limit.
Run as a script: prints its port, serves until it is killed.
"""

import argparse
import asyncio
import hashlib
import os
import random
from collections import Counter
from typing import Any

import orjson
from aiohttp import web

WORDS = (
    "river stone market evening letter garden winter captain copper window engine harbour lantern orchard "
    "needle bridge pocket meadow violin saddle anchor candle barrel thunder ribbon kettle shepherd mirror"
).split()
FAILED_SAMPLE = {
    "message": "Generated JSON does not match the expected schema. See 'failed_generation' for more details.",
    "type": "invalid_request_error",
    "code": "json_validate_failed",
    "failed_generation": "{",
}
"""What Groq says if the model's reply does not fit the schema."""
CRAFTS = "carving painting weighing counting mending sorting".split()
VERBS = "carries follows mends hides finds turns holds leaves paints weighs".split()


class Script:
    def __init__(self, options: argparse.Namespace) -> None:
        self.latency, self.faults, self.bad = options.latency, options.faults, options.bad
        self.refuses, self.thinks, self.limit = options.refuse.split(","), options.think, options.limit
        self.copies, self.grades = options.copies, options.grades
        self.error, self.errors = options.error, options.errors
        self.no_system, self.odd = options.no_system, options.odd
        self.usage, self.invalid = options.usage, options.invalid
        self.stream = options.stream
        self.forms: Counter[str] = Counter()
        self.slots = asyncio.Semaphore(options.slots or 10**9)
        self.seen: dict[str, int] = {}
        self.asked = self.running = self.most_running = self.waiting = self.most_waiting = self.refused = 0

    async def chat(self, http: web.Request) -> web.Response:
        raw = await http.read()
        body = orjson.loads(raw)
        key = hashlib.sha256(raw).hexdigest()
        self.asked += 1
        self.forms[(body.get("response_format") or {}).get("type", "text")] += 1
        tries = self.seen[key] = self.seen.get(key, 0) + 1
        dice = random.Random(key)
        if self.error and self.errors[0] <= self.asked <= self.errors[1]:
            self.refused += 1
            status, _, words = self.error.partition(":")
            kind = "text/html" if words.startswith("<") else "application/json"
            text = words if words.startswith(("<", "{")) else orjson.dumps({"error": {"message": words}}).decode()
            return web.Response(text=text, status=int(status), content_type=kind)
        if self.no_system and any(message["role"] == "system" for message in body["messages"]):
            self.refused += 1
            return web.json_response({"error": {"message": self.no_system}}, status=400)
        if name := next((name for name in self.refuses if name and _uses(body, name)), None):
            self.refused += 1
            message = f"Unsupported parameter: '{name}' is not supported with this model."
            message += " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
            error = {"message": message, "type": "invalid_request_error", "param": name}
            return web.json_response({"error": error}, status=400)
        if self.invalid and _uses(body, "response_format") and tries == 1 and self.asked % self.invalid == 0:
            self.refused += 1
            return web.json_response({"error": FAILED_SAMPLE}, status=400)
        if self.limit and self.running >= self.limit:
            self.refused += 1
            return web.json_response({"error": {"message": "slow down"}}, status=429)
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        try:
            await self.slots.acquire()
        finally:
            self.waiting -= 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.sleep(self.latency * dice.uniform(0.5, 1.5))
        finally:
            self.running -= 1
            self.slots.release()
        if self.bad and self.bad in raw.decode():
            return web.json_response({"error": {"message": "this prompt is not welcome"}}, status=400)
        fault_dice = random.Random(f"fault {key}")  # of its own: the answer must not depend on the tries before it
        if tries == 1 and fault_dice.random() < self.faults:
            return self._fault(fault_dice, http)
        answer_dice = random.Random(dice.randrange(self.copies)) if self.copies else dice
        found = uncounted(aloud(completion(body, answer_dice, self.grades), self.thinks), self.usage)
        if self.stream:
            return web.Response(body=streamed(found), content_type="text/event-stream")
        return web.Response(body=odd(orjson.dumps(found), self.odd), content_type="application/json")

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
        return web.json_response(
            {
                "asked": self.asked,
                "repeated": repeated,
                "refused": self.refused,
                "running": self.running,
                "most_running": self.most_running,
                "waiting": self.waiting,
                "forms": self.forms,
                "most_waiting": self.most_waiting,
                "pid": os.getpid(),
            }
        )

    async def metrics(self, _: web.Request) -> web.Response:
        gauges = {"num_requests_running": self.running, "num_requests_waiting": self.waiting}
        counters = {"prefix_cache_queries_total": 100 * self.asked, "prefix_cache_hits_total": 75 * self.asked}
        lines = [f'vllm:{name}{{model_name="scripted"}} {value:.1f}' for name, value in (gauges | counters).items()]
        return web.Response(text="\n".join(lines) + "\n")

    async def health(self, _: web.Request) -> web.Response:
        return web.Response()


def _uses(body: dict[str, Any], name: str) -> bool:
    """Whether a request has a field, a form of structured output (`json_schema`), or a keyword in its schema."""
    form = body.get("response_format") or {}
    return name in body or name == form.get("type") or f'"{name}"' in orjson.dumps(form.get("json_schema")).decode()


def odd(content: bytes, how: str) -> bytes:
    """The body of an answer with something in it that JSON or UTF-8 does not allow."""
    match how:
        case "surrogate":  # in an explanation beside the answer
            return content[:-1] + b',"note":"half a smile: \\ud83d"}'
        case "text":  # in the answer itself
            return content.replace(b'"content":"', b'"content":"\\ud83d', 1)
        case "nan":
            return content[:-1] + b',"logprob":NaN,"score":-Infinity}'
        case "bytes":
            return content[:-1] + b',"note":"caf\xe9"}'
        case "bom":
            return b"\xef\xbb\xbf" + content
    return content


def uncounted(answer: dict[str, Any], how: str) -> dict[str, Any]:
    """The answer with token counts in one of the ways that servers have."""
    usage = answer["usage"]
    match how:
        case "none":
            del answer["usage"]
        case "zeros":
            answer["usage"] = dict.fromkeys(usage, 0)
        case "total":
            answer["usage"] = {"total_tokens": usage["total_tokens"]}
        case "thought":  # all tokens, and no text
            answer["choices"][0] = {
                "index": 0,
                "message": {"content": None, "reasoning_content": "Hm."},
                "finish_reason": "length",
            }
    return answer


def streamed(answer: dict[str, Any]) -> bytes:
    """The answer as the events of a stream, in pieces of 9 characters."""
    [choice] = answer["choices"]
    text = choice["message"]["content"]
    deltas = [{"role": "assistant"}, *({"content": text[at : at + 9]} for at in range(0, len(text), 9))]
    events = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    events += [{"choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]}]
    events += [{"choices": [], "usage": answer["usage"]}]
    lines = [b": keep-alive", *(b"data: " + orjson.dumps(event) for event in events), b"data: [DONE]", b""]
    return b"\n\n".join(lines)


def aloud(answer: dict[str, Any], how: str) -> dict[str, Any]:
    """The answer with a thought before it, in one of the ways that servers have."""
    message, thought = answer["choices"][0]["message"], "Let me {think} first."
    match how:
        case "tags":
            message["content"] = f"<think>\n{thought}\n</think>\n\n{message['content']}"
        case "cut":
            message["content"] = f"{thought}\n</think>\n\n{message['content']}"
        case "field":
            message["reasoning_content"] = thought
            answer["usage"]["completion_tokens_details"] = {"reasoning_tokens": 7}
    return answer


def completion(body: dict[str, Any], dice: random.Random, grades: str = "") -> dict[str, Any]:
    form, last = body.get("response_format") or {}, body["messages"][-1]["content"]
    if "JSON schema:\n" in last:  # in words
        text = f"Here it is:\n{orjson.dumps(filled(orjson.loads(last.rsplit(chr(10), 1)[1]), dice)).decode()}\nDone."
    elif form.get("type") == "json_schema":
        schema = form["json_schema"]["schema"]
        if schema["properties"].keys() & {"on_topic", "helpful"}:
            found = graded(schema, last, dice)
            text = badly_graded(found, grades, dice) if grades else orjson.dumps(found).decode()
        else:
            text = orjson.dumps(filled(schema, dice)).decode()
    elif "Explanation:" in last:
        text = f"Answer: {sentence(dice)}\nExplanation: {paragraph(dice, 2)}"
    else:
        text = filled({"type": "string"}, dice)
    asked, told = len(str(body["messages"])) // 4, len(text) // 4
    return {
        "id": "scripted",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": asked, "completion_tokens": told, "total_tokens": asked + told},
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
    if (pattern := str(schema.get("pattern", ""))).endswith(("){0,2}$", "){1,2}$")):  # a name
        return f"{dice.choice(WORDS[:7])} {dice.choice(CRAFTS)}".capitalize()
    if pattern.startswith("^The user wants"):
        return f"The user wants {sentence(dice)[0].lower()}{sentence(dice)[1:]}"
    if pattern.startswith("^[A-Z][^"):
        return sentence(dice)
    if dice.random() < 1 / 8:
        return "I'm sorry, but I cannot help with that request."
    return paragraph(dice, 8)


def graded(schema: dict[str, Any], question: str, dice: random.Random) -> Any:
    """What a grader says: mostly good, each skill with its own words as evidence; one reply in twelve is no use."""
    if dice.random() < 1 / 12:
        return {}
    text = question.rpartition("\n</")[0].rpartition(">\n")[2]
    good = {name: dice.random() < 14 / 15 for name in schema["properties"]}
    names, words = list(schema["properties"]["skills"]["properties"]), text.split()
    size = max(2, min(5, len(words) // max(len(names), 1)))
    quotes = [" ".join(words[i * size : (i + 1) * size]) for i in range(len(names))]
    return {
        **good,
        "skills": {
            name: {"evidence": quote, "shown": True, "point": 1} for name, quote in zip(names, quotes, strict=True)
        },
    }


def badly_graded(good: Any, how: str, dice: random.Random) -> str:
    """What a grader says that does not keep to its task, in one of the ways that graders have."""
    if how == "half" and dice.random() < 0.5:
        return orjson.dumps(good).decode()
    match how:
        case "others":
            return orjson.dumps({**good, "skills": {"juggling": {"evidence": "", "shown": True, "point": 1}}}).decode()
        case "no_evidence":
            skills = {name: {**shown, "evidence": ""} for name, shown in good.get("skills", {}).items()}
            return orjson.dumps({**good, "skills": skills}).decode()
        case "empty":
            return ""
        case "cut":
            return '{"skills": {"skill a": {"evidence": "The river'
    return (
        "I think this is\x1b[31m a fine text.\n\nIt reads well, and it shows every skill that was asked for: "
        + "well " * 40
    )


def paragraph(dice: random.Random, sentences: int) -> str:
    return " ".join(sentence(dice) for _ in range(sentences))


def sentence(dice: random.Random) -> str:
    a, b, c, d = dice.sample(WORDS, 4)
    return f"The {a} {dice.choice(VERBS)} a {b} while {dice.randrange(2, 90)} {c}s wait by the {d}."


def _span(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return int(first), int(last)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--latency", type=float, default=0.0)
    arguments.add_argument("--faults", type=float, default=0.0, help="share of requests that fail the first time")
    arguments.add_argument("--bad", default="", help="requests that contain this text get HTTP 400")
    arguments.add_argument("--refuse", default="", help="fields and kinds of structured output that get HTTP 400")
    ways = ["", "prose", "others", "empty", "cut", "half", "no_evidence"]
    arguments.add_argument("--grades", default="", choices=ways)
    arguments.add_argument("--error", default="", help="STATUS:WORDS, what every request gets")
    arguments.add_argument("--errors", type=_span, default=(1, 10**9), help="FROM-TO, requests that get --error")
    arguments.add_argument("--no_system", default="", help="the words that refuse a system message")
    arguments.add_argument("--odd", default="", choices=["", "surrogate", "text", "nan", "bytes", "bom"])
    arguments.add_argument("--usage", default="", choices=["", "none", "zeros", "total", "thought"])
    arguments.add_argument("--stream", type=int, default=0, help="1: answers are event streams")
    arguments.add_argument("--invalid", type=int, default=0, help="each N-th request fails once if it has a schema")
    arguments.add_argument("--think", default="", choices=["", "tags", "cut", "field"])
    arguments.add_argument("--limit", type=int, default=0, help="more requests at once get HTTP 429")
    arguments.add_argument("--copies", type=int, default=0, help="so many different answers to a kind of request")
    arguments.add_argument("--slots", type=int, default=0, help="more requests at once wait in line")
    arguments.add_argument("--port", type=int, default=0)
    options = arguments.parse_args()

    async def serve() -> None:
        script = Script(options)
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/v1/chat/completions", script.chat)
        app.router.add_get("/stats", script.stats)
        app.router.add_get("/health", script.health)
        if options.slots:
            app.router.add_get("/metrics", script.metrics)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", options.port, reuse_address=True)
        await site.start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
