"""Publishing a version: one commit on the branch main, or one pull request, and one tag.

Each try starts from what the repository holds. The title of the commit names the version and its checksum, so that a
commit is recognised whose reply was lost, or after which the process was killed. So the same call finishes what an
earlier one began, and there is no record of it on this machine that could be lost.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skillmill.data.errors import ConfigError
from skillmill.data.hub.changes import Changes, compare, folder_files
from skillmill.data.hub.errors import HubError
from skillmill.data.hub.repository import Commit, Contents, Repository
from skillmill.data.hub.retries import FIRST_PAUSE_S, with_retries

log = logging.getLogger(__name__)

_SHORT = 12
"""The number of hex digits by which messages and titles name a commit or a checksum."""


@dataclass(frozen=True, slots=True)
class Release:
    """A version as the Hub shows it. `checksum`: that of its rows, in hex digits."""

    version: str
    checksum: str

    @property
    def title(self) -> str:
        """The title of its commit and of its pull request."""
        return f"skillmill {self.version} ({self.checksum[:_SHORT]})"

    def is_in(self, commit: Commit) -> bool:
        """Return whether a commit made this version. The merge of a pull request adds its number to the title."""
        return re.fullmatch(re.escape(self.title) + r"( \(#\d+\))?", commit.title) is not None


@dataclass(frozen=True, slots=True)
class Publication:
    """What to publish.

    `folder`: the dataset folder. `release`: the version that it holds. `earlier`: all other versions. `own_folders`:
    folders in the repository that hold nothing but files of the dataset folder. `description`: the text of the commit.
    `private`: the repository must be private. `pull_request`: open one instead of a commit on the branch main.
    `parent`: the commit, or its first digits, on which to publish although it is no version of this dataset.
    """

    folder: Path
    release: Release
    earlier: Sequence[Release] = ()
    own_folders: frozenset[str] = frozenset()
    description: str = ""
    private: bool = True
    pull_request: bool = False
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class PublishResult:
    """A version on the Hub.

    `commit`: the commit that holds it, None if an open pull request does. `tag`: its tag, None for a pull request.
    `url`: the page of the tag or of the pull request. `is_new`: this call changed something on the Hub.
    """

    repo_id: str
    version: str
    commit: str | None
    tag: str | None
    url: str
    is_new: bool


def publish_release(
    publication: Publication, repository: Repository, first_pause_s: float = FIRST_PAUSE_S
) -> PublishResult:
    """Make the repository hold the version, and return where it is.

    Temporary failures are tried again, see `with_retries`. Raises `HubError` if the Hub refuses, if the tag is at
    another commit, or if the head of the branch main is no version of this dataset and files of it would be replaced;
    `ConfigError` if the repository is public and must be private.
    """
    publishing = _Publishing(publication, repository)
    return with_retries(publishing.attempt, first_pause_s)


def preview_release(publication: Publication, repository: Repository) -> Changes | None:
    """Return what `publish_release` would change, None if the version is published; only reads.

    Raises what `publish_release` would raise before its first change.
    """
    return with_retries(lambda: _preview(publication, repository))


def _preview(publication: Publication, repository: Repository) -> Changes | None:
    contents = repository.read()
    files = folder_files(publication.folder)
    if contents is None:
        return compare(files, {}, publication.own_folders)
    if _published(contents, publication.release, repository.repo_id):
        return None
    if publication.pull_request and repository.open_pull_request(publication.release.title):
        return None
    changes = compare(files, repository.files(contents.head.id), publication.own_folders)
    _check_privacy(contents, publication, repository.repo_id)
    if not publication.pull_request:
        _check_head(contents, publication, changes, repository.repo_id)
    return changes


class _Publishing:
    """The tries of one publication. `is_new`: whether any of them sent something that changes the repository."""

    def __init__(self, publication: Publication, repository: Repository) -> None:
        self.publication, self.repository, self.is_new = publication, repository, False

    def attempt(self) -> PublishResult:
        """Read the repository and do all that is missing."""
        release, repository = self.publication.release, self.repository
        contents = self._contents()
        _check_privacy(contents, self.publication, repository.repo_id)
        if commit := _published(contents, release, repository.repo_id):
            self._tell_differences(commit)
            return self._tagged(contents, release, commit.id)
        if self.publication.pull_request and (url := repository.open_pull_request(release.title)):
            return PublishResult(repository.repo_id, release.version, None, None, url, self.is_new)
        files = folder_files(self.publication.folder)
        changes = compare(files, repository.files(contents.head.id), self.publication.own_folders)
        log.info(f"publish: {release.version}: {changes}")
        if not self.publication.pull_request:
            _check_head(contents, self.publication, changes, repository.repo_id)
            self._tag_head(contents)
        if changes.is_empty:  # the same files under another title
            return self._tagged(contents, release, contents.head.id)
        self.is_new = True
        made, pull_request = repository.commit(
            files,
            changes,
            contents.head.id,
            release.title,
            self.publication.description,
            self.publication.pull_request,
        )
        if self.publication.pull_request:
            return PublishResult(
                repository.repo_id, release.version, None, None, pull_request or repository.url, self.is_new
            )
        return self._tagged(contents, release, made)

    def _contents(self) -> Contents:
        contents = self.repository.read()
        if contents is None:
            self.is_new = True
            self.repository.create(self.publication.private)
            log.info(f"publish: created {self.repository.url}, {'private' if self.publication.private else 'public'}")
            contents = self.repository.read()
        if contents is None:
            raise HubError(f"HF_TOKEN: expected a token that may read {self.repository.repo_id}, which is private")
        return contents

    def _tagged(self, contents: Contents, release: Release, commit: str) -> PublishResult:
        """Create the tag of a version, unless it is there; return where the version is."""
        if release.version not in contents.tags:
            self.is_new = True
            self.repository.tag(release.version, commit)
        url = f"{self.repository.url}/tree/{release.version}"
        return PublishResult(self.repository.repo_id, release.version, commit, release.version, url, self.is_new)

    def _tell_differences(self, commit: Commit) -> None:
        """Log which files of the folder differ from those of the version on the Hub, such as a card made anew."""
        files = folder_files(self.publication.folder)
        changes = compare(files, self.repository.files(commit.id), self.publication.own_folders)
        if not changes.is_empty:
            paths = ", ".join((*changes.new, *changes.changed, *changes.deleted))
            log.warning(
                f"publish: {self.publication.release.version} on the Hub stays as it is; the next version "
                f"brings what differs in {self.publication.folder}: {paths}"
            )

    def _tag_head(self, contents: Contents) -> None:
        """Create the tag of the version at the head if a crash left it out."""
        for release in self.publication.earlier:
            if release.is_in(contents.head) and release.version not in contents.tags:
                self.repository.tag(release.version, contents.head.id)


def _published(contents: Contents, release: Release, repo_id: str) -> Commit | None:
    """Return the commit with the version, None if there is none. Raises `HubError` if its tag is somewhere else."""
    made = next((commit for commit in contents.commits if release.is_in(commit)), None)
    tagged = contents.tags.get(release.version)
    if tagged is None:
        return made
    at_tag = next((commit for commit in contents.commits if commit.id == tagged), None)
    if at_tag is not None and release.is_in(at_tag):
        return at_tag
    title = f" ({at_tag.title})" if at_tag else ""
    raise HubError(
        f"{repo_id} has a tag {release.version} already, at commit {tagged[:_SHORT]}{title}, which is not this "
        "version; delete the tag on the Hub, or set another export.repo_id"
    )


def _check_privacy(contents: Contents, publication: Publication, repo_id: str) -> None:
    if publication.private and not contents.is_private:
        raise ConfigError(
            f"export.private: expected false, because {repo_id} is public; or make that repository private"
        )


def _check_head(contents: Contents, publication: Publication, changes: Changes, repo_id: str) -> None:
    """Raise `HubError` if the head of the branch main is not what the user or an earlier publication knows."""
    head, parent = contents.head, publication.parent
    if parent is not None:
        if not head.id.startswith(parent):
            raise HubError(f"--parent: expected the head of {repo_id}, {head.id[:_SHORT]} ({head.title}), got {parent}")
        return
    if any(release.is_in(head) for release in publication.earlier):
        return
    if replaced := len(changes.changed) + len(changes.deleted):
        raise HubError(
            f"{repo_id} has changed: its head {head.id[:_SHORT]} ({head.title}) is no version of this dataset; nothing "
            f"was uploaded. To replace {replaced} of its files, publish with --parent {head.id[:_SHORT]}"
        )
