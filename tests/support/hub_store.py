"""The repositories of the small Hub: blobs, commits, branches, tags and pull requests, in memory."""

import hashlib
from dataclasses import dataclass, field
from typing import Any


class Refused(Exception):
    """The Hub answers with this status and message, and with an error code for the client if there is one."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


@dataclass(frozen=True)
class Blob:
    content: bytes
    is_lfs: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def git_id(self) -> str:
        """The id of the content in git; of a file in large file storage git has only a pointer."""
        stored = self.content
        if self.is_lfs:
            pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(stored)}\n"
            stored = pointer.encode()
        return hashlib.sha1(b"blob %d\0" % len(stored) + stored).hexdigest()


@dataclass(frozen=True)
class Commit:
    id: str
    title: str
    message: str
    parent: str | None
    files: dict[str, Blob]


@dataclass
class PullRequest:
    number: int
    title: str
    head: Commit
    status: str = "open"


@dataclass
class Repo:
    """A dataset repository. `stored` is its large file storage, by SHA-256."""

    name: str
    private: bool
    commits: dict[str, Commit] = field(default_factory=dict)
    main: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    pulls: list[PullRequest] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.main = self.add("initial commit", "", None, {".gitattributes": Blob(b"*.parquet filter=lfs\n", False)}).id

    @property
    def head(self) -> Commit:
        return self.commits[self.main]

    def add(self, title: str, message: str, parent: str | None, files: dict[str, Blob]) -> Commit:
        """Store a commit that no branch has yet."""
        content = repr((title, message, parent, sorted((path, blob.git_id) for path, blob in files.items())))
        commit = Commit(hashlib.sha1(content.encode()).hexdigest(), title, message, parent, files)
        self.commits[commit.id] = commit
        return commit

    def edit(self, path: str, content: bytes, title: str = "Update README.md") -> Commit:
        """Change a file as a person does on the page of the repository."""
        commit = self.add(title, "", self.main, {**self.head.files, path: Blob(content, False)})
        self.main = commit.id
        return commit

    def merge(self, number: int) -> Commit:
        """Merge a pull request as the Hub does: one commit whose title has the number."""
        pull = self.pulls[number - 1]
        pull.status = "merged"
        commit = self.add(f"{pull.title} (#{number})", pull.head.message, self.main, pull.head.files)
        self.main = commit.id
        return commit

    def at(self, revision: str) -> Commit:
        pulls = {f"refs/pr/{pull.number}": pull.head.id for pull in self.pulls}
        known = {"main": self.main, "refs/heads/main": self.main, **pulls, **self.tags}
        commit = self.commits.get(known.get(revision, revision))
        if commit is None:
            raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return commit

    def history(self, revision: str) -> list[Commit]:
        """Return the commits of a revision, newest first."""
        found, at = [], self.at(revision)
        while True:
            found.append(at)
            if at.parent is None:
                return found
            at = self.commits[at.parent]

    def apply(self, header: dict[str, Any], operations: list[dict[str, Any]], pull_request: bool) -> Commit:
        """Make a commit of the lines that the client sent, on main or as a pull request."""
        parent = header.get("parentCommit")
        if parent is not None and parent != self.main and not pull_request:
            raise Refused(412, "A commit has happened since. Please refresh and try again.")
        files = dict(self.at(parent or "main").files)
        for operation in operations:
            self._change(files, operation["key"], operation["value"])
        commit = self.add(header["summary"], header["description"], parent or self.main, files)
        if pull_request:
            self.pulls.append(PullRequest(len(self.pulls) + 1, commit.title, commit))
        else:
            self.main = commit.id
        return commit

    def _change(self, files: dict[str, Blob], key: str, value: dict[str, Any]) -> None:
        import base64

        path = value["path"]
        if key == "file":
            assert value["encoding"] == "base64"
            files[path] = Blob(base64.b64decode(value["content"], validate=True), False)
        elif key == "lfsFile":
            content = self.stored.get(value["oid"])
            if value["algo"] != "sha256" or content is None or len(content) != value["size"]:
                raise Refused(400, f"LFS pointer of {path} points to a file that was not uploaded")
            files[path] = Blob(content, True)
        elif key == "deletedFile":
            if files.pop(path, None) is None:
                raise Refused(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
        else:
            raise Refused(400, f"unknown operation {key}")
