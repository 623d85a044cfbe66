"""The copy of an output directory on a store: commits, races, kills at any request, and damage."""

import shutil
from collections.abc import Callable, Iterator
from functools import partial, partialmethod
from pathlib import Path
from typing import Any

import fsspec
import orjson
import pytest
from example_rows import example_row
from s3_server import S3Server

from skillmill.data.errors import ConfigError, StoreError
from skillmill.data.records import Sample
from skillmill.data.remote.commits import CHANGES, LostRace, newest_commit
from skillmill.data.remote.object_store import ObjectStore
from skillmill.data.remote.replica import DISPLACED, Replica
from skillmill.data.remote.url import cache_folder, check_url
from skillmill.data.store import ShardStore, all_stores, sample_store

PLAN = "a" * 16


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The objects of a store in memory, by the interface of all stores of fsspec."""
    memory = fsspec.filesystem("memory", skip_instance_cache=True)
    memory.store.clear()
    memory.mkdirs("bucket", exist_ok=True)
    monkeypatch.setattr(fsspec, "filesystem", lambda *_, **__: memory)
    return memory


@pytest.fixture
def s3() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.stop()


URL = "s3://bucket/data/run"


def objects(store: Any, url: str = URL) -> dict[str, bytes]:
    """The objects below a URL by their keys relative to it."""
    root = url.removeprefix("s3:/")
    return {key.removeprefix(f"{root}/"): store.cat_file(key) for key in store.find(root)}


def replica_in(folder: Path, url: str, writes: bool = True) -> Replica:
    """The open copy on a machine whose work directory is `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    replica = Replica(url, folder / "output", folder)
    replica.open(writes)
    return replica


def commit(store: ShardStore, start: int, stop: int) -> None:
    rows = [example_row(Sample(f"What is {i}?", f"It is {i}."), plan=PLAN, index=i) for i in range(start, stop)]
    store.commit(PLAN, start, stop, rows, cells=stop - start, accepted=stop - start)


def files(root: Path) -> dict[str, bytes]:
    if (root / "manifest.jsonl").exists():
        sample_store(root).tidy()
    found = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in found if not path.name.startswith(".")}


def put(root: Path, **contents: str) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (root / f"{name}.json").write_text(content)


def samples_of(replica: Replica) -> ShardStore:
    """The store of samples in a copy, which publishes each shard."""
    stores = all_stores(replica.root)
    stores[0].recover()
    stores[0].after_commit = partial(replica.publish, stores)
    return stores[0]


def test_another_machine_gets_the_files_and_goes_on(store: Any, tmp_path: Path) -> None:
    first = replica_in(tmp_path / "first", URL)
    samples = samples_of(first)
    commit(samples, 0, 2)
    put(first.root, run="1")
    commit(samples, 0, 3)  # replaces the short shard
    commit(samples, 3, 6)
    put(first.root / "export", version="{}")
    first.publish()
    first.close()

    second = replica_in(tmp_path / "second", URL)
    assert files(second.root) == files(first.root)
    assert sample_store(second.root).shards == samples.shards
    commit(samples_of(second), 6, 8)
    put(second.root, run="2")
    (second.root / "export" / "version.json").unlink()
    second.publish()
    replica_in(tmp_path / "first", URL)
    assert newest_commit(ObjectStore(URL)).number == 6
    assert files(first.root) == files(second.root)


def test_what_lies_on_the_store(store: Any, tmp_path: Path) -> None:
    replica = replica_in(tmp_path / "here", URL)
    samples = samples_of(replica)
    for stop in (2, 3):
        put(replica.root, run=str(stop))
        commit(samples, 0, stop)
    there = objects(store)
    [shard] = [key for key in there if key.startswith("shards/part-aaaaaaaa-000000000000-")]
    assert there[shard] == (replica.root / samples.shards[0].file).read_bytes()
    assert there["run.json"] == b"3"
    assert sorted(key for key in there if key.startswith("manifest/")) == [f"manifest/{n:012}.json" for n in (1, 2)]
    assert orjson.loads(there["manifest/000000000002.json"])["files"].keys() == {samples.shards[0].file, "run.json"}
    assert orjson.loads(there["writer.json"]).keys() == {"host", "process", "since"}
    replica.close()
    assert "writer.json" not in objects(store)
    assert replica.delete_unlisted(dry_run=False) == 0


def test_of_two_writers_one_loses_and_goes_on_after_the_other(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.environment(tmp_path / "cache").items():
        monkeypatch.setenv(name, value)
    url = f"s3://{s3.bucket()}/run"
    first, second = replica_in(tmp_path / "first", url), replica_in(tmp_path / "second", url)
    put(first.root, run="first", notes="one")
    put(second.root, run="second", ledger="two")
    first.publish()
    with pytest.raises(LostRace, match=r"^output_dir: s3://\S+: another run has stored commit 000000000001 meanwhile"):
        second.publish()
    second.publish()  # nothing more is tried
    assert s3.objects(url)["run.json"] == b"first"
    again = replica_in(tmp_path / "second", url)
    assert files(again.root) == files(first.root)
    assert (again.work / DISPLACED / "0001" / "ledger.json").read_text() == "two"
    put(again.root, run="third")
    again.publish()
    with pytest.raises(LostRace):
        put(first.root, run="fourth")
        first.publish()
    assert again.delete_unlisted(dry_run=True) == len("second") + len("two") + len("fourth")
    again.delete_unlisted(dry_run=False)
    assert again.delete_unlisted(dry_run=False) == 0
    assert files(replica_in(tmp_path / "third", url).root) == files(again.root)


def test_a_commit_that_an_interrupted_call_wrote_is_no_lost_race(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = replica_in(tmp_path / "here", URL)
    create = ObjectStore.create

    def interrupted(self: ObjectStore, key: str, content: bytes) -> bool:
        create(self, key, content)
        raise KeyboardInterrupt

    put(replica.root, run="1")
    with monkeypatch.context() as patched:
        patched.setattr(ObjectStore, "create", interrupted)
        with pytest.raises(KeyboardInterrupt):
            replica.publish()
    put(replica.root, run="2")
    replica.publish()
    assert newest_commit(ObjectStore(URL)).number == 2
    assert files(replica_in(tmp_path / "other", URL).root) == {"run.json": b"2"}


class Killed(BaseException):
    """A process that is killed."""


def killed_at(moment: int, after: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the call of the store with this number end in `Killed`, before or after its work."""
    calls = 0
    for name in ("names", "read", "write", "create", "upload", "download", "copy", "delete"):

        def call(self: ObjectStore, *args: Any, work: Callable[..., Any]) -> Any:
            nonlocal calls
            calls += 1
            if calls == moment and not after:
                raise Killed
            result = work(self, *args)
            if calls == moment:
                raise Killed
            return result

        monkeypatch.setattr(ObjectStore, name, partialmethod(call, work=getattr(ObjectStore, name)))


def test_killed_at_any_request_it_ends_with_the_same_files(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def command(folder: Path, url: str) -> dict[str, bytes]:
        """Two shards of which the first is continued, and an export that replaces another one."""
        replica = replica_in(folder, url)
        samples = samples_of(replica)
        for start, stop in ((0, 2), (0, 3), (3, 5)):
            if not samples.shards or samples.shards[-1].stop < stop:
                commit(samples, start, stop)
            if stop != 2:
                shutil.rmtree(replica.root / "export", ignore_errors=True)
                put(replica.root / "export", version=str(stop), **{f"rows{stop}": "rows", "all": f"{stop} rows"})
                replica.publish()
        replica.close()
        return files(replica.root)

    whole, moment, is_killed = command(tmp_path / "whole", "s3://bucket/whole"), 0, True
    assert {"export/version.json", "export/rows5.json", "export/all.json", "manifest.jsonl"} < whole.keys()
    while is_killed:
        moment += 1
        after, other = bool(moment % 2), bool(moment // 2 % 2)
        name = f"{moment}-{after}-{other}"
        url, here = f"s3://bucket/{name}", tmp_path / name
        with monkeypatch.context() as patched:
            killed_at(moment, after, patched)
            try:
                command(here, url)
                is_killed = False
            except Killed:
                is_killed = True
        there = tmp_path / f"{name}-there" if other else here
        assert command(there, url) == whole, name
        replica = replica_in(there, url)
        replica.delete_unlisted(dry_run=False)
        left, tree = objects(store, url), newest_commit(ObjectStore(url)).tree
        listed = {entry.key for entry in tree.values()}
        plain = {path for path, entry in tree.items() if entry.shard is None}
        commits = {f"manifest/{n + 1:012}.json" for n in range(newest_commit(ObjectStore(url)).number)}
        assert left.keys() == listed | plain | commits | {"view.json", "writer.json"}, name
        assert all(left[path] == whole[path] for path in plain), name
    assert moment > 30


def test_many_shards_are_listed_by_what_changed(store: Any, tmp_path: Path) -> None:
    replica = replica_in(tmp_path / "here", URL)
    many = {f"file{number}": str(number) for number in range(CHANGES + 20)}
    put(replica.root, **many)
    replica.publish()
    for number in range(3):
        put(replica.root, run=str(number))
        (replica.root / f"file{number}.json").unlink()
        replica.publish()
    last = orjson.loads(objects(store)["manifest/000000000004.json"])
    assert (last["base"], [*last["files"]], len(last["removed"])) == (1, ["run.json"], 3)
    put(replica.root, **dict.fromkeys(many, "new"))
    replica.publish()
    assert orjson.loads(objects(store)["manifest/000000000005.json"])["base"] is None
    assert files(replica_in(tmp_path / "there", URL).root) == files(replica.root)


def test_a_cache_that_lost_files_gets_them_again(store: Any, tmp_path: Path) -> None:
    replica = replica_in(tmp_path / "here", URL)
    samples = samples_of(replica)
    commit(samples, 0, 3)
    put(replica.root, run="1")
    put(replica.root / "export", version="1")
    replica.publish()
    before = files(replica.root)
    (replica.root / samples.shards[0].file).unlink()
    (replica.root / "run.json").unlink()
    assert files(replica_in(tmp_path / "here", URL).root) == before
    shutil.rmtree(replica.root)
    assert files(replica_in(tmp_path / "here", URL).root) == before


def test_a_bucket_that_was_emptied_starts_anew_and_the_copy_is_kept(store: Any, tmp_path: Path) -> None:
    replica = replica_in(tmp_path / "here", URL)
    put(replica.root, run="1")
    replica.publish()
    store.rm("/bucket/data/run", recursive=True)
    again = replica_in(tmp_path / "here", URL)
    assert files(again.root) == {}
    assert (again.work / DISPLACED / "0001" / "run.json").read_text() == "1"


def test_late_copies_of_another_writer_are_made_right(
    store: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    replica = replica_in(tmp_path / "here", URL)
    put(replica.root, run="1")
    replica.publish()
    store.pipe_file("/bucket/data/run/writer.json", b'{"host": "elsewhere", "process": 7, "since": "2026-11-29T10:00"}')
    replica = replica_in(tmp_path / "here", URL)
    assert "was last used by process 7 on host elsewhere, since 2026-11-29T10:00" in caplog.text
    store.pipe_file("/bucket/data/run/run.json", b"late")
    replica.close()
    assert objects(store)["run.json"] == b"1"
    assert "writer.json" not in objects(store)


def test_files_that_people_put_there_are_taken_over(store: Any, tmp_path: Path) -> None:
    store.pipe_file("/bucket/data/run/taxonomy.yaml", b"mine")
    store.pipe_file("/bucket/data/run/overrides.jsonl", b"{}")
    replica = replica_in(tmp_path / "here", URL)
    assert files(replica.root) == {"taxonomy.yaml": b"mine", "overrides.jsonl": b"{}"}
    replica.publish()
    store.pipe_file("/bucket/data/run/taxonomy.yaml", b"edited")
    store.rm_file("/bucket/data/run/overrides.jsonl")
    assert files(replica_in(tmp_path / "here", URL).root) == {"taxonomy.yaml": b"edited"}


@pytest.mark.parametrize(
    ("key", "content", "message"),
    [
        ("manifest/000000000002.json", b"{}", "000000000002.json is not a commit of skillmill"),
        ("manifest/000000000002.json", b"[", "000000000002.json is not a commit of skillmill"),
        (None, b"damaged", "the object of run.json is damaged"),
    ],
)
def test_what_is_damaged_on_the_store_is_refused(
    store: Any, tmp_path: Path, key: str | None, content: bytes, message: str
) -> None:
    replica = replica_in(tmp_path / "here", URL)
    put(replica.root, run="1")
    replica.publish()
    store.pipe_file(f"/bucket/data/run/{key or newest_commit(ObjectStore(URL)).tree['run.json'].key}", content)
    with pytest.raises(StoreError, match=message):
        replica_in(tmp_path / "there", URL)
    assert files(tmp_path / "there" / "output") == {}


@pytest.mark.parametrize("path", ["../evil", "/evil", "a/../../evil", ".ssh/keys", "a//b", "shards/part.parquet"])
def test_a_commit_with_a_path_that_leads_elsewhere_is_refused(store: Any, tmp_path: Path, path: str) -> None:
    replica = replica_in(tmp_path / "here", URL)
    put(replica.root, run="1")
    replica.publish()
    commit = orjson.loads(objects(store)["manifest/000000000001.json"])
    commit["files"][path] = commit["files"]["run.json"]
    store.pipe_file("/bucket/data/run/manifest/000000000001.json", orjson.dumps(commit))
    with pytest.raises(StoreError, match="is not a commit of skillmill"):
        newest_commit(ObjectStore(URL))


def test_a_store_without_conditional_writes_is_refused(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(self: ObjectStore, key: str, content: bytes) -> bool:
        self.write(key, content)
        return True

    monkeypatch.setattr(ObjectStore, "create", careless)
    replica = replica_in(tmp_path / "here", URL)
    put(replica.root, run="1")
    with pytest.raises(StoreError, match=r"^output_dir: s3://.* in spite of If-None-Match"):
        replica.publish()


@pytest.mark.parametrize(
    "url",
    ["http://host/run", "s3:///run", "s3://", "s3://b/../c", "s3://key:secret@bucket/run", "s3://b/r*n", "s3://b/r n"],
)
def test_an_url_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"^expected a") as error:
        check_url(url)
    assert "secret" not in str(error.value)


def test_each_url_has_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert check_url("s3://bucket/run/") == "s3://bucket/run"
    folders = [
        cache_folder(url) for url in ("s3://bucket/run", "gs://bucket/run", "s3://bucket-run", "s3://bucket/RUN")
    ]
    assert len(set(folders)) == len(folders)
    assert all(folder.parent == tmp_path / "skillmill" / "runs" for folder in folders)


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gcsfs", None)
    with pytest.raises(ConfigError, match=r"^output_dir: gs:// needs more packages .* pip install 'skillmill\[gs\]'$"):
        ObjectStore("gs://bucket/run")
