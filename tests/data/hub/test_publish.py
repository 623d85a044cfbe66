"""A publication: what it sends, what it recognises, and what it refuses."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hub_server import HubServer
from hub_store import Repo

from skillmill.data.errors import SkillmillError
from skillmill.data.hub.publish import Publication, PublishResult, Release, preview_release
from skillmill.data.hub.session import open_repository

NAME = "someone/skills"
Publish = Callable[..., PublishResult]
READS = {"info", "commits", "refs", "tree", "discussions"}


def titles(repo: Repo) -> list[str]:
    return [commit.title for commit in reversed(repo.history("main"))]


def add_version(folder: Path) -> None:
    """Change the folder as an export of a further version does: old files stay, one goes, the card changes."""
    (folder / "sft" / "train-v0002.parquet").write_bytes(b"PAR1 second" * 50)
    (folder / "preference" / "train-v0001.parquet").unlink()
    (folder / "README.md").write_bytes(b"---\nlicense: apache-2.0\n---\n# skills v2\n")


def test_the_next_version_sends_what_is_new_and_deletes_what_is_gone(
    hub: HubServer, folder: Path, publish: Publish
) -> None:
    hub.page = 3  # lists come in pages
    publish()
    first, stored = hub.repos[NAME].head, set(hub.repos[NAME].stored)
    hub.repos[NAME].tags["other"] = first.id
    add_version(folder)
    result = publish("v2", earlier=("v1",), own_folders=frozenset({"preference"}))
    repo = hub.repos[NAME]
    assert titles(repo) == ["initial commit", "skillmill v1 (111111111111)", "skillmill v2 (222222222222)"]
    assert repo.tags == {"v1": first.id, "other": first.id, "v2": repo.main}
    assert sorted(repo.head.files) == [
        ".gitattributes", "README.md", "sft/notes.txt", "sft/train-v0001.parquet", "sft/train-v0002.parquet",
        "version.json",
    ]  # fmt: skip
    assert len(set(repo.stored) - stored) == 1
    assert result.url == f"{hub.address}/datasets/{NAME}/tree/v2"


def test_a_published_version_is_left_alone_even_if_the_card_was_edited_since(hub: HubServer, publish: Publish) -> None:
    publish()
    hub.repos[NAME].edit("README.md", b"# better words\n")
    hub.calls.clear()
    result = publish()
    assert not result.is_new
    assert result.tag == "v1"
    assert set(hub.calls) <= READS
    assert titles(hub.repos[NAME])[-1] == "Update README.md"


def test_a_card_that_was_made_anew_waits_for_the_next_version(
    hub: HubServer, folder: Path, publish: Publish, caplog: pytest.LogCaptureFixture
) -> None:
    publish()
    assert not publish().is_new
    assert "differs" not in caplog.text
    (folder / "README.md").write_bytes(b"# better words\n")
    assert not publish().is_new
    assert f"the next version brings what differs in {folder}: README.md" in caplog.text


def test_a_missing_tag_is_added_at_the_commit_of_the_version(hub: HubServer, publish: Publish) -> None:
    made = publish().commit
    hub.repos[NAME].edit("README.md", b"# better words\n")
    hub.repos[NAME].tags.clear()
    result = publish()
    assert result.is_new
    assert hub.repos[NAME].tags == {"v1": made}
    assert len(titles(hub.repos[NAME])) == 3


def test_a_version_whose_tag_is_missing_gets_it_before_the_next_one(
    hub: HubServer, folder: Path, publish: Publish
) -> None:
    made = publish().commit
    hub.repos[NAME].tags.clear()
    add_version(folder)
    publish("v2", earlier=("v1",))
    assert hub.repos[NAME].tags == {"v1": made, "v2": hub.repos[NAME].main}


def test_a_tag_at_another_commit_is_refused(hub: HubServer, publish: Publish) -> None:
    repo = hub.repos[NAME] = Repo(NAME, private=True)
    repo.tags["v1"] = repo.main
    with pytest.raises(
        SkillmillError, match=r"has a tag v1 already, at commit [0-9a-f]{12} \(initial commit\)"
    ) as told:
        publish()
    assert "\n" not in str(told.value)
    assert len(titles(repo)) == 1


def test_a_head_that_moved_is_never_overwritten_but_with_its_name(
    hub: HubServer, folder: Path, publish: Publish
) -> None:
    publish()
    moved = hub.repos[NAME].edit("README.md", b"# better words\n")
    add_version(folder)
    with pytest.raises(SkillmillError, match=f"publish with --parent {moved.id[:12]}"):
        publish("v2", earlier=("v1",))
    with pytest.raises(SkillmillError, match=f"--parent: expected the head of {NAME}, {moved.id[:12]}"):
        publish("v2", earlier=("v1",), parent="0" * 12)
    assert hub.repos[NAME].head is moved
    publish("v2", earlier=("v1",), parent=moved.id[:12])
    assert hub.repos[NAME].head.parent == moved.id
    assert hub.repos[NAME].head.files["README.md"].content.endswith(b"v2\n")


def test_a_head_that_moves_during_the_upload_is_not_overwritten(hub: HubServer, folder: Path, publish: Publish) -> None:
    from threading import Thread

    publish()
    add_version(folder)
    hold = hub.hold("commit")

    def edit() -> None:
        assert hold.came.wait(60)
        hub.repos[NAME].edit("README.md", b"# better words\n")
        hold.release.set()

    (editor := Thread(target=edit)).start()
    with pytest.raises(SkillmillError, match=r"\(Update README.md\) is no version of this dataset"):
        publish("v2", earlier=("v1",))
    editor.join()
    assert titles(hub.repos[NAME])[-1] == "Update README.md"


def test_a_repository_with_files_of_somebody_else_is_not_overwritten(hub: HubServer, publish: Publish) -> None:
    repo = hub.repos[NAME] = Repo(NAME, private=True)
    repo.edit("README.md", b"# another dataset\n", "Create README.md")
    with pytest.raises(SkillmillError, match=r"\(Create README.md\) is no version of this dataset; nothing was up"):
        publish()


def test_two_at_once_make_one_commit(hub: HubServer, publish: Publish) -> None:
    from concurrent.futures import ThreadPoolExecutor

    hub.repos[NAME] = Repo(NAME, private=True)
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: publish(), range(2)))
    assert {result.commit for result in results} == {hub.repos[NAME].main}
    assert len(titles(hub.repos[NAME])) == 2


def test_a_pull_request_is_opened_once_and_its_merge_gets_the_tag(hub: HubServer, publish: Publish) -> None:
    hub.repos[NAME] = repo = Repo(NAME, private=True)
    opened = publish(pull_request=True)
    again = publish(pull_request=True)
    assert (opened.is_new, again.is_new) == (True, False)
    assert opened.url == again.url == f"{hub.address}/datasets/{NAME}/discussions/1"
    assert len(repo.pulls) == 1
    merged = repo.merge(1)
    result = publish(pull_request=True)
    assert (result.commit, result.tag) == (merged.id, "v1")
    assert repo.tags == {"v1": merged.id}


def test_somebody_who_may_only_read_opens_a_pull_request(
    hub: HubServer, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repos[NAME] = repo = Repo(NAME, private=False)
    monkeypatch.setenv("HF_TOKEN", "hf_reader")
    publish(pull_request=True, private=False)
    assert len(repo.pulls) == 1


@pytest.mark.parametrize(
    ("token", "is_there", "told"),
    [
        ("hf_reader", True, r"HF_TOKEN: cannot upload to someone/skills: .*no right.*\(403: .*write access to someone"),
        ("hf_reader", False, r"HF_TOKEN: cannot create someone/skills: .*no right.*\(403: .*write access to someone"),
        ("hf_nobody", True, r"HF_TOKEN: cannot read someone/skills: the Hub does not know the token \(401: Invalid"),
        ("hf_blind", True, r"HF_TOKEN: cannot create someone/skills: the token has no right to do so \(403"),
        ("", True, r"HF_TOKEN: expected a token of the Hub with write access to someone/skills, in this variable"),
        ("hf_bad token", True, r"HF_TOKEN: expected letters, digits and '_' without spaces, got other characters"),
        ("hf_bad\u00e4", True, r"HF_TOKEN: expected letters"),
    ],
)
def test_a_token_without_the_right_is_told_with_its_variable(
    hub: HubServer, publish: Publish, monkeypatch: pytest.MonkeyPatch, token: str, is_there: bool, told: str
) -> None:
    if is_there:
        hub.repos[NAME] = Repo(NAME, private=True)
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setenv("HF_HOME", "/nowhere")
    with pytest.raises(SkillmillError, match=told) as failed:
        publish()
    assert "\n" not in str(failed.value)
    assert not token or token not in str(failed.value)
    assert failed.value.__cause__ is None


def test_a_token_that_the_hub_repeats_is_masked(hub: HubServer, publish: Publish) -> None:
    hub.fail("commit", "400", body='{"error": "what is Bearer hf_writer for?"}')
    with pytest.raises(SkillmillError, match=r"what is Bearer \*\*\* for"):
        publish()


def test_a_public_repository_is_refused_if_it_must_be_private(hub: HubServer, publish: Publish) -> None:
    hub.repos[NAME] = Repo(NAME, private=False)
    with pytest.raises(SkillmillError, match=r"export\.private: expected false, because someone/skills is public"):
        publish()
    publish(private=False)


@pytest.mark.parametrize("private", [True, False])
def test_a_new_repository_is_as_private_as_said(hub: HubServer, publish: Publish, private: bool) -> None:
    publish(private=private)
    assert hub.repos[NAME].private is private


def test_a_card_with_a_bad_header_is_told(hub: HubServer, folder: Path, publish: Publish) -> None:
    (folder / "README.md").write_text("---\na: [\n---\n")
    with pytest.raises(SkillmillError, match=r"cannot commit to someone/skills: Invalid metadata in README.md") as told:
        publish()
    assert "\n" not in str(told.value)
    assert len(titles(hub.repos[NAME])) == 1


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [("huggingface.co", "HF_ENDPOINT: expected the address"), ("http://me:secret@localhost", "without a user")],
)
def test_an_address_that_is_none_is_told(
    hub: HubServer, publish: Publish, monkeypatch: pytest.MonkeyPatch, endpoint: str, told: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(SkillmillError, match=told) as failed:
        publish()
    assert "secret" not in str(failed.value)


def test_offline_mode_is_told(hub: HubServer, publish: Publish, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(SkillmillError, match="HF_HUB_OFFLINE: expected it not to be set"):
        publish()
    assert hub.calls == []


def test_a_preview_only_reads(hub: HubServer, folder: Path, publish: Publish) -> None:
    def preview(version: str, digit: str) -> tuple[tuple[str, ...], ...] | None:
        earlier = [Release("v1", "1" * 64)]
        publication = Publication(folder, Release(version, digit * 64), earlier, frozenset({"preference"}))
        found = preview_release(publication, open_repository(NAME))
        return None if found is None else (found.new, found.changed, found.deleted)

    changes = preview("v1", "1")
    assert changes is not None
    assert len(changes[0]) == 5
    publish()
    assert preview("v1", "1") is None
    add_version(folder)
    hub.calls.clear()
    expected = (("sft/train-v0002.parquet",), ("README.md",), ("preference/train-v0001.parquet",))
    assert preview("v2", "2") == expected
    assert set(hub.calls) <= READS
