"""A flag: a picture that is to be looked at again, by the heavy models and perhaps by a person.

What becomes of one is decided here and nowhere else; where flags are kept, `flag_store` says. A flag is never changed
in place: each function returns the next state of it, one revision further.
"""

from __future__ import annotations

import json
import re
import uuid
from datetime import datetime, timedelta
from typing import get_args

from chalicelib.errors import BadRequest
from chalicelib.schema import (
    Check,
    ErrorDetail,
    Flag,
    FlagOrigin,
    FlagRequest,
    FlagState,
    PictureChange,
    Rescore,
    Score,
)
from chalicelib.times import spell_time

# A flag, with what came of it, is forgotten after so long.
LIFETIME = timedelta(days=90)
# After each look that succeeded the next one is twice as far away.
FIRST_REST = timedelta(days=1)
LONGEST_REST = timedelta(days=32)
# After each look that failed, until a person has to look: three failures are no accident.
RETRIES = (timedelta(hours=1), timedelta(hours=6))
MOST_FAILURES = len(RETRIES) + 1
LONGEST_NOTE = 500
# Whose all flags are where nobody signs in.
LOCAL = "local"
LONGEST_URL = 2048

_ID = re.compile("[0-9a-f]{32}")
_STATES = get_args(FlagState)
_KINDS: dict[str, type] = {"check_id": str, "url": str, "note": str, "keep": bool, "picture": str}


def read_flag(body: bytes) -> FlagRequest:
    """Read what `POST /v2/flags` takes.

    Raises:
        BadRequest: it is no such object, or asks for what cannot be done.
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not JSON.") from error
    if not isinstance(told, dict) or not told.keys() <= _KINDS.keys():
        raise BadRequest(f"The body must be an object with some of {', '.join(_KINDS)}, and nothing else.")
    for name, value in told.items():
        if type(value) is not _KINDS[name]:
            kind = "true or false" if _KINDS[name] is bool else "a text"
            raise BadRequest(f'"{name}" must be {kind}.')
    if not ("check_id" in told or "url" in told):
        raise BadRequest('The body must have a "check_id" or a "url".')
    if "check_id" in told and not _ID.fullmatch(told["check_id"]):
        raise BadRequest('"check_id" must be the id of a check.')
    for name, longest in (("url", LONGEST_URL), ("note", LONGEST_NOTE)):
        if len(told.get(name, "")) > longest:
            raise BadRequest(f'"{name}" must have at most {longest} characters.')
    if "picture" in told and not (told.get("keep") and "check_id" in told):
        raise BadRequest('A "picture" is taken only with the "check_id" that it belongs to and with "keep" set.')
    return FlagRequest(**told)


def read_state(text: str | None) -> FlagState | None:
    """Read the state that a list is asked for; None for all.

    Raises:
        BadRequest: there is none of that name.
    """
    if text is None:
        return None
    if text not in _STATES:
        raise BadRequest(f'"state" must be one of {", ".join(_STATES)}.')
    return text  # type: ignore[return-value]


def make_flag(
    now: datetime,
    *,
    check: Check | None = None,
    url: str | None = None,
    sha256: str | None = None,
    note: str = "",
    origin: FlagOrigin = "person",
    owner: str | None = LOCAL,
    kept_until: datetime | None = None,
) -> Flag:
    """Begin a flag.

    Where neither an address nor the picture itself is at hand, no model can look again: a person has to.

    Args:
        now: aware, as all times here.
        check: that was doubted; its verdict is copied, so that it may be forgotten.
        url: where the picture lies.
        sha256: of the picture, where no check tells it.
        note: from whoever flags.
        origin: who flags.
        owner: whose it is.
        kept_until: until when the picture is kept; None where it is not.
    """
    at_hand = url is not None or kept_until is not None
    return {
        "id": uuid.uuid4().hex,
        "revision": 1,
        "state": "waiting" if at_hand else "needs_review",
        "origin": origin,
        "owner": owner,
        "check_id": check["id"] if check else None,
        "url": url,
        "sha256": check["media"]["sha256"] if check else sha256,
        "note": note,
        "before": read_score(check) if check else None,
        "after": None,
        "failures": 0,
        "error": None
        if at_hand
        else {"code": "nothing_kept", "message": "Neither the picture nor its address is kept."},
        "created_at": spell_time(now),
        "due_at": spell_time(now) if at_hand else None,
        "kept_until": spell_time(kept_until) if kept_until else None,
        "expires_at": spell_time(now + LIFETIME),
    }


def read_score(check: Check) -> Score:
    """Return what a flag remembers of a check."""
    return {
        "verdict": check["verdict"],
        "fake_probability": check["fake_probability"],
        "model": check["model"],
        "sha256": check["media"]["sha256"],
        "checked_at": check["checked_at"],
        "signals": len(check["signals"]),
    }


def compare_picture(flag: Flag, sha256: str) -> PictureChange:
    """Return what the bytes at a flag's address are, beside the picture that was flagged."""
    return "same" if flag["sha256"] in (None, sha256) else "replaced"


def record_score(flag: Flag, check: Check, picture: PictureChange, now: datetime) -> Flag:
    """Return the flag after a picture was scored again; it is due once more, later each time.

    Args:
        flag: the one before.
        check: of the picture that was kept, or of what lies at the address.
        picture: what lies at the address.
        now: the time.
    """
    looks = flag["after"]["looks"] + 1 if flag["after"] else 1
    after: Rescore = {"picture": picture, "score": read_score(check), "looks": looks, "at": spell_time(now)}
    rest = min(FIRST_REST * 2 ** min(looks - 1, 10), LONGEST_REST)
    return {
        **_follow(flag),
        "state": "scored",
        "sha256": flag["sha256"] or check["media"]["sha256"],
        "after": after,
        "failures": 0,
        "error": None,
        "due_at": _due(flag, now + rest),
    }


def record_loss(flag: Flag, now: datetime) -> Flag:
    """Return the flag after its picture was found to be taken down: what was scored before stays, and it rests."""
    looks = flag["after"]["looks"] + 1 if flag["after"] else 1
    score = flag["after"]["score"] if flag["after"] else None
    after: Rescore = {"picture": "gone", "score": score, "looks": looks, "at": spell_time(now)}
    return {**_follow(flag), "state": "gone", "after": after, "failures": 0, "error": None, "due_at": None}


def record_failure(flag: Flag, error: ErrorDetail, now: datetime) -> Flag:
    """Return the flag after a look that failed: due again later, or for a person after `MOST_FAILURES` in a row.

    What an earlier look found stays. A failure is never a verdict.
    """
    failures = flag["failures"] + 1
    if failures >= MOST_FAILURES:
        return {**_follow(flag), "state": "needs_review", "failures": failures, "error": error, "due_at": None}
    due_at = _due(flag, now + RETRIES[failures - 1])
    return {**_follow(flag), "failures": failures, "error": error, "due_at": due_at}


def nothing_kept() -> ErrorDetail:
    """Return why a flag cannot be looked at: no model can, so a person has to ask for the picture."""
    return {"code": "nothing_kept", "message": "Neither the picture nor its address is kept."}


def is_expired(flag: Flag, now: datetime) -> bool:
    """Tell whether the flag is to be forgotten; a store may still hold it for a while."""
    return flag["expires_at"] <= spell_time(now)


def _follow(flag: Flag) -> Flag:
    return {**flag, "revision": flag["revision"] + 1}


def _due(flag: Flag, time: datetime) -> str | None:
    """Return when a flag is due; None where it will be forgotten before."""
    due_at = spell_time(time)
    return due_at if due_at < flag["expires_at"] else None
