"""Processes that check files side by side: one takes little more than one processor, whatever the machine has."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from chalicelib.errors import FetchFailed, UnmaskError
from chalicelib.processes import belong_to_parent, count_processors, hold_interrupts, open_executor, submit

if TYPE_CHECKING:
    from concurrent.futures import Future

    from chalicelib.checks import Checker
    from chalicelib.schema import Check

Source = Path | str
# Opens a checker, and checks one source with it; both are sent to other processes.
Open = Callable[[], "Checker"]
Ask = Callable[["Checker", Source], "Check"]

# Files from which a process more is worth its start, half a second.
WORTH = 16
# Files that a process is given before the one before is told: what one slow file may hold up.
AHEAD = 4


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no check; an error that goes from process to process.

    Attributes:
        error: to be told of the file.
        fatal: whether it is ours, so that nothing else would fare better.
    """

    error: UnmaskError
    fatal: bool


def count_workers(files: int) -> int:
    """Return how many processes are worth their start for so many files."""
    return max(1, min(count_processors(), files // WORTH))


def check_all(
    sources: Iterable[Source], open_checker: Open, ask: Ask, workers: int
) -> Iterator[tuple[Source, Check | Failure]]:
    """Check sources, in their order, here or in processes of their own.

    Args:
        sources: read a little ahead.
        open_checker: called at once, so that what is wrong with models, store or settings is raised before anything is
            told.
        ask: checks one.
        workers: processes; with 1 all is done here.

    Yields:
        Each source with its check, or why there is none.

    Raises:
        UnmaskError: we failed.
    """
    checker = open_checker()
    if workers == 1:
        return ((source, _raise_fatal(_try(checker, ask, source))) for source in sources)
    checker.close()
    return _check_side_by_side(sources, open_checker, ask, workers)


def _check_side_by_side(
    sources: Iterable[Source], open_checker: Open, ask: Ask, workers: int
) -> Iterator[tuple[Source, Check | Failure]]:
    # One file alone does not wait for this module.
    from concurrent.futures.process import BrokenProcessPool

    waiting: deque[tuple[Source, Future[Check | Failure]]] = deque()
    rest = iter(sources)
    try:
        # What is under way at the end is checked and remembered, so that the next run finds it.
        with hold_interrupts() as let_through, open_executor(workers, _begin, open_checker, ask) as executor:
            while True:
                for source in islice(rest, workers * AHEAD - len(waiting)):
                    waiting.append((source, submit(executor, _check_there, source)))
                let_through()
                if not waiting:
                    return
                source, future = waiting.popleft()
                yield source, _raise_fatal(future.result())
    except BrokenProcessPool as error:
        raise UnmaskError("A process that checked was ended by somebody else; is there memory enough?") from error


def _raise_fatal(answer: Check | Failure) -> Check | Failure:
    if isinstance(answer, Failure) and answer.fatal:
        raise answer.error
    return answer


def _try(checker: Checker, ask: Ask, source: Source) -> Check | Failure:
    try:
        return ask(checker, source)
    except UnmaskError as error:
        return _make_failure(error)


def _make_failure(error: UnmaskError) -> Failure:
    # Some errors make their own message, which unpickling would hand them as an argument.
    plain = UnmaskError(error.message, code=error.code)
    plain.status = error.status
    return Failure(plain, error.status >= 500 and not isinstance(error, FetchFailed))


@dataclass(slots=True)
class _Place:
    """What a process of the crew works with; `checker` once it is open."""

    open_checker: Open
    ask: Ask
    checker: Checker | None = None


_place: _Place | None = None


def _begin(open_checker: Open, ask: Ask) -> None:
    global _place
    _place = _Place(open_checker, ask)
    belong_to_parent()


def _check_there(source: Source) -> Check | Failure:
    assert _place is not None  # noqa: S101 -- `_begin` came first
    try:
        if _place.checker is None:
            _place.checker = _place.open_checker()
        return _place.ask(_place.checker, source)
    except UnmaskError as error:
        return _make_failure(error)
