"""What the process keeps of freed memory, and what it gives back; the only module that knows the allocator."""

from __future__ import annotations

import ctypes
from contextlib import suppress

# glibc's numbers of the options (malloc.h).
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8
# Bytes. What pictures on web pages take mostly stays below.
LARGE = 8_000_000
# Bytes of freed smaller blocks that are kept for the next picture, in each pool, and pools. One picture is decoded at
# a time, so threads lose nothing by sharing them.
KEPT = 32 << 20
POOLS = 2


def tune_allocator() -> None:
    """Keep what a common picture takes for the next one, and give every large block back as soon as it is freed.

    Does nothing where there is no glibc. Left alone, it gives back all that common pictures take after each of them,
    and the page faults when the next one asks for it again take as long as decoding it. Once a large block was freed,
    it keeps them too, in each thread by itself (mallopt(3), "dynamic mmap threshold"): six of the largest pictures,
    sent at once and decoded one after the other, left 900 MB behind.
    """
    with suppress(OSError, TypeError, AttributeError):
        glibc = ctypes.CDLL(None)
        for option, value in ((M_MMAP_THRESHOLD, LARGE), (M_TRIM_THRESHOLD, KEPT), (M_ARENA_MAX, POOLS)):
            glibc.mallopt(option, value)
