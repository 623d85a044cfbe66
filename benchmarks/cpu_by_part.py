"""Run a command of skillmill, and write the CPU seconds of its process by part of the pipeline to a JSON file.

    python benchmarks/cpu_by_part.py parts.json generate -c skillmill.yaml

The process is sampled each 5 ms of its CPU time; a sample belongs to the innermost frame of a part. Filters that run in
processes of their own are not sampled.
"""

import json
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

from skillmill.flows.cli.main import main

INTERVAL_S = 0.005
PARTS = {
    "filters": ("/filters/apply.py", "/filters/rows/", "/filters/shirker/", "/runtime/filter_workers.py"),
    "duplicates": ("/filters/dedup/", "/rows/duplicates.py"),
    "journal": ("/middleware/journal.py",),
    "shards": ("/runtime/shard_writer.py", "/data/store.py", "/data/parquet.py"),
    "prompts": ("/generators/", "/jinja2/"),
    "client": ("/teachers/engines/", "/aiohttp/", "/teachers/middleware/"),
}
"""Parts of the pipeline by parts of the paths of their files."""
OTHER = "start-up and the rest"

seconds: Counter[str] = Counter()


def part_of(frame: FrameType | None) -> str:
    """Return the part of the innermost frame that has one."""
    while frame is not None:
        path = frame.f_code.co_filename
        for part, pieces in PARTS.items():
            if any(piece in path for piece in pieces):
                return part
        frame = frame.f_back
    return OTHER


def take_sample(_: int, frame: FrameType | None) -> None:
    """Add the time since the last sample to the part that runs."""
    seconds[part_of(frame)] += INTERVAL_S


if __name__ == "__main__":
    to = Path(sys.argv.pop(1))
    signal.signal(signal.SIGPROF, take_sample)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)
    try:
        main()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        to.write_text(json.dumps({part: seconds[part] for part in (*PARTS, OTHER)}))
