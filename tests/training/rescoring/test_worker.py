"""Looks at flags, one after the other and many at once, with stand-ins for networks and the web."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chalicelib.errors import FetchTimeout, ModelUnavailable, PictureGone, StoreUnavailable, UrlNotAllowed
from chalicelib.flags import make_flag
from chalicelib.pictures import FolderPictures
from chalicelib.schema import Check, Flag
from chalicelib.settings import Settings
from chalicelib.sqlite_flags import SqliteFlags
from chalicelib.store import SqliteStore
from tests.backend.conftest import FakeDetector, FakeFinder
from training.rescoring import worker as workers
from training.rescoring.outcomes import Outcome
from training.rescoring.plan import Plan
from training.rescoring.worker import Worker

NIGHT = datetime(2026, 3, 2, 2, tzinfo=UTC)
EVENING = NIGHT - timedelta(hours=8)
FACE = (10.0, 10.0, 55.0, 60.0)


def draw(number: int) -> bytes:
    """A picture of stripes, no two alike, in which a stand-in finds a sharp and bright face."""
    pixels = np.full((96, 96, 3), 255, np.uint8)
    pixels[:, np.arange(96) // 4 % 2 == 0] = (number % 200, number // 200 % 200, 60)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def hash_of(number: int) -> str:
    return hashlib.sha256(draw(number)).hexdigest()


class Web:
    """What lies at addresses: bytes, or an error to raise; counts what is fetched."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes | Exception] = {}
        self.fetched: list[str] = []

    def fetch(self, url: str, settings: Settings) -> bytes:
        self.fetched.append(url)
        page = self.pages[url]
        if isinstance(page, Exception):
            raise page
        return page


