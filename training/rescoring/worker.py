"""Looks at flags: brings pictures, scores the faces of many at once, writes back what came of it.

All that is sure of it rests on two conditional writes, not on who runs it: a score is stored once for each picture and
model, and a flag is changed only by whoever has its latest revision. A run that is cut off anywhere is gone on with by
the next one; at most the faces of one batch are scored again.
"""

from __future__ import annotations

import hashlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from chalicelib.checks import Checker, Finds, Prepared, Scores, is_clip
from chalicelib.clip_header import HEAD
from chalicelib.errors import ModelUnavailable, NotFound, PictureGone, StoreUnavailable, UnmaskError
from chalicelib.fetching import fetch
from chalicelib.flag_store import FlagStore
from chalicelib.flags import compare_picture, nothing_kept, record_failure, record_loss, record_score
from chalicelib.pictures import Pictures
from chalicelib.schema import Check, ErrorDetail, Flag, PictureChange
from chalicelib.settings import Settings
from chalicelib.store import Store
from chalicelib.times import now
from training.rescoring.outcomes import Outcome, tell_outcome
from training.rescoring.plan import Plan

log = logging.getLogger(__name__)
# Looks that are under way or wait to be scored, for each fetcher: what one slow server may hold up.
AHEAD = 4
# Pictures that wait together to be scored; those without a face add no face to the batch.
MOST_WAITING = 64

Fetch = Callable[[str, Settings], bytes]


@dataclass(frozen=True, slots=True)
class Look:
    """What was found where a flag points to: one of the last four, and `change` where there is a picture.

    Attributes:
        flag: what was looked for.
        change: what lies at the address.
        prepared: a picture to be scored.
        check: of a picture that needs no scoring any more, or of a clip.
        error: why there is none.
        gone: whether it was taken down.
    """

    flag: Flag
    change: PictureChange = "unseen"
    prepared: Prepared | None = None
    check: Check | None = None
    error: ErrorDetail | None = None
    gone: bool = False


