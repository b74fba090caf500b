"""The time of day, for what is remembered; no deadline hangs on it, for it can be set."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the time, aware, in UTC."""
    return datetime.now(UTC)


def spell_time(time: datetime) -> str:
    """Return an aware time in UTC to the second, in a form that sorts."""
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
