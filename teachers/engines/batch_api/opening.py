"""Open the batch API of a chat server."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines.batch_api import batches
from skillmill.teachers.engines.batch_api.provider import BatchApi
from skillmill.teachers.engines.batch_api.record import hold_folder
from skillmill.teachers.engines.openai import OpenAI


@contextmanager
def open_batches(client: OpenAI, config: TeacherConfig, folder: Path) -> Iterator[batches.Batches]:
    """Open the batches of a model for the duration of the block; they are recorded in `folder`/batches.

    Raises `StoreError` if they cannot be read.
    """
    with hold_folder(folder / "batches", config.section) as records:
        opened = batches.Batches(BatchApi(client, config), records, config, client.server, batches.PACE)
        client.assume(opened.dialect)
        yield opened
