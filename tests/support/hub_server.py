"""A small Hugging Face Hub on loopback: the calls that `huggingface_hub` makes for a dataset repository.

It checks what it is sent: tokens and their rights, the SHA-256 and the size of uploads, the parent of a commit. `fail`
makes a call fail, `hold` stops it until the test goes on; `calls` has the name of each call that came.
"""

import asyncio
import hashlib
import secrets
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import yaml
from aiohttp import web
from hub_store import Blob, PullRequest, Refused, Repo

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
REPO = "/api/datasets/{owner}/{name}"
DATE = "2026-11-28T00:00:00.000Z"


@dataclass
class Fault:
    """What happens to the next `times` calls: a status, or a connection that is dropped before or after its effect."""

    kind: str
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    body: str = '{"error": "the Hub has a bad day"}'


@dataclass
class Hold:
    """A call that waits. `came`: it is there. It has an effect before `came`, or none before `release`.

    `is_dropped`: it has no effect after `release` either, because its sender is gone.
    """

    has_effect: bool = False
    is_dropped: bool = False
    came: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)


class HubServer:
    """A Hub in a thread of its own; `with HubServer() as hub`."""

    def __init__(self, page: int = 1000) -> None:
        self.page = page
        self.repos: dict[str, Repo] = {}
        self.tokens: dict[str, set[str]] = {"hf_writer": {"read", "write"}, "hf_reader": {"read"}, "hf_blind": set()}
        self.calls: list[str] = []
        self.read: list[str] = []
        """The path of each file that was read, or a part of it, in the order of the calls."""
        self.faults: dict[str, list[Fault]] = {}
        self.holds: dict[str, Hold] = {}
        self.expected: dict[str, tuple[str, int]] = {}
        """The SHA-256 and size of the upload that each signature allows."""

    def fail(self, call: str, kind: str, times: int = 1, **more: Any) -> None:
        self.faults.setdefault(call, []).append(Fault(kind, times, **more))

    def hold(self, call: str, has_effect: bool = False) -> Hold:
        self.holds[call] = Hold(has_effect)
        return self.holds[call]

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a process that uses this Hub as somebody who may write."""
        return {
            "HF_ENDPOINT": self.address,
            "HF_TOKEN": "hf_writer",
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
        }

    def __enter__(self) -> "HubServer":
        self._loop = asyncio.new_event_loop()
        started = threading.Event()

        async def serve() -> None:
            runner = web.AppRunner(self._app(), shutdown_timeout=0)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            assert site._server is not None
            port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
            self.address = f"http://127.0.0.1:{port}"
            self._runner = runner
            started.set()

        def run() -> None:
            self._loop.run_until_complete(serve())
            self._loop.run_forever()
            self._loop.run_until_complete(self._runner.cleanup())

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        assert started.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        for hold in self.holds.values():
            hold.release.set()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=1 << 30)
        routes: list[tuple[str, str, str, Handler]] = [
            ("create", "POST", "/api/repos/create", self.create),
            ("validate-yaml", "POST", "/api/validate-yaml", self.validate_yaml),
            ("info", "GET", REPO, self.info),
            ("info", "GET", REPO + "/revision/{revision}", self.info),
            ("refs", "GET", REPO + "/refs", self.refs),
            ("commits", "GET", REPO + "/commits/{revision}", self.commits),
            ("tree", "GET", REPO + "/tree/{revision}", self.tree),
            ("tree", "GET", REPO + "/tree/{revision}/{path:.+}", self.tree),
            ("paths-info", "POST", REPO + "/paths-info/{revision}", self.paths_info),
            ("discussions", "GET", REPO + "/discussions", self.discussions),
            ("preupload", "POST", REPO + "/preupload/{revision}", self.preupload),
            ("batch", "POST", "/datasets/{owner}/{name}.git/info/lfs/objects/batch", self.batch),
            ("put", "PUT", "/storage/{owner}/{name}/{oid}", self.put),
            ("verify", "POST", "/storage/{owner}/{name}/verify", self.verify),
            ("commit", "POST", REPO + "/commit/{revision}", self.commit),
            ("tag", "POST", REPO + "/tag/{revision}", self.tag),
            ("resolve", "GET", "/datasets/{owner}/{name}/resolve/{revision}/{path:.+}", self.resolve),
        ]
        for call, method, path, handler in routes:
            app.router.add_route(method, path, self._wrapped(call, handler))
            if call == "resolve":
                app.router.add_route("HEAD", path, self._wrapped(call, handler))
        return app

    def _wrapped(self, call: str, handler: Handler) -> Handler:
        async def handle(http: web.Request) -> web.StreamResponse:
            self.calls.append(call)
            hold = self.holds.get(call)
            if hold and not hold.has_effect:
                await _wait(hold)
                if hold.is_dropped:
                    return _dropped(http)
            fault = self._next_fault(call)
            if fault and fault.kind.isdecimal():
                await http.read()
                headers = {"Content-Type": "application/json", **fault.headers}
                return web.Response(text=fault.body, status=int(fault.kind), headers=headers)
            if fault and fault.kind == "drop_before":
                return _dropped(http)
            try:
                answer = await handler(http)
            except Refused as refused:
                headers = {"X-Error-Message": refused.message}
                headers |= {"X-Error-Code": refused.code} if refused.code else {}
                answer = web.json_response({"error": refused.message}, status=refused.status, headers=headers)
            if hold and hold.has_effect:
                await _wait(hold)
            return _dropped(http) if fault else answer

        return handle

    def _next_fault(self, call: str) -> Fault | None:
        waiting = self.faults.get(call, [])
        if not waiting:
            return None
        waiting[0].times -= 1
        return waiting.pop(0) if waiting[0].times == 0 else waiting[0]

    def _rights(self, http: web.Request) -> set[str] | None:
        """Return the rights of the token, None without one."""
        token = http.headers.get("Authorization", "").removeprefix("Bearer ")
        if not token:
            return None
        if token not in self.tokens:
            raise Refused(401, "Invalid credentials in Authorization header")
        return self.tokens[token]

    def _repo(self, http: web.Request, right: str = "read") -> Repo:
        rights = self._rights(http)
        repo = self.repos.get(f"{http.match_info['owner']}/{http.match_info['name']}")
        if repo is None or (repo.private and "read" not in (rights or set())):
            raise Refused(401 if rights is None else 404, "Repository not found", "RepoNotFound")
        if right == "write" and "write" not in (rights or set()):
            raise Refused(401 if rights is None else 403, "You need write access to this repository")
        return repo

    async def create(self, http: web.Request) -> web.Response:
        if "write" not in (self._rights(http) or set()):
            raise Refused(403, "You don't have the rights to create a dataset under the namespace")
        body = await http.json()
        assert body["type"] == "dataset"
        name = f"{body['organization']}/{body['name']}"
        url = {"url": f"{self.address}/datasets/{name}"}
        if name in self.repos:
            return web.json_response({"error": "You already created this dataset repo", **url}, status=409)
        self.repos[name] = Repo(name, body["visibility"] == "private")
        return web.json_response(url)

    async def validate_yaml(self, http: web.Request) -> web.Response:
        body = await http.json()
        try:
            header = body["content"].split("---\n")[1] if body["content"].startswith("---\n") else ""
            yaml.safe_load(header)
        except yaml.YAMLError as error:
            return web.json_response({"errors": [{"message": str(error)}], "warnings": []}, status=400)
        warned = [] if header else [{"message": "empty or missing yaml metadata in repo card"}]
        return web.json_response({"errors": [], "warnings": warned})

    async def info(self, http: web.Request) -> web.Response:
        repo = self._repo(http)
        commit = repo.at(http.match_info.get("revision", "main"))
        files = [{"rfilename": path} for path in commit.files]
        return web.json_response(
            {"id": repo.name, "sha": commit.id, "private": repo.private, "siblings": files, "lastModified": DATE}
        )

    async def refs(self, http: web.Request) -> web.Response:
        repo = self._repo(http)
        branches = [{"name": "main", "ref": "refs/heads/main", "targetCommit": repo.main}]
        tags = [{"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": at} for tag, at in repo.tags.items()]
        return web.json_response({"branches": branches, "converts": [], "tags": tags, "pullRequests": []})

    async def commits(self, http: web.Request) -> web.Response:
        history = self._repo(http).history(http.match_info["revision"])
        return self._paged(
            http,
            [
                {"id": each.id, "title": each.title, "message": each.message, "authors": [], "date": DATE}
                for each in history
            ],
        )

    async def tree(self, http: web.Request) -> web.Response:
        commit = self._repo(http).at(http.match_info["revision"])
        below = http.match_info.get("path", "").strip("/")
        found = {path: blob for path, blob in commit.files.items() if not below or path.startswith(f"{below}/")}
        if below and not found:
            raise Refused(404, f"{below} does not exist", "EntryNotFound")
        depth = below.count("/") + 1 if below else 0
        folders = {"/".join(path.split("/")[: n + 1]) for path in found for n in range(depth, path.count("/"))}
        entries = [_entry(path, blob) for path, blob in found.items()]
        entries += [{"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in folders]
        if http.query.get("recursive", "").lower() not in ("1", "true"):
            entries = [entry for entry in entries if entry["path"].count("/") == depth]
        return self._paged(http, sorted(entries, key=lambda entry: str(entry["path"])))

    def _paged(self, http: web.Request, entries: list[dict[str, Any]]) -> web.Response:
        start = int(http.query.get("cursor", 0))
        stop, headers = start + self.page, {}
        if stop < len(entries):
            following = http.url.update_query(cursor=stop)
            headers["Link"] = f'<{self.address}{following.raw_path_qs}>; rel="next"'
        return web.json_response(entries[start:stop], headers=headers)

    async def paths_info(self, http: web.Request) -> web.Response:
        commit = self._repo(http).at(http.match_info["revision"])
        wanted = [str(path).strip("/") for path in (await http.post()).getall("paths", [])]
        entries: list[dict[str, Any]] = []
        for path in wanted:
            if path in commit.files:
                entries.append(_entry(path, commit.files[path]))
            elif any(each.startswith(f"{path}/") for each in commit.files):
                entries.append({"type": "directory", "path": path, "oid": "0" * 40, "size": 0})
        return web.json_response(entries)

    async def discussions(self, http: web.Request) -> web.Response:
        repo = self._repo(http)
        status = http.query.get("status")
        found = [_discussion(repo, pull) for pull in repo.pulls if status in (None, pull.status)]
        return web.json_response({"count": len(found), "start": 0, "discussions": found})

    async def preupload(self, http: web.Request) -> web.Response:
        repo = self._repo(http, "read" if http.query.get("create_pr") else "write")
        head, answers = repo.at(http.match_info["revision"]), []
        for file in (await http.json())["files"]:
            is_lfs = file["path"].endswith((".parquet", ".png"))
            blob = head.files.get(file["path"])
            oid = (blob.sha256 if blob.is_lfs else blob.git_id) if blob else None
            mode = "lfs" if is_lfs else "regular"
            answers.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return web.json_response({"files": answers})

    async def batch(self, http: web.Request) -> web.Response:
        repo = self._repo(http)
        body = await http.json()
        assert body["operation"] == "upload"
        assert "basic" in body["transfers"]
        objects = []
        for each in body["objects"]:
            if each["oid"] in repo.stored:
                objects.append(each)
                continue
            signature = secrets.token_hex(8)
            self.expected[signature] = each["oid"], each["size"]
            place = f"{self.address}/storage/{repo.name}"
            upload = {"href": f"{place}/{each['oid']}?signature={signature}"}
            objects.append({**each, "actions": {"upload": upload, "verify": {"href": f"{place}/verify"}}})
        return web.json_response({"transfer": "basic", "objects": objects})

    async def put(self, http: web.Request) -> web.Response:
        content = await http.read()
        allowed = self.expected.get(http.query.get("signature", ""))
        sent = hashlib.sha256(content).hexdigest(), len(content)
        if allowed != sent or http.match_info["oid"] != sent[0]:
            raise Refused(400, "the upload has another checksum or size than it was announced with")
        self.repos[f"{http.match_info['owner']}/{http.match_info['name']}"].stored[sent[0]] = content
        return web.Response()

    async def verify(self, http: web.Request) -> web.Response:
        repo, body = self._repo(http), await http.json()
        if len(repo.stored.get(body["oid"], b"")) != body["size"]:
            raise Refused(404, "the object was not uploaded")
        return web.json_response({})

    async def commit(self, http: web.Request) -> web.Response:
        pull_request = http.query.get("create_pr") == "1"
        repo = self._repo(http, "read" if pull_request else "write")
        assert http.content_type == "application/x-ndjson"
        header, *operations = [orjson.loads(line) for line in (await http.read()).splitlines()]
        assert header["key"] == "header"
        assert http.match_info["revision"] == "main"
        commit = repo.apply(header["value"], operations, pull_request)
        answer = {"commitUrl": f"{self.address}/datasets/{repo.name}/commit/{commit.id}", "commitOid": commit.id}
        if pull_request:
            answer["pullRequestUrl"] = f"{self.address}/datasets/{repo.name}/discussions/{len(repo.pulls)}"
        return web.json_response(answer)

    async def tag(self, http: web.Request) -> web.Response:
        repo = self._repo(http, "write")
        name = (await http.json())["tag"]
        commit = repo.at(http.match_info["revision"])
        if name in repo.tags:
            raise Refused(409, f"Tag reference exists already: {name}")
        repo.tags[name] = commit.id
        return web.json_response({})

    async def resolve(self, http: web.Request) -> web.StreamResponse:
        commit = self._repo(http).at(http.match_info["revision"])
        blob = commit.files.get(http.match_info["path"])
        if blob is None:
            raise Refused(404, "Entry not found", "EntryNotFound")
        if http.method == "GET":
            self.read.append(http.match_info["path"])
        etag = blob.sha256 if blob.is_lfs else blob.git_id
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": commit.id, "Accept-Ranges": "bytes"}
        if blob.is_lfs:
            headers |= {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(blob.content))}
        if "Range" not in http.headers:
            return web.Response(body=blob.content, headers=headers)
        part = range(len(blob.content))[http.http_range]
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{len(blob.content)}"
        return web.Response(body=blob.content[part.start : part.stop], headers=headers, status=206)


async def _wait(hold: Hold) -> None:
    hold.came.set()
    await asyncio.to_thread(hold.release.wait)


def _dropped(http: web.Request) -> web.Response:
    if http.transport is not None:  # the client may be gone
        http.transport.abort()
    return web.Response()


def _entry(path: str, blob: Blob) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "oid": blob.git_id, "size": len(blob.content)}
    if blob.is_lfs:
        entry["lfs"] = {"oid": blob.sha256, "size": len(blob.content), "pointerSize": 134}
    return entry


def _discussion(repo: Repo, pull: PullRequest) -> dict[str, Any]:
    return {
        "title": pull.title,
        "num": pull.number,
        "author": {"name": "someone"},
        "createdAt": DATE,
        "status": pull.status,
        "repo": {"name": repo.name, "type": "dataset"},
        "isPullRequest": True,
    }
