"""Delete the files of batches that are finished: those at the provider, then those in `work_dir`.

A batch is finished once all its replies are in the journal, or its requests have been given to another batch.
"""

import asyncio
import logging
from dataclasses import replace

from skillmill.data.errors import TeacherError
from skillmill.teachers.base import RequestFailed, TransientError
from skillmill.teachers.engines.batch_api.provider import BatchApi, NoRoom
from skillmill.teachers.engines.batch_api.record import BatchFolder, BatchRecord

LONGEST_S = 10.0
"""How long the end of a call waits for the provider to delete files. A later call deletes the rest."""

log = logging.getLogger(__name__)


class Disposal:
    """The batches of one model whose files are being deleted."""

    def __init__(self, api: BatchApi, folder: BatchFolder, section: str) -> None:
        self._api, self._folder, self._section = api, folder, section
        self._tasks = set[asyncio.Task[None]]()

    def start(self, record: BatchRecord) -> None:
        """Begin to delete the files of a batch. It stays recorded, without requests, until that is done."""
        if not record.file_id:
            self._folder.delete(record.token)
            return
        self._folder.save(replace(record, left=[]))
        task = asyncio.create_task(self._delete(record))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait until the files are deleted, for `LONGEST_S` at most."""
        if tasks := list(self._tasks):
            _, late = await asyncio.wait(tasks, timeout=LONGEST_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _delete(self, record: BatchRecord) -> None:
        """Delete the files of a batch at the provider, each with one try, and then here."""
        for file_id in (record.file_id, *record.outputs):
            try:
                await self._api.delete(file_id)
            except (TransientError, RequestFailed, TeacherError, NoRoom) as failure:
                log.info("%s: file %s stays at the provider: %s", self._section, file_id, failure)
        self._folder.delete(record.token)
