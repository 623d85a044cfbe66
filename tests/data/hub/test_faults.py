"""Each call fails in each way; the publication ends with one commit of the right files and one tag."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hub_server import HubServer

from skillmill.data.hub.errors import HubError
from skillmill.data.hub.publish import PublishResult

NAME = "someone/skills"
CALLS = "info create commits refs tree validate-yaml preupload batch put verify commit tag".split()
FAULTS: dict[str, dict[str, Any]] = {
    "429": {"headers": {"Retry-After": "0"}},
    "500": {},
    "503": {"body": "<html>no JSON</html>", "headers": {"Content-Type": "text/html"}},
    "drop_before": {},
    "drop_after": {},
}


def check_published(hub: HubServer, folder: Path, titles: list[str]) -> None:
    """Check that main has these commits, and the last one the files of the folder and the tag."""
    repo = hub.repos[NAME]
    assert [commit.title for commit in repo.history("main")][::-1] == ["initial commit", *titles]
    local = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {path: blob.content for path, blob in repo.head.files.items() if path != ".gitattributes"} == local
    assert repo.tags[titles[-1].split()[1]] == repo.main


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """`huggingface_hub` waits for a second before it tries an upload again."""
    import time

    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.01)))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
def test_a_fault_at_any_call_ends_in_one_commit(
    hub: HubServer, folder: Path, publish: Callable[..., PublishResult], call: str, fault: str
) -> None:
    hub.fail(call, fault, **FAULTS[fault])
    result = publish()
    check_published(hub, folder, ["skillmill v1 (111111111111)"])
    assert result.is_new
    assert result.tag == "v1"
    assert result.commit == hub.repos[NAME].main
    assert hub.faults[call] == []


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", ["discussions", "commit"])
def test_a_fault_ends_in_one_pull_request(
    hub: HubServer, publish: Callable[..., PublishResult], call: str, fault: str
) -> None:
    hub.fail(call, fault, **FAULTS[fault])
    result = publish(pull_request=True)
    repo = hub.repos[NAME]
    assert [pull.title for pull in repo.pulls] == ["skillmill v1 (111111111111)"]
    assert result.tag is None
    assert result.url == f"{hub.address}/datasets/{NAME}/discussions/1"
    assert len(repo.history("main")) == 1
    assert repo.tags == {}


@pytest.mark.parametrize("call", [call for call in CALLS if call != "verify"])  # what is stored needs no upload
def test_a_hub_that_stays_broken_is_told_in_one_line_and_the_next_call_finishes(
    hub: HubServer, folder: Path, publish: Callable[..., PublishResult], call: str
) -> None:
    hub.fail(call, "503", times=10**6)
    with pytest.raises(HubError) as failed:
        publish()
    assert "503" in str(failed.value)
    assert "\n" not in str(failed.value)
    hub.faults.clear()
    publish()
    check_published(hub, folder, ["skillmill v1 (111111111111)"])


def test_a_long_wait_that_the_hub_asks_for_is_told(hub: HubServer, publish: Callable[..., PublishResult]) -> None:
    hub.fail("info", "429", headers={"Retry-After": "3600"})
    with pytest.raises(HubError, match="asks to wait for 3600 s, publish again then"):
        publish()
    assert hub.calls == ["info"]


def test_a_hub_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, hub: HubServer, publish: Callable[..., PublishResult]
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubError, match="cannot read someone/skills: the Hub does not answer"):
        publish()


def test_a_hub_that_does_not_reply_is_asked_again(
    hub: HubServer, folder: Path, publish: Callable[..., PublishResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skillmill.data.hub.session.TIMEOUT_S", 1.0)
    hub.hold("commit", has_effect=True)
    publish()
    check_published(hub, folder, ["skillmill v1 (111111111111)"])
    assert hub.calls.count("commit") == 1


def test_messages_of_the_client_are_single_lines_without_secrets(
    hub: HubServer, publish: Callable[..., PublishResult], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "skillmill")
    hub.fail("put", "503")
    publish()
    told = [record.getMessage() for record in caplog.records if record.name.startswith("skillmill.")]
    assert any("HTTP Error 503" in message for message in told)
    assert not [message for message in told if "\n" in message or "signature" in message or "hf_writer" in message]
