"""Publish the newest version of a run on the Hugging Face Hub: `skillmill publish`, and the last step of a run."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from skillmill.data.errors import ConfigError, StoreError
from skillmill.data.export.dataset_folder import folder_checksum
from skillmill.data.export.export_rows import CONFIGURATIONS, STRESS
from skillmill.data.export.formats import FORMATS
from skillmill.data.files import store_errors
from skillmill.data.hub.publish import Publication, PublishResult, Release, preview_release, publish_release
from skillmill.data.hub.repository import Repository
from skillmill.data.hub.session import hub_session, open_repository
from skillmill.data.versions import Version, adopt_exported
from skillmill.flows.config import Config
from skillmill.flows.runtime.output_lock import hold_output
from skillmill.flows.runtime.remote_output import at_output, reads_output

log = logging.getLogger(__name__)


@at_output
def publish(
    config: Config, version: Version | None = None, *, parent: str | None = None, without_license: bool = False
) -> PublishResult:
    """Publish a version that `export/` holds, and return where it is on the Hub.

    The same call finishes a publication that was interrupted, and does nothing if the version is published.

    Args:
        config: The configuration of the run; `export.repo_id` is the repository.
        version: The version; None: the newest one.
        parent: The head of the repository, or its first digits, if it is to be replaced although somebody changed it.
        without_license: Publish openly although `teacher.license` is not set.

    Raises `ConfigError` if a setting is missing, `StoreError` if `export/` does not hold the version, `HubError` if the
    Hub refuses.
    """
    _check_parent(parent)
    repository = check_publishing(config, without_license)
    with _held(config, repository):
        result = publish_release(_publication(config, version, parent), repository)
    what = f"{result.version} in {result.repo_id}"
    if not result.is_new:
        log.info(f"publish: nothing to do, {what} is " + ("published" if result.tag else "an open pull request"))
    else:
        log.info(f"publish: {what} " + ("is published" if result.tag else "waits in a pull request"))
    return result


@reads_output
def preview_publication(config: Config, *, parent: str | None = None) -> list[str]:
    """Return a line for each file that `publish` would send or delete, without changing anything on the Hub.

    Raises the errors of `publish`, except those about the licence and a missing token.
    """
    _check_parent(parent)
    repository = open_repository(_repo_id(config), reads_only=True)
    with _held(config, repository):
        publication = _publication(config, None, parent)
        changes = preview_release(publication, repository)
    version = publication.release.version
    if changes is None:
        log.info(f"publish: nothing to send, {version} is in {repository.repo_id}")
        return []
    log.info(f"publish: {version} would go to {repository.url}: {changes}")
    groups = {"new": changes.new, "changed": changes.changed, "deleted": changes.deleted}
    groups["unchanged"] = changes.unchanged
    return [f"{name:10} {path}" for name, paths in groups.items() for path in paths]


def check_publishing(config: Config, without_license: bool = False) -> Repository:
    """Return the repository to publish in; asks nothing of the Hub.

    Raises `ConfigError` if the configuration does not say where to publish or under which licence, or if there is no
    token.
    """
    repo_id = _repo_id(config)
    if config.teacher.license is None and not config.export.private and not without_license:
        raise ConfigError(
            "teacher.license: expected the licence of the teacher's answers, such as apache-2.0, because "
            "export.private is false; set it, or publish with --yes"
        )
    return open_repository(repo_id)


def _repo_id(config: Config) -> str:
    if config.export.repo_id is None:
        raise ConfigError("export.repo_id: expected the dataset repository on the Hub, such as owner/name")
    return config.export.repo_id


def _check_parent(parent: str | None) -> None:
    if parent is not None and not re.fullmatch(r"[0-9a-f]{7,40}", parent):
        raise ConfigError(f"--parent: expected a commit, at least 7 of its 40 hex digits, got {parent!r}")


@contextmanager
def _held(config: Config, repository: Repository) -> Iterator[None]:
    """Hold the output directory and a session with the Hub. Raises `StoreError` if there is no such directory."""
    if not config.output.exists():
        raise _no_version(config)
    reading = store_errors(f"cannot read {config.output}")
    with hold_output(config.output, config.work), hub_session(repository.token), reading:
        yield


def _no_version(config: Config) -> StoreError:
    return StoreError(f"{config.place(config.output)} has no version to publish: run `skillmill run` first")


def _publication(config: Config, version: Version | None, parent: str | None) -> Publication:
    """Return what to publish. Raises `StoreError` if `export/` does not hold the version."""
    folder = config.output / "export"
    versions = adopt_exported(config.output)
    version = version or versions.current
    if version is None or not folder.exists():
        raise _no_version(config)
    if folder_checksum(folder) != version.export_sha256:
        raise StoreError(
            f"{config.place(folder)} does not hold the rows of {version.version}: run `skillmill export` first"
        )
    return Publication(
        folder=folder,
        release=_release(version),
        earlier=[_release(each) for each in versions.entries if each.version != version.version],
        own_folders=frozenset((*CONFIGURATIONS, STRESS, FORMATS)),
        description=f"{version.rows_new} new rows, {version.rows} rows in all",
        private=config.export.private,
        pull_request=config.export.create_pr,
        parent=parent,
    )


def _release(version: Version) -> Release:
    return Release(version.version, version.export_sha256)
