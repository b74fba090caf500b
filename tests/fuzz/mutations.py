"""Variants of honest inputs, the same ones for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.fuzz.seeds import make_seeds
from tests.fuzz.worker import LONGEST


def mutate(data: bytes, chance: random.Random, others: tuple[bytes, ...]) -> bytes:
    """Return a variant of an input: bytes and bits changed, parts dropped, doubled or taken from another one."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        size = len(changed)
        at, end = sorted((chance.randint(0, size), chance.randint(0, size)))
        match chance.randrange(7):
            case 0 if size:
                changed[chance.randrange(size)] ^= 1 << chance.randrange(8)
            case 1 if size:
                changed[chance.randrange(size)] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
            case 2:
                del changed[at : at + chance.randint(1, 16)]
            case 3:
                changed[at:at] = changed[at:end][: LONGEST // 4]
            case 4:
                del changed[at:]
            case 5:
                # Lengths, sizes and counts are numbers of two and four bytes.
                number = chance.choice((0, 1, 31, 32, 255, 4096, 65535, 1 << 31, (1 << 32) - 1))
                width = chance.choice((2, 4))
                order = chance.choice(("big", "little"))
                changed[at : at + width] = (number % (1 << 8 * width)).to_bytes(width, order)
            case _:
                other = chance.choice(others)
                start = chance.randint(0, len(other))
                changed[at : at + 32] = other[start : start + chance.randint(1, 64)]
    return bytes(changed[:LONGEST])


def make_inputs(target: str, count: int, seed: int) -> Iterator[bytes]:
    """Yield the seeds of a target, then variants of them; the same ones for the same numbers."""
    seeds = make_seeds(target)
    yield from seeds[:count]
    chance = random.Random(f"{target} {seed}")
    for _ in range(count - len(seeds)):
        yield mutate(chance.choice(seeds), chance, seeds)
