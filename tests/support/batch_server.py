"""A deterministic teacher behind OpenAI's batch API, as a real HTTP server.

It has /v1/files (upload, content, delete) and /v1/batches (create, get, list, cancel). Answers are those of
`scripted_server`. A batch passes through validating, in_progress and finalizing to its fate. `GET /stats` tells what it
was asked for.
Run as a script: prints its port, serves until it is killed.
"""

import argparse
import asyncio
import hashlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from scripted_server import completion

EXPIRED = {
    "code": "batch_expired",
    "message": "This request could not be executed before the completion window expired.",
}
CANCELLED = {"code": "batch_cancelled", "message": "This request was cancelled."}
NO_ROOM = "Enqueued token limit reached for scripted in organization org-1. Limit: 2,000,000 enqueued tokens."


@dataclass
class Options:
    """How the server behaves.

    `latency`: seconds in each state. `slow`: call:seconds, how long a call's response takes after its effect. `fates`:
    of the batches in order of creation, then "completed": completed | expired | cancelled | lacking | failed:CODE |
    faulty (its second line) | errors:STATUS. Of a batch with a fate other than completed, every other request is
    answered; "expired:none" and "errors:STATUS:all" answer none. `bad`: requests with this text get HTTP 400. `refuse`:
    fields that get HTTP 400. `statuses`: call:status:times, what the first calls get. `lost`: call:times, calls that
    have their effect, but whose connection is cut. `most_requests` of a batch, more fail for lack of room; `most_open`
    batches at once; `most_bytes` of a file. `no_api`: the first path that is missing, files or batches.
    """

    latency: float = 0.02
    slow: str = ""
    fates: str = ""
    bad: str = ""
    refuse: str = ""
    statuses: str = ""
    lost: str = ""
    most_requests: int = 10**9
    most_open: int = 10**9
    most_bytes: int = 10**9
    no_api: str = ""
    port: int = 0


@dataclass
class Batch:
    id: str
    file: str
    fate: str
    metadata: dict[str, str]
    created: float
    requests: list[dict[str, Any]]
    cancelled: bool = False
    faults: list[dict[str, Any]] = field(default_factory=list)
    answers: str = ""
    errors: str = ""
    ended: str = ""


