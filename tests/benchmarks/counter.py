"""Instructions, which do not depend on how busy a machine is: what stands for energy where the machine counts them."""

from __future__ import annotations

import ctypes
import os
import platform
import struct

# Of perf_event_open, which libc has no name for.
SYSCALLS = {"x86_64": 298, "aarch64": 241}
# Type and number of an event, as <linux/perf_event.h> has them.
INSTRUCTIONS = (0, 1)
TASK_CLOCK = (1, 1)
# The first size that the structure ever had; the kernel takes the rest as nought.
SIZE = 64
# Threads and processes begun later count too; the kernel and what lies below it do not, which needs no right.
INHERIT, NO_KERNEL, NO_HYPERVISOR = 1 << 1, 1 << 5, 1 << 6


class Uncounted(Exception):
    """The machine does not count this; the message says why."""


class Counter:
    """Counts what this thread does, and all threads and processes that it starts from now on."""

    def __init__(self, event: tuple[int, int] = INSTRUCTIONS) -> None:
        """Begin to count; raises `Uncounted`."""
        number = SYSCALLS.get(platform.machine())
        if number is None:
            raise Uncounted(f"no counters are known on {platform.machine()}")
        kind, config = event
        flags = INHERIT | NO_KERNEL | NO_HYPERVISOR
        # Type, size and config; period, sample_type and read_format, which stay nought; flags.
        wanted = struct.pack("=IIQQQQQ", kind, SIZE, config, 0, 0, 0, flags).ljust(SIZE, b"\0")
        libc = ctypes.CDLL(None, use_errno=True)
        # This thread, on any processor, in no group; closed in a program that is started.
        self._file = libc.syscall(number, ctypes.create_string_buffer(wanted, SIZE), 0, -1, -1, ctypes.c_ulong(1 << 3))
        if self._file < 0:
            raise Uncounted(f"the kernel has no counter for it: {os.strerror(ctypes.get_errno())}")

    def read(self) -> int:
        """Return how many there were."""
        (count,) = struct.unpack("=Q", os.read(self._file, 8))
        return int(count)

    def close(self) -> None:
        """Count no longer."""
        os.close(self._file)