class Worker:
    """Looks at flags, one process's share of a run."""

    def __init__(
        self,
        plan: Plan,
        finder: Finds,
        model: Scores,
        checks: Store,
        flags: FlagStore,
        pictures: Pictures,
        fetch: Fetch = fetch,
    ) -> None:
        """Put the parts together; see `open_worker`."""
        self._plan = plan
        self._checker = Checker(plan.settings, finder, model, checks)
        self._flags = flags
        self._pictures = pictures
        self._fetch = fetch

    def find(self, flag_ids: Iterable[str]) -> Iterator[Flag]:
        """Yield the flags of those ids that are there and still due: a list may be older than what it lists."""
        for flag_id in flag_ids:
            try:
                flag = self._flags.get(flag_id)
            except NotFound:
                continue
            if flag["due_at"] is not None and flag["due_at"] <= self._plan.at:
                yield flag

    def run(self, flags: Iterable[Flag]) -> Iterator[Outcome]:
        """Look at each flag and write back what came of it.

        Args:
            flags: read a little ahead of what is yielded, never all at once.

        Yields:
            What came of each, in order of their batches.

        Raises:
            StoreUnavailable, ModelUnavailable: we failed; nothing is written of what could not be judged.
        """
        for looks in self._group(self._look_ahead(iter(flags))):
            yield from self._finish(looks)

    def close(self) -> None:
        """Close the stores."""
        self._checker.close()
        self._flags.close()

    def look(self, flag: Flag) -> Look:
        """Bring a flag's picture and do all that comes before scoring.

        Raises:
            StoreUnavailable, ModelUnavailable: we failed.
        """
        try:
            data, change = self._bring(flag)
            if is_clip(data[:HEAD]):
                return Look(flag, change, check=self._checker.check_fetched(data))
            known = self._checker.recall(hashlib.sha256(data).hexdigest())
            if known is not None:
                return Look(flag, change, check=known)
            return Look(flag, change, prepared=self._checker.prepare_image(data))
        except (StoreUnavailable, ModelUnavailable):
            raise
        except PictureGone:
            return Look(flag, gone=True)
        except UnmaskError as error:
            return Look(flag, error={"code": error.code, "message": error.message})
        except Exception as error:
            # One strange file must not end the night for all others. The message may quote what it holds.
            log.exception("unexpected %s at flag %s", type(error).__name__, flag["id"])
            return Look(flag, error={"code": "internal_error", "message": "Something went wrong on our side."})

    def _bring(self, flag: Flag) -> tuple[bytes, PictureChange]:
        """Return the bytes to score: those that were flagged, where they are kept or still lie at the address.

        Raises:
            UnmaskError: there are none.
        """
        change: PictureChange = "unseen"
        found: bytes | None = None
        failure: UnmaskError = UnmaskError(nothing_kept()["message"], code=nothing_kept()["code"])
        if flag["url"] is not None:
            try:
                found = self._fetch(flag["url"], self._plan.settings)
                change = compare_picture(flag, hashlib.sha256(found).hexdigest())
            except UnmaskError as error:
                failure = error
                change = "gone" if isinstance(error, PictureGone) else "unseen"
        if change != "same" and flag["kept_until"] is not None:
            try:
                return self._pictures.get(flag["id"]), change
            except NotFound:
                # Its time is over, or it was deleted: what lies at the address is all that is left.
                pass
        if found is None:
            raise failure
        return found, change

    def _look_ahead(self, flags: Iterator[Flag]) -> Iterator[Look]:
        """Look at some flags at once, and yield in their order."""
        with ThreadPoolExecutor(self._plan.fetchers, "look") as pool:
            pending: deque[Future[Look]] = deque()
            try:
                while True:
                    for flag in islice(flags, self._plan.fetchers * AHEAD - len(pending)):
                        pending.append(pool.submit(self.look, flag))
                    if not pending:
                        return
                    yield pending.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _group(self, looks: Iterator[Look]) -> Iterator[list[Look]]:
        """Gather looks until there are faces enough to be scored at once."""
        waiting: list[Look] = []
        faces = 0
        for look in looks:
            waiting.append(look)
            faces += len(look.prepared.cuts) if look.prepared else 0
            if faces >= self._plan.batch or len(waiting) == MOST_WAITING:
                yield waiting
                waiting, faces = [], 0
        if waiting:
            yield waiting

    def _finish(self, looks: Sequence[Look]) -> Iterator[Outcome]:
        """Score what waits, each picture once, and write back; a generator that is left has written what it yielded."""
        waiting = {look.prepared.media["sha256"]: look.prepared for look in looks if look.prepared}
        fresh = self._checker.judge_images(list(waiting.values()))
        # From here on a picture's score is there for every later run.
        checks = {check["media"]["sha256"]: self._checker.remember(check) for check in fresh}
        for look in looks:
            check = checks[look.prepared.media["sha256"]] if look.prepared else look.check
            yield self._write_back(look, check)

    def _write_back(self, look: Look, check: Check | None) -> Outcome:
        time = now()
        if check is not None:
            following, kept = record_score(look.flag, check, look.change, time), check["cached"]
            outcome = tell_outcome(following, "scored", kept=kept)
        elif look.gone:
            following = record_loss(look.flag, time)
            outcome = tell_outcome(following, "gone")
        else:
            assert look.error is not None  # noqa: S101 -- a look has one of the four
            following = record_failure(look.flag, look.error, time)
            outcome = tell_outcome(following, "failed")
        return outcome if self._flags.replace(following) else tell_outcome(look.flag, "taken")


def open_worker(plan: Plan) -> Worker:
    """Load the networks and open the stores.

    Raises:
        ModelUnavailable, StoreUnavailable: one cannot be.
    """
    if plan.threads:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(plan.threads)
    from chalicelib.faces import FaceFinder
    from chalicelib.stores import open_checks, open_flags, open_pictures
    from training.models import load_model

    settings = plan.settings
    return Worker(
        plan,
        FaceFinder(settings.models, search_side=settings.search_side, threads=settings.threads),
        load_model(plan.model, settings),
        open_checks(settings),
        open_flags(settings),
        open_pictures(settings),
    )
