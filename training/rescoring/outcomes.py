"""What came of one look at one flag, and what that adds up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict
from urllib.parse import urlsplit

from chalicelib.schema import Flag, Score

# Changed verdicts that a report shows; the file beside it has all.
MOST_SHOWN = 200


class Outcome(TypedDict):
    """One look.

    `kind` is `scored`; `gone`, of a picture that was taken down; `failed`; or `taken`, where another run was faster or
    the flag is gone. `kept` tells whether the score was known already, so that nothing was computed.
    """

    id: str
    host: str | None
    kind: Literal["scored", "gone", "failed", "taken"]
    state: str
    picture: str | None
    before: Score | None
    after: Score | None
    error: str | None
    kept: bool


def tell_outcome(flag: Flag, kind: Literal["scored", "gone", "failed", "taken"], *, kept: bool = False) -> Outcome:
    """Return what is told of a flag after a look; of its address only the host, since an address may hold secrets."""
    after = flag["after"]
    return {
        "id": flag["id"],
        "host": urlsplit(flag["url"]).hostname if flag["url"] else None,
        "kind": kind,
        "state": flag["state"],
        "picture": after["picture"] if after else None,
        "before": flag["before"],
        "after": after["score"] if after and kind == "scored" else None,
        "error": flag["error"]["code"] if flag["error"] else None,
        "kept": kept,
    }


@dataclass(slots=True)
class Tally:
    """A sum of outcomes, whose size does not grow with their number.

    Attributes:
        kinds: looks by kind.
        verdicts: (old, new) verdicts of one and the same picture.
        pictures: what lies at the addresses.
        errors: failed looks by code.
        signals: pictures whose file states something of its making.
        kept: scores that were known already.
        needs_review: flags that a person has to look at now.
        first: pictures that nobody had checked before.
        other: looks that scored another picture than was flagged.
        versions: (old, new) models.
        changed: verdicts that changed, the surest first, `MOST_SHOWN` at most.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    pictures: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    signals: int = 0
    kept: int = 0
    needs_review: int = 0
    first: int = 0
    other: int = 0
    versions: Counter[tuple[str, str]] = field(default_factory=Counter)
    changed: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count a look."""
        self.kinds[outcome["kind"]] += 1
        self.needs_review += outcome["kind"] == "failed" and outcome["state"] == "needs_review"
        if outcome["kind"] == "failed":
            self.errors[outcome["error"] or "unknown"] += 1
        if outcome["kind"] in ("scored", "gone"):
            self.pictures[outcome["picture"] or "unseen"] += 1
        before, after = outcome["before"], outcome["after"]
        if after is None:
            return
        self.kept += outcome["kept"]
        self.signals += after["signals"] > 0
        if before is None:
            self.first += 1
        elif before["sha256"] != after["sha256"]:
            self.other += 1
        else:
            self.verdicts[before["verdict"], after["verdict"]] += 1
            self.versions[_name(before), _name(after)] += 1
            if before["verdict"] != after["verdict"]:
                self._show(outcome)

    @property
    def looks(self) -> int:
        """How many flags were looked at."""
        return sum(self.kinds.values())

    @property
    def agreements(self) -> int:
        """How many verdicts are what they were."""
        return sum(count for (old, new), count in self.verdicts.items() if old == new)

    @property
    def flips(self) -> int:
        """How many verdicts turned from likely fake to no traces or back; from or to uncertain is no flip."""
        sides = {("likely_fake", "no_traces"), ("no_traces", "likely_fake")}
        return sum(count for pair, count in self.verdicts.items() if pair in sides)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        return {
            "looks": self.looks,
            **{kind: self.kinds[kind] for kind in ("scored", "gone", "failed", "taken")},
            "agreements": self.agreements,
            "flips": self.flips,
            "verdicts": [{"before": old, "after": new, "pictures": n} for (old, new), n in _sorted(self.verdicts)],
            "first_verdicts": self.first,
            "other_pictures": self.other,
            "pictures": dict(_sorted(self.pictures)),
            "unreachable": dict(_sorted(self.errors)),
            "needs_review": self.needs_review,
            "with_signals": self.signals,
            "known_scores": self.kept,
            "models": [{"before": old, "after": new, "pictures": n} for (old, new), n in _sorted(self.versions)],
            "changed": self.changed,
        }

    def _show(self, outcome: Outcome) -> None:
        self.changed.append(outcome)
        if len(self.changed) > 2 * MOST_SHOWN:
            self._cut()

    def close(self) -> None:
        """Put what is shown in order, once all is counted."""
        self._cut()

    def _cut(self) -> None:
        self.changed.sort(key=_surprise, reverse=True)
        del self.changed[MOST_SHOWN:]


def _surprise(outcome: Outcome) -> float:
    """Return how far the probability has moved, from 0 to 1; more than that where there was or is no face."""
    before, after = outcome["before"], outcome["after"]
    assert before is not None and after is not None  # noqa: S101 -- only such are shown
    old, new = before["fake_probability"], after["fake_probability"]
    return 2.0 if old is None or new is None else abs(new - old)


def _name(score: Score) -> str:
    return f"{score['model']['name']} {score['model']['version']}"


def _sorted(counts: Counter[Any]) -> Iterable[tuple[Any, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
