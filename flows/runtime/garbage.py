"""How often Python looks for unreachable cycles of objects."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

COLLECT_AFTER = 100_000
"""New objects until Python looks for unreachable cycles; by default it does so after 700. A run makes few cycles, and
scanning its rows and requests in flight again and again cost a third of its CPU time at 1,024 requests in flight."""


@contextmanager
def few_collections() -> Iterator[None]:
    """Look for unreachable cycles after `COLLECT_AFTER` new objects within the block, and not in older ones."""
    before = gc.get_threshold()
    gc.freeze()  # the objects of the imports never die
    gc.set_threshold(COLLECT_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
