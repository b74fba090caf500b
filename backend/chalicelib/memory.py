"""How the process gives memory back; the only module that knows the allocator."""

from __future__ import annotations

import ctypes
from contextlib import suppress

# glibc's number of the option (malloc.h).
M_MMAP_THRESHOLD = -3
# Bytes. What pictures on web pages take mostly stays below, and is as fast as before.
LARGE = 2_000_000


def release_promptly() -> None:
    """Let every large block go back to the system as soon as it is freed; does nothing where there is no glibc.

    By default glibc keeps what is freed once such a size was seen, in each thread by itself (mallopt(3), "dynamic mmap
    threshold"): six of the largest pictures, sent at once and decoded one after the other, left 900 MB behind.
    """
    with suppress(OSError, TypeError, AttributeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE)
