"""Finished runs as members of an ensemble."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.face_views import ViewRule
from training.files import hash_file
from training.records import RECORD

NETWORK, CARD = "network.keras", "card.json"


@dataclass(frozen=True, slots=True)
class Member:
    """A network that may become part of an ensemble.

    Attributes:
        name: of its run folder, or of its file.
        path: of the .keras file.
        sha256: of that file.
        record: of its training; empty where there is none beside it.
    """

    name: str
    path: Path
    sha256: str
    record: dict[str, Any]


def find_member(path: Path) -> Member:
    """Find the network of a run folder, or take a .keras file.

    Raises:
        ValueError: there is none.
    """
    network = path / NETWORK if path.is_dir() else path
    if network.suffix != ".keras" or not network.is_file():
        raise ValueError(f"{path} is neither a .keras file nor the folder of a finished run, which has {NETWORK}.")
    try:
        record = json.loads((network.parent / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        record = {}
    name = network.parent.name if network.name == NETWORK else network.stem
    return Member(name, network, hash_file(network), record)


def read_rule(network: Path) -> ViewRule:
    """Return what the network of a run is shown of a face, as the card beside it says; whole faces where none does.

    Raises:
        ModelUnavailable: the card says what makes no sense.
    """
    card = network.with_name(CARD)
    return ViewRule.from_card(json.loads(card.read_text(encoding="utf-8"))) if card.is_file() else ViewRule()


def agree_on_split(members: Sequence[Member], manifest: Path, seed: int | None, report: Callable[[str], None]) -> int:
    """Return the seed of the split on which no member was trained on a validation picture.

    Args:
        members: of the ensemble.
        manifest: whose validation part they are weighed on.
        seed: the one asked for; that of the records where None, 0 where there is none.
        report: receives what cannot be known.

    Raises:
        ValueError: a member was trained on another split.
    """
    digest = hash_file(manifest)
    seeds = {member.name: member.record["seed"] for member in members if "seed" in member.record}
    for member in members:
        if not member.record:
            report(f"{member.name} has no record: that it never saw the validation part is for you to know.")
        elif member.record.get("manifest_sha256") != digest:
            report(f"{member.name} was trained on another manifest: some of these pictures may be known to it.")
    if seed is None:
        seed = next(iter(seeds.values()), 0)
    for name, own in seeds.items():
        if own != seed:
            raise ValueError(
                f"{name} was trained on the split of seed {own}, not {seed}: it has seen validation pictures, "
                "and weights found on those would flatter it. Join members of one seed."
            )
    return seed