class BatchServer:
    def __init__(self, options: Options) -> None:
        self.options = options
        self.files: dict[str, bytes] = {}
        self.deleted: dict[str, bytes] = {}
        self.on_delete: Callable[[str], None] = lambda _: None
        self.batches: dict[str, Batch] = {}
        self.calls: dict[str, int] = {}
        self.plain = 0

    def app(self) -> web.Application:
        app = web.Application(client_max_size=2**28)
        app.router.add_post("/v1/files", self.upload)
        app.router.add_get("/v1/files/{id}/content", self.content)
        app.router.add_delete("/v1/files/{id}", self.delete)
        app.router.add_post("/v1/batches", self.create)
        app.router.add_get("/v1/batches", self.listing)
        app.router.add_get("/v1/batches/{id}", self.get)
        app.router.add_post("/v1/batches/{id}/cancel", self.cancel)
        app.router.add_post("/v1/chat/completions", self.chat)
        app.router.add_get("/stats", self.stats)
        return app

    async def upload(self, http: web.Request) -> web.StreamResponse:
        if refusal := self._before("upload", "files"):
            return refusal
        form = await http.post()
        assert form["purpose"] == "batch"
        sent = form["file"]
        assert isinstance(sent, web.FileField)
        content = sent.file.read()
        if len(content) > self.options.most_bytes:
            return problem(413, "File is too large.")
        name = self._store(content)
        shown = {"id": name, "object": "file", "purpose": "batch", "status": "processed"}
        return await self._after("upload", http, shown)

    async def create(self, http: web.Request) -> web.StreamResponse:
        if refusal := self._before("create", "batches"):
            return refusal
        body = await http.json()
        assert body["completion_window"] == "24h" and body["endpoint"] == "/v1/chat/completions"
        requests = [orjson.loads(line) for line in self.files[body["input_file_id"]].splitlines()]
        ids = [each["custom_id"] for each in requests]
        fates = self.options.fates.split(",") if self.options.fates else []
        number = len(self.batches)
        fate = fates[number] if number < len(fates) else "completed"
        batch = Batch(f"batch_{number}", body["input_file_id"], fate, body["metadata"], time.time(), requests)
        if len(set(ids)) < len(ids):
            batch.fate = "failed:duplicate_custom_id"
        open_now = sum(not each.ended for each in self.batches.values())
        if len(requests) > self.options.most_requests or open_now >= self.options.most_open:
            batch.fate = "failed:token_limit_exceeded"
        self.batches[batch.id] = batch
        return await self._after("create", http, self.shown(batch))

    async def get(self, http: web.Request) -> web.StreamResponse:
        if refusal := self._before("poll", "batches"):
            return refusal
        batch = self.batches.get(http.match_info["id"])
        if batch is None:
            return problem(404, "No such batch.")
        return await self._after("poll", http, self.shown(batch))

    async def listing(self, http: web.Request) -> web.StreamResponse:
        if refusal := self._before("list", "batches"):
            return refusal
        newest = list(reversed(self.batches.values()))
        if after := http.query.get("after"):
            newest = newest[[each.id for each in newest].index(after) + 1 :]
        page = newest[: min(2, int(http.query.get("limit", "20")))]  # short pages, so that tests have several
        data = [self.shown(each) for each in page]
        return await self._after("list", http, {"object": "list", "data": data, "has_more": len(newest) > len(page)})

    async def cancel(self, http: web.Request) -> web.StreamResponse:
        batch = self.batches[http.match_info["id"]]
        batch.cancelled = True
        return web.json_response(self.shown(batch))

    async def content(self, http: web.Request) -> web.StreamResponse:
        if refusal := self._before("content", "files"):
            return refusal
        found = self.files.get(http.match_info["id"])
        if found is None:
            return problem(404, "No such file.")
        seconds = dict(each.split(":") for each in self.options.slow.split(",") if each).get("content")
        response = web.StreamResponse()
        await response.prepare(http)
        half = len(found) // 2
        await response.write(found[:half])
        await asyncio.sleep(float(seconds or 0))
        await response.write(found[half:])
        return response

    async def delete(self, http: web.Request) -> web.StreamResponse:
        if refusal := self._before("delete", "files"):
            return refusal
        name = http.match_info["id"]
        if name not in self.files:
            return problem(404, "No such file.")
        self.on_delete(name)
        self.deleted[name] = self.files.pop(name)
        return await self._after("delete", http, {"id": name, "object": "file", "deleted": True})

    async def chat(self, http: web.Request) -> web.StreamResponse:
        self.plain += 1
        return web.json_response(answered(await http.json()))

    async def stats(self, _: web.Request) -> web.StreamResponse:
        batches = [
            {"id": each.id, "state": self.shown(each)["status"], "keys": [line["custom_id"] for line in each.requests]}
            for each in self.batches.values()
        ]
        uploads = sum(content.startswith(b'{"custom_id"') for content in (self.files | self.deleted).values())
        told = {"batches": batches, "uploads": uploads, "files": [*self.files], "deleted": [*self.deleted]}
        return web.json_response({**told, "plain": self.plain, "calls": self.calls})

    def shown(self, batch: Batch) -> dict[str, Any]:
        """The batch object at this time; its files are made when it ends."""
        passed = (time.time() - batch.created) / max(self.options.latency, 1e-9)
        fate, _, how = batch.fate.partition(":")
        state = ("validating", "in_progress", "finalizing", "ended")[min(3, int(passed))]
        if state != "validating" and fate in ("failed", "faulty") and not batch.ended:
            batch.ended = "failed"
            line = 2 if fate == "faulty" else None
            message = NO_ROOM if how == "token_limit_exceeded" else f"The batch cannot be run: {how or 'invalid line'}."
            batch.faults = [{"code": how or "invalid_json_line", "message": message, "param": None, "line": line}]
        if (state == "ended" or batch.cancelled) and not batch.ended:
            batch.ended = "cancelled" if batch.cancelled else fate if fate in ("expired", "cancelled") else "completed"
            self._finish(batch, "cancelled" if batch.cancelled else fate, how)
        count = self._lines(batch.answers)
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "errors": {"object": "list", "data": batch.faults} if batch.faults else None,
            "input_file_id": batch.file,
            "completion_window": "24h",
            "status": batch.ended or state,
            "output_file_id": batch.answers or None,
            "error_file_id": batch.errors or None,
            "created_at": int(batch.created),
            "request_counts": {
                "total": len(batch.requests),
                "completed": count,
                "failed": self._lines(batch.errors),
            },
            "metadata": batch.metadata,
        }

    def _lines(self, name: str) -> int:
        return (self.files | self.deleted).get(name, b"").count(b"\n")

    def _finish(self, batch: Batch, fate: str, how: str) -> None:
        good, bad = list[bytes](), list[bytes]()
        for number, request in enumerate(batch.requests):
            spared = fate == "completed" or (number % 2 == 0 and not how.endswith(("none", "all")))
            body, error = request["body"], None
            if spared:
                response = self._response(body)
            elif fate == "errors":
                words = {"error": {"message": f"trouble {how}", "code": None}}
                response = {"status_code": int(how.partition(":")[0]), "request_id": f"r{number}", "body": words}
            elif fate == "lacking":
                continue
            else:
                response, error = None, EXPIRED if fate == "expired" else CANCELLED
            line = {"id": f"r{number}", "custom_id": request["custom_id"], "response": response, "error": error}
            (good if response and response["status_code"] == 200 else bad).append(orjson.dumps(line) + b"\n")
        random.Random(batch.id).shuffle(good)
        if good:
            batch.answers = self._store(b"".join(good))
        if bad:
            batch.errors = self._store(b"".join(bad))

    def _store(self, content: bytes) -> str:
        name = f"file-{len(self.files) + len(self.deleted)}"
        self.files[name] = content
        return name

    def _response(self, body: dict[str, Any]) -> dict[str, Any]:
        status, found = 200, answered(body)
        if self.options.bad and self.options.bad in orjson.dumps(body).decode():
            status, found = 400, {"error": {"message": "this prompt is not welcome", "code": None}}
        if (name := self.options.refuse) and name in body:
            message = f"Unsupported parameter: '{name}' is not supported with this model."
            status, found = 400, {"error": {"message": message, "param": name, "type": "invalid_request_error"}}
        return {"status_code": status, "request_id": "r", "body": found}

    def _before(self, call: str, path: str) -> web.Response | None:
        self.calls[call] = self.calls.get(call, 0) + 1
        if self.options.no_api == path:
            return problem(404, f"Unknown request URL: /v1/{path}.")
        for each in self.options.statuses.split(","):
            if each.startswith(f"{call}:") and self.calls[call] <= int(each.split(":")[2]):
                return problem(int(each.split(":")[1]), "not now")
        return None

    async def _after(self, call: str, http: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        for each in self.options.lost.split(","):
            if each.startswith(f"{call}:") and self.calls[call] <= int(each.split(":")[1]):
                assert http.transport is not None
                http.transport.close()
        for each in self.options.slow.split(","):
            if each.startswith(f"{call}:"):
                await asyncio.sleep(float(each.split(":")[1]))
        return web.json_response(body)


def answered(body: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request, which depends on the request alone."""
    return completion(body, random.Random(hashlib.sha256(orjson.dumps(body)).hexdigest()))


def problem(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "type": "invalid_request_error"}}, status=status)


def main() -> None:
    arguments = argparse.ArgumentParser()
    for name, value in vars(Options()).items():
        arguments.add_argument(f"--{name}", type=type(value), default=value)
    options = Options(**vars(arguments.parse_args()))

    async def serve() -> None:
        runner = web.AppRunner(BatchServer(options).app(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", options.port, reuse_address=True).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
