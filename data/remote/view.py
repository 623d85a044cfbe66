"""The plain copies of files on a store, for people and other programs: `export/`, `run.json`, `report.html` and so on.

A commit lists objects that never change. Their copies at the paths of the files are made after it, on the store itself.
`view.json` has the key of which each path is a copy, and is written last, so that copies that a crash interrupted are
finished by the next command. Shards have no copies: their objects lie in `shards/` themselves.

S3 replaces one object at a time. So `export/version.json` is deleted before the first file of an export changes, and
written after the last one: an export without it is not whole.
"""

import orjson

from skillmill.data.remote.object_store import ObjectStore
from skillmill.data.remote.tree import Tree, checked_path

VIEW = "view.json"
MARK = "export/version.json"
"""The file that shows that an export is whole."""
EXPORT = "export/"


def update_view(store: ObjectStore, tree: Tree, known: dict[str, str] | None) -> dict[str, str]:
    """Make the plain copies those of a commit, and return their keys by path.

    `known`: the keys as this process wrote them last; None reads them from the store. Raises `StoreError`.
    """
    have = read_view(store) if known is None else known
    want = {path: entry.key for path, entry in tree.items() if entry.shard is None}
    if have == want:
        return want
    changed = sorted(path for path, key in want.items() if have.get(path) != key)
    removed = [path for path in have if path not in want]
    if any(path.startswith(EXPORT) for path in [*changed, *removed]):
        store.delete([MARK])
        changed = [path for path in changed if path != MARK] + [MARK] * (MARK in want)
    last = [path for path in changed if path == MARK]
    store.copy([(want[path], path) for path in changed if path not in last])
    store.delete(path for path in removed if path != MARK)
    store.copy([(want[path], path) for path in last])
    store.write(VIEW, orjson.dumps(want, option=orjson.OPT_INDENT_2))
    return want


def read_view(store: ObjectStore) -> dict[str, str]:
    """Return of which key each plain copy is one, {} if nothing is known. Raises `StoreError`."""
    try:
        plain: dict[str, str] = orjson.loads(store.read(VIEW) or b"{}")
        return {checked_path(path): str(key) for path, key in plain.items()}
    except (orjson.JSONDecodeError, ValueError, AttributeError):
        return {}
