"""What a run of the batch needs to know; the same for every worker of it."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.settings import Settings


@dataclass(frozen=True, slots=True)
class Plan:
    """A run, as it is told to workers; may be pickled.

    Attributes:
        settings: limits, and where flags, checks and pictures are kept.
        model: what `--model` names.
        at: UTC, as flags spell it: what is due then is looked at.
        batch: faces that are scored at once.
        fetchers: addresses that are fetched at once.
        threads: of one network, 0 for as many as there are processors.
    """

    settings: Settings
    model: str
    at: str
    batch: int = 16
    fetchers: int = 8
    threads: int = 0
