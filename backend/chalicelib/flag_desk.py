"""Takes flags in, shows and forgets them; where a flag, its check, its picture and its address meet."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime, timedelta

from chalicelib.checks import Checker
from chalicelib.errors import BadRequest, FetchingOff, NotFound, TooLarge
from chalicelib.fetching import fetch, read_url
from chalicelib.flag_store import FlagStore, flag_not_found
from chalicelib.flags import make_flag, read_flag, read_state
from chalicelib.pictures import Pictures
from chalicelib.schema import Check, Flag, FlagPage, FlagRequest
from chalicelib.times import now

# Flags of one answer.
PAGE = 50
LONGEST_PAGE = 500


class FlagDesk:
    """Flags, as the doors know them; safe to share between threads."""

    def __init__(
        self, checker: Checker, store: FlagStore, pictures: Pictures | None, clock: Callable[[], datetime] = now
    ) -> None:
        """Put the parts together.

        Args:
            checker: knows the checks that are flagged; its settings hold here too.
            store: keeps the flags.
            pictures: keeps what may be kept; None where nothing is.
            clock: tells an aware time.
        """
        self._checker = checker
        self.settings = checker.settings
        self._store = store
        self._pictures = pictures
        self._clock = clock

    def take(self, body: bytes, owner: str, own_hosts: Collection[str] = ()) -> Flag:
        """Flag what a request asks for; with consent its picture is kept.

        The picture is the one that is sent along, or what lies at the address now. Where that is another than was
        checked, the flag is taken and the picture is not kept.

        Args:
            body: see `read_flag`.
            owner: who asks.
            own_hosts: see `fetch`.

        Raises:
            BadRequest: the body is no such request, or its picture is not the one that was checked.
            NotFound: no check is stored under that id.
            UrlNotAllowed, FetchingOff: that address will never be fetched.
            UnmaskError: what `fetch` raises, where the picture is to be kept and has to be fetched.
        """
        request = read_flag(body)
        check = self._checker.get(request["check_id"]) if "check_id" in request else None
        url = request.get("url")
        if url is not None:
            if not self.settings.fetch_urls:
                raise FetchingOff("This service fetches nothing, so an address cannot be looked at again.")
            read_url(url)
        data = None
        if request.get("keep") and self._pictures is not None:
            data = self._find_picture(request, check, own_hosts)
        time = self._clock()
        flag = make_flag(
            time,
            check=check,
            url=url,
            sha256=None if data is None else hashlib.sha256(data).hexdigest(),
            note=_clean(request.get("note", "")),
            owner=owner,
            kept_until=None if data is None else time + timedelta(days=self.settings.keep_days),
        )
        if data is not None and self._pictures is not None:
            # Before the flag: one that says that its picture is kept must find it.
            self._pictures.put(flag["id"], data)
        self._store.add(flag)
        return flag

    def doubt(self, check: Check, url: str) -> Flag | None:
        """Flag a fetched picture by ourselves, where its verdict is new and uncertain and the settings say so."""
        if not self.settings.flag_uncertain or check["cached"] or check["verdict"] != "uncertain":
            return None
        flag = make_flag(self._clock(), check=check, url=url, origin="uncertain", owner=None)
        self._store.add(flag)
        return flag

    def get(self, flag_id: str, owner: str) -> Flag:
        """Return a flag; raises `NotFound`, also where it is somebody else's: nobody learns that it is there."""
        flag = self._store.get(flag_id)
        if flag["owner"] != owner:
            raise flag_not_found()
        return flag

    def delete(self, flag_id: str, owner: str) -> None:
        """Forget a flag and its picture; raises `NotFound` as `get` does."""
        self.get(flag_id, owner)
        self._store.delete(flag_id)
        if self._pictures is not None:
            self._pictures.delete(flag_id)

    def forget_person(self, owner: str) -> None:
        """Forget all flags of somebody, and their pictures."""
        while flags := self._store.browse(limit=PAGE, owner=owner)["flags"]:
            for flag in flags:
                with suppress(NotFound):
                    self.delete(flag["id"], owner)

    def browse(self, owner: str, state: str | None, limit: str | None, cursor: str | None) -> FlagPage:
        """Return somebody's flags, newest first.

        Args:
            owner: who asks.
            state: only flags in it.
            limit: a number in words, 1 to 500.
            cursor: of the page before.

        Raises:
            BadRequest: a value is wrong.
        """
        return self._store.browse(read_state(state), _read_limit(limit), cursor, owner=owner)

    def _find_picture(self, request: FlagRequest, check: Check | None, own_hosts: Collection[str]) -> bytes | None:
        """Return the bytes to keep; None where there are none, or others than were checked."""
        if "picture" in request:
            data = _decode(request["picture"], self.settings.max_bytes)
            if check is not None and hashlib.sha256(data).hexdigest() != check["media"]["sha256"]:
                raise BadRequest('The "picture" is not the file that was checked.')
            return data
        if "url" not in request:
            return None
        data = fetch(request["url"], self.settings, own_hosts)
        same = check is None or hashlib.sha256(data).hexdigest() == check["media"]["sha256"]
        return data if same else None


def _decode(text: str, limit: int) -> bytes:
    # Three bytes in four characters: refused before anything of that size is decoded.
    if len(text) * 3 // 4 > limit + 2:
        raise TooLarge(f"The picture is larger than {limit / 1e6:g} MB.")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest('The "picture" is not valid base64.') from error


def _clean(note: str) -> str:
    """Return a note without the control characters that a terminal would obey."""
    return "".join(c for c in note if c.isprintable() or c == "\n").strip()


def _read_limit(text: str | None) -> int:
    if text is None:
        return PAGE
    # The length first: Python refuses to read numbers of thousands of digits.
    if not (len(text) <= 3 and text.isascii() and text.isdigit() and 1 <= int(text) <= LONGEST_PAGE):
        raise BadRequest(f'"limit" must be a whole number, 1 to {LONGEST_PAGE}.')
    return int(text)