class Counting(FakeDetector):
    """Counts the crops that it is given at once."""

    def __init__(self, *logits: float) -> None:
        super().__init__(*logits)
        self.batches: list[int] = []

    def score(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.batches.append(len(crops))
        return super().score(crops)


class Night:
    """A worker and what it works with."""

    def __init__(self, folder: Path, **plan: Any) -> None:
        self.settings = Settings(store_path=folder / "checks.sqlite3")
        self.web = Web()
        self.model = Counting(3.0)
        self.flags = SqliteFlags(self.settings.store_path, lambda: NIGHT)
        self.checks = SqliteStore(self.settings.store_path)
        self.pictures = FolderPictures(folder / "flagged", 30)
        self.plan = Plan(self.settings, "none", "2026-03-02T02:00:00Z", **plan)
        self.finder = FakeFinder(FACE)

    def worker(self) -> Worker:
        return Worker(
            self.plan,
            self.finder,
            self.model,
            self.checks,
            self.flags,
            self.pictures,
            lambda u, s: self.web.fetch(u, s),
        )

    def flag(self, page: bytes | Exception | None, **more: Any) -> Flag:
        """Flag an address at which this lies, or none."""
        url = None
        if page is not None:
            url = f"https://photos.example/{len(self.web.pages)}.png"
            self.web.pages[url] = page
        flag = make_flag(EVENING, url=url, **more)
        self.flags.add(flag)
        return flag

    def due(self) -> list[Flag]:
        return list(self.worker().find(self.flags.list_due(self.plan.at)))

    def run(self) -> list[Outcome]:
        return list(self.worker().run(self.due()))


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    monkeypatch.setattr(workers, "now", lambda: NIGHT)
    made = Night(tmp_path)
    with closing(made.flags), closing(made.checks):
        yield made


def check_of(number: int, verdict: str = "no_traces") -> Check:
    return {
        "id": f"{number:032x}",
        "verdict": verdict,
        "fake_probability": 0.04,
        "signals": [],
        "media": {"sha256": hash_of(number)},
        "model": {"name": "student", "version": "1"},
        "checked_at": "2026-03-01T17:00:00Z",
    }  # type: ignore[typeddict-item,return-value]


def test_a_picture_is_scored_and_stands_beside_what_was_said(night: Night) -> None:
    flag = night.flag(draw(1), check=check_of(1))
    (outcome,) = night.run()
    assert (outcome["kind"], outcome["picture"], outcome["kept"]) == ("scored", "same", False)
    now = night.flags.get(flag["id"])
    assert now["before"] == flag["before"]
    assert now["after"] is not None
    assert now["after"]["score"] is not None
    assert now["after"]["score"]["verdict"] == "likely_fake"
    assert now["after"]["score"]["model"]["version"] == night.model.card["version"]
    assert now["due_at"] == "2026-03-03T02:00:00Z"
    assert night.run() == [], "it is not due again tonight"


def test_faces_of_many_pictures_are_scored_at_once(night: Night) -> None:
    night.plan = replace(night.plan, batch=16)
    for number in range(40):
        night.flag(draw(number))
    assert len(night.run()) == 40
    assert night.model.batches == [16, 16, 8]


def test_equal_pictures_are_scored_once_and_in_a_later_night_not_at_all(night: Night) -> None:
    for _ in range(3):
        night.flag(draw(1))
    assert [outcome["kept"] for outcome in night.run()] == [False] * 3
    assert night.model.batches == [1]
    night.flag(draw(1))
    assert [outcome["kept"] for outcome in night.run()] == [True]
    assert night.model.batches == [1]


def test_pictures_without_a_face_wait_no_longer_than_others(night: Night) -> None:
    night.finder = FakeFinder()
    for number in range(workers.MOST_WAITING + 1):
        night.flag(draw(number))
    verdicts = {outcome["after"]["verdict"] for outcome in night.run() if outcome["after"]}
    assert verdicts == {"no_face"}
    assert night.model.batches == []


@pytest.mark.parametrize(
    ("page", "kind", "state", "error"),
    [
        pytest.param(FetchTimeout("Slow."), "failed", "waiting", "fetch_timeout", id="slow"),
        pytest.param(UrlNotAllowed(), "failed", "waiting", "url_not_allowed", id="private"),
        pytest.param(b"<!doctype html>", "failed", "waiting", "unsupported_media", id="a page"),
        pytest.param(draw(1)[:100], "failed", "waiting", "image_cut_off", id="broken"),
        pytest.param(RuntimeError("secret"), "failed", "waiting", "internal_error", id="our own mistake"),
        pytest.param(PictureGone("404."), "gone", "gone", None, id="gone"),
    ],
)
def test_what_cannot_be_judged_gets_no_verdict(
    night: Night, page: bytes | Exception, kind: str, state: str, error: str | None
) -> None:
    flag = night.flag(page, check=check_of(1))
    (outcome,) = night.run()
    assert (outcome["kind"], outcome["state"], outcome["error"], outcome["after"]) == (kind, state, error, None)
    kept = night.flags.get(flag["id"])
    assert kept["error"] is None or "secret" not in kept["error"]["message"]
    assert kept["after"] is None or kept["after"]["score"] is None


def test_one_strange_file_ends_nobody_elses_night(night: Night) -> None:
    night.flag(RuntimeError("boom"))
    for number in range(3):
        night.flag(draw(number))
    assert sorted(outcome["kind"] for outcome in night.run()) == ["failed", "scored", "scored", "scored"]


@pytest.mark.parametrize("error", [StoreUnavailable("Gone."), ModelUnavailable("Gone.")])
def test_a_failure_of_ours_is_nobodys_failure(night: Night, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    flag = night.flag(draw(1))

    def fail(*_: Any) -> Any:
        raise error

    if isinstance(error, StoreUnavailable):
        monkeypatch.setattr(night.checks, "find", fail)
    else:
        monkeypatch.setattr(night.model, "score", fail)
    with pytest.raises(type(error)):
        night.run()
    assert night.flags.get(flag["id"]) == flag


def test_a_picture_that_was_replaced_is_told_and_the_kept_one_scored(night: Night) -> None:
    plain = night.flag(draw(2), check=check_of(1))
    kept = night.flag(draw(2), check=check_of(1), kept_until=NIGHT + timedelta(days=1))
    night.pictures.put(kept["id"], draw(1))
    outcomes = {outcome["id"]: outcome for outcome in night.run()}
    for flag, scored in ((plain, 2), (kept, 1)):
        after = outcomes[flag["id"]]["after"]
        assert after is not None
        assert after["sha256"] == hash_of(scored)
        assert outcomes[flag["id"]]["picture"] == "replaced"


@pytest.mark.parametrize(
    ("page", "picture"), [(None, "unseen"), (FetchTimeout("Slow."), "unseen"), (PictureGone("404."), "gone")]
)
def test_a_kept_picture_is_scored_whatever_the_web_says(night: Night, page: Exception | None, picture: str) -> None:
    flag = night.flag(page, check=check_of(1), kept_until=NIGHT + timedelta(days=1))
    night.pictures.put(flag["id"], draw(1))
    (outcome,) = night.run()
    assert (outcome["kind"], outcome["picture"]) == ("scored", picture)


def test_a_kept_picture_that_is_no_more_leaves_the_address(night: Night) -> None:
    flag = night.flag(draw(1), kept_until=NIGHT + timedelta(days=1))
    lost = night.flag(None, check=check_of(1), kept_until=NIGHT + timedelta(days=1))
    outcomes = {outcome["id"]: outcome for outcome in night.run()}
    assert outcomes[flag["id"]]["kind"] == "scored"
    assert outcomes[lost["id"]]["error"] == "nothing_kept"


def test_what_another_run_has_done_meanwhile_is_left_to_it(night: Night) -> None:
    flag = night.flag(draw(1))
    due = night.due()
    night.flags.replace({**flag, "revision": 2, "note": "changed"})
    (outcome,) = night.worker().run(due)
    assert outcome["kind"] == "taken"
    assert night.flags.get(flag["id"])["note"] == "changed"


def test_two_runs_at_once_do_each_flag_once(night: Night) -> None:
    ids = [night.flag(draw(number))["id"] for number in range(30)]
    one, other = (night.worker().run(night.due()) for _ in range(2))
    outcomes = []
    for pair in zip(one, other, strict=False):
        outcomes += pair
    outcomes += [*one, *other]
    assert sorted(outcome["id"] for outcome in outcomes if outcome["kind"] == "scored") == sorted(ids)
    assert all(night.flags.get(flag_id)["revision"] == 2 for flag_id in ids)


def test_a_run_that_is_left_has_written_what_it_told_and_the_next_goes_on(night: Night) -> None:
    for number in range(40):
        night.flag(draw(number))
    run = night.worker().run(iter(night.due()))
    told = [next(run)["id"] for _ in range(20)]
    run.close()
    assert all(night.flags.get(flag_id)["state"] == "scored" for flag_id in told)
    rest = [outcome["id"] for outcome in night.run()]
    assert len(set(told) | set(rest)) == len(told) + len(rest) == 40
    assert sum(night.model.batches) == 40, "what was scored is not scored again"


def test_flags_are_read_a_little_ahead_and_never_all_at_once(night: Night) -> None:
    read = 0

    def endless() -> Iterator[Flag]:
        nonlocal read
        while True:
            read += 1
            yield night.flag(draw(read))

    run = night.worker().run(endless())
    for _ in range(100):
        next(run)
    run.close()
    assert read <= 100 + workers.MOST_WAITING + night.plan.fetchers * workers.AHEAD


def test_a_list_of_ids_may_be_older_than_what_it_lists(night: Night) -> None:
    due = night.flag(draw(1))
    later = make_flag(NIGHT + timedelta(hours=1), url="https://photos.example/later.png")
    night.flags.add(later)
    review = night.flag(None, check=check_of(1))
    found = night.worker().find([due["id"], later["id"], review["id"], "0" * 32])
    assert [flag["id"] for flag in found] == [due["id"]]


def test_a_plan_travels_to_other_processes(night: Night) -> None:
    assert pickle.loads(pickle.dumps(night.plan)) == night.plan


def test_an_outcome_is_json_and_tells_no_address(night: Night) -> None:
    night.web.pages["https://photos.example/a.png?token=secret"] = draw(1)
    night.flags.add(make_flag(EVENING, url="https://photos.example/a.png?token=secret"))
    (outcome,) = night.run()
    assert outcome["host"] == "photos.example"
    assert "secret" not in json.dumps(outcome)
