"""The garbage collector during a run.

What a job is made of is freed as soon as nobody refers to it. By default the collector searches
all the same whenever 700 objects more are alive, so whenever some requests set out together: that
took six of a hundred instructions of a run, and found nothing.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 20_000  #: objects more than at the last search; a request in flight has about fifty


@contextmanager
def searching_rarely() -> Iterator[None]:
    """Let the collector search less often, where it searches at all."""
    young, *older = gc.get_threshold()
    if young:
        gc.set_threshold(max(young, YOUNG), *older)
    try:
        yield
    finally:
        gc.set_threshold(young, *older)
