"""A dataset repository on the Hub: what it holds, and the calls that change it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.hf_api import RepoFile

from skillmill.data.hub.changes import Changes
from skillmill.data.hub.errors import HubError, NoRepository, hub_errors

DATASET = "dataset"


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit: its id, 40 hex digits, and the first line of its message."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What a repository holds. `commits`: those of the branch main, newest first. `tags`: their commits by name."""

    is_private: bool
    commits: tuple[Commit, ...]
    tags: Mapping[str, str]

    @property
    def head(self) -> Commit:
        """The newest commit of the branch main."""
        return self.commits[0]


class Repository:
    """A dataset repository. Each method raises `HubError` in one line; `token` None: only reads, without a token."""

    def __init__(self, repo_id: str, token: str | None, endpoint: str | None = None) -> None:
        self.repo_id, self.token = repo_id, token
        self._api = HfApi(endpoint=endpoint, token=token or False, library_name="skillmill")

    @property
    def url(self) -> str:
        """The address of its page."""
        return f"{self._api.endpoint}/datasets/{self.repo_id}"

    def read(self) -> Contents | None:
        """Return what the repository holds; None if there is none, or if the token may not see it."""
        try:
            with hub_errors(f"read {self.repo_id}", self.repo_id, self.token):
                info = self._api.repo_info(self.repo_id, repo_type=DATASET)
                if info.sha is None:
                    raise HubError(f"{self.repo_id} has no branch main, expected one with at least one commit")
                found = self._api.list_repo_commits(self.repo_id, repo_type=DATASET, revision=info.sha)
                refs = self._api.list_repo_refs(self.repo_id, repo_type=DATASET)
        except NoRepository:
            return None
        return Contents(
            is_private=bool(info.private),
            commits=tuple(Commit(commit.commit_id, commit.title) for commit in found),
            tags={tag.name: tag.target_commit for tag in refs.tags},
        )

    def files(self, commit: str) -> dict[str, RepoFile]:
        """Return the files of a commit by path."""
        with hub_errors(f"list the files of {self.repo_id}", self.repo_id, self.token):
            tree = self._api.list_repo_tree(self.repo_id, repo_type=DATASET, revision=commit, recursive=True)
            return {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}

    def create(self, private: bool) -> None:
        """Create the repository, unless it is there."""
        with hub_errors(f"create {self.repo_id}", self.repo_id, self.token):
            self._api.create_repo(self.repo_id, repo_type=DATASET, private=private, exist_ok=True)

    def commit(
        self,
        files: Mapping[str, Path],
        changes: Changes,
        parent: str,
        title: str,
        description: str,
        pull_request: bool = False,
    ) -> tuple[str, str | None]:
        """Upload the changes and commit them on top of `parent`; return the commit and the address of a pull request.

        The Hub refuses a commit on the branch main if its head is another one than `parent`.
        """
        sent = [CommitOperationAdd(path, files[path]) for path in (*changes.new, *changes.changed)]
        deleted = [CommitOperationDelete(path) for path in changes.deleted]
        with hub_errors(f"upload to {self.repo_id}", self.repo_id, self.token):
            self._api.preupload_lfs_files(self.repo_id, sent, repo_type=DATASET, create_pr=pull_request)
        with hub_errors(f"commit to {self.repo_id}", self.repo_id, self.token):
            made = self._api.create_commit(
                self.repo_id,
                [*sent, *deleted],
                repo_type=DATASET,
                commit_message=title,
                commit_description=description,
                parent_commit=parent,
                create_pr=pull_request,
            )
        return made.oid, made.pr_url

    def tag(self, name: str, commit: str) -> None:
        """Create a tag."""
        with hub_errors(f"tag {name} in {self.repo_id}", self.repo_id, self.token):
            self._api.create_tag(self.repo_id, tag=name, revision=commit, repo_type=DATASET)

    def open_pull_request(self, title: str) -> str | None:
        """Return the address of the open pull request with this title, None if there is none."""
        with hub_errors(f"list the pull requests of {self.repo_id}", self.repo_id, self.token):
            found = self._api.get_repo_discussions(
                self.repo_id, repo_type=DATASET, discussion_type="pull_request", discussion_status="open"
            )
            return next((each.url for each in found if each.title == title), None)
