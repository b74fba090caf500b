"""Memory goes back to the system."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib.memory import LARGE, tune_allocator

# Blocks as large as the decoder's, with small ones between that stay; then what the process still holds, MB. The first
# one freed makes glibc keep the others.
CODE = """
import ctypes, sys
from pathlib import Path
from chalicelib.memory import tune_allocator

if sys.argv[1] == "tuned":
    tune_allocator()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
libc.free(libc.malloc(16 << 20))
blocks = []
for _ in range(20):
    blocks.append(libc.malloc(16 << 20))
    ctypes.memset(blocks[-1], 1, 16 << 20)
    libc.malloc(100_000)
for block in blocks:
    libc.free(block)
print(next(int(line.split()[1]) // 1000 for line in open("/proc/self/status") if line.startswith("VmRSS")))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="what a process holds is read from /proc")
def test_large_blocks_go_back_as_soon_as_they_are_freed() -> None:
    tuned, by_default = (
        int(subprocess.run([sys.executable, "-c", CODE, how], capture_output=True, text=True, check=True).stdout)
        for how in ("tuned", "by default")
    )
    assert tuned < 100 < by_default


@pytest.mark.parametrize("error", [OSError, TypeError, AttributeError])
def test_a_system_without_glibc_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def refuse(_: object) -> None:
        raise error

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    tune_allocator()


def test_pictures_of_common_sizes_stay_below_what_counts_as_large() -> None:
    assert 640 * 480 * 4 < LARGE < 1920 * 1080 * 4
