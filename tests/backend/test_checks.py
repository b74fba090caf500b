"""One check from end to end, with stand-ins for the face finder and the network."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chalicelib.checks import Checker
from chalicelib.errors import ModelUnavailable, NotFound, StoreUnavailable, UnmaskError
from chalicelib.settings import Settings

Make = Callable[..., Checker]
Encode = Callable[..., bytes]


def test_a_check_tells_all_that_a_verdict_needs(make_checker: Make, encode: Encode) -> None:
    data = encode(format="WEBP", size=(240, 160))
    check = make_checker(3.0, -4.0).check_image(data)
    assert re.fullmatch("[0-9a-f]{32}", check.pop("id"))
    assert datetime.now(UTC) - datetime.fromisoformat(check.pop("checked_at")) < timedelta(minutes=1)
    timing = check.pop("timing_ms")
    assert timing.keys() == {"decode", "faces", "detector"}
    assert all(value >= 0 for value in timing.values())
    # Logit 3 at temperature 2 and bias 0.5: log-odds 2.
    first, second = check.pop("faces")
    assert first == {
        "box": [10.0, 10.0, 55.0, 60.0],
        "detection_confidence": 0.9877,
        "fake_probability": 0.8808,
        "verdict": "likely_fake",
        "evidence": {"grid": [[2.0] * 4] * 4, "box": [0, 0, 96, 96]},
    }
    assert (second["verdict"], second["fake_probability"]) == ("likely_real", 0.1824)
    assert check == {
        "verdict": "likely_fake",
        "fake_probability": 0.8808,
        "reasons": [],
        "media": {
            "kind": "image",
            "sha256": hashlib.sha256(data).hexdigest(),
            "width": 240,
            "height": 160,
            "format": "webp",
            "frames": 1,
        },
        "model": {"name": "stand-in", "version": "2025.01-test"},
        "cached": False,
    }


def test_row_45_no_face_is_an_answer_of_its_own(make_checker: Make, encode: Encode) -> None:
    check = make_checker().check_image(encode())
    assert (check["verdict"], check["fake_probability"], check["faces"]) == ("no_face", None, [])


def test_row_45_a_face_below_the_least_size_is_uncertain_and_its_score_is_shown(
    make_checker: Make, encode: Encode
) -> None:
    check = make_checker(9.0, min_face=61).check_image(encode())
    assert (check["verdict"], check["reasons"]) == ("uncertain", ["face_too_small"])
    assert check["faces"][0]["fake_probability"] == 0.9933


def test_row_45_of_many_faces_the_first_are_judged_and_the_rest_are_told(make_checker: Make, encode: Encode) -> None:
    checker = make_checker(*[-4.0] * 20, max_faces=3)
    check = checker.check_image(encode(size=(1600, 160)))
    assert (len(check["faces"]), check["verdict"]) == (3, "likely_real")
    assert check["reasons"] == ["more_faces_than_checked"]


def test_the_mean_of_the_evidence_is_the_log_odds_of_the_probability(models: Path, encode: Encode) -> None:
    from chalicelib.detector import Detector

    class Finder:
        def find(self, pixels: np.ndarray) -> Any:
            from chalicelib.faces import Face

            return [Face((60.0, 60.0, 100.0, 110.0), 1.0, np.zeros((5, 2), np.float32))]

    pixels = np.random.default_rng(1).integers(0, 255, (240, 240, 3), np.uint8)
    face = Checker(Settings(), Finder(), Detector(models), None).check_image(encode(pixels))["faces"][0]
    probability = face["fake_probability"]
    assert np.mean(face["evidence"]["grid"]) == pytest.approx(np.log(probability / (1 - probability)), abs=0.05)


def test_the_same_bytes_are_answered_from_the_store(make_checker: Make, encode: Encode, parts: Any) -> None:
    checker = make_checker(3.0, store=parts.Store())
    first, again = checker.check_image(encode()), checker.check_image(encode())
    other = checker.check_image(encode((0, 0, 9)))
    assert again == {**first, "cached": True}
    assert (first["cached"], other["cached"]) == (False, False)
    assert first["id"] != other["id"]
    assert checker._detector.calls == 2  # type: ignore[attr-defined]


def test_another_model_version_judges_again(make_checker: Make, encode: Encode, parts: Any) -> None:
    store = parts.Store()
    old, new = make_checker(3.0, store=store), make_checker(-3.0, store=store)
    new._detector.card = {**parts.card, "version": "next"}
    assert old.check_image(encode())["verdict"] == "likely_fake"
    assert new.check_image(encode())["verdict"] == "likely_real"


def test_a_stored_check_can_be_read_and_forgotten(make_checker: Make, encode: Encode, parts: Any) -> None:
    checker = make_checker(3.0, store=parts.Store())
    check = checker.check_image(encode())
    assert checker.get(check["id"]) == {**check, "cached": True}
    checker.delete(check["id"])
    for forgotten in (checker.get, checker.delete):
        with pytest.raises(NotFound):
            forgotten(check["id"])
    assert checker.check_image(encode())["cached"] is False


def test_without_a_store_every_check_is_fresh_and_none_can_be_read(make_checker: Make, encode: Encode) -> None:
    checker = make_checker(3.0)
    first, again = checker.check_image(encode()), checker.check_image(encode())
    assert (again["cached"], first["id"] == again["id"]) == (False, False)
    for refused in (checker.get, checker.delete):
        with pytest.raises(NotFound):
            refused(first["id"])
    checker.close()


def test_row_48_the_same_picture_twice_at_once_is_scored_once(make_checker: Make, encode: Encode, parts: Any) -> None:
    checker = make_checker(3.0, store=parts.Store(), pause=0.05)
    with ThreadPoolExecutor(16) as pool:
        checks = list(pool.map(checker.check_image, [encode()] * 16))
    assert checker._detector.calls == 1  # type: ignore[attr-defined]
    assert {check["id"] for check in checks} == {checks[0]["id"]}
    assert sorted(check["cached"] for check in checks) == [False] + [True] * 15
    assert checker._turns._locks == {}


def test_different_pictures_do_not_wait_for_each_others_turn(make_checker: Make, encode: Encode, parts: Any) -> None:
    checker = make_checker(3.0, store=parts.Store(), pause=0.01)
    with ThreadPoolExecutor(8) as pool:
        checks = list(pool.map(checker.check_image, [encode((n, 0, 0)) for n in range(24)]))
    assert len({check["id"] for check in checks}) == 24
    assert checker._detector.calls == 24  # type: ignore[attr-defined]


def test_row_48_another_process_that_was_faster_gives_the_answer(
    make_checker: Make, encode: Encode, parts: Any
) -> None:
    class Late(parts.Store):  # type: ignore[misc, name-defined]
        def find(self, sha256: str, model_version: str) -> Any:
            return None

        def save(self, check: dict[str, Any]) -> dict[str, Any]:
            return {**check, "id": "f" * 32}

    check = make_checker(3.0, store=Late()).check_image(encode())
    assert (check["id"], check["cached"]) == ("f" * 32, True)


@pytest.mark.parametrize(
    ("data", "limits", "status"),
    [
        pytest.param(b"", {}, 422, id="nothing"),
        pytest.param(b"x" * 101, {"max_bytes": 100}, 413, id="too many bytes"),
        pytest.param(b"%PDF-1.7 and so on", {}, 415, id="no picture"),
    ],
)
def test_what_is_refused_leaves_no_check(
    make_checker: Make, parts: Any, data: bytes, limits: dict[str, Any], status: int
) -> None:
    store = parts.Store()
    checker = make_checker(3.0, store=store, **limits)
    with pytest.raises(UnmaskError) as refused:
        checker.check_image(data)
    assert refused.value.status == status
    assert (store.checks, checker._turns._locks) == ({}, {})


def test_a_failure_of_ours_is_never_a_verdict(make_checker: Make, encode: Encode, parts: Any) -> None:
    class Broken(parts.Store):  # type: ignore[misc, name-defined]
        def save(self, check: dict[str, Any]) -> dict[str, Any]:
            raise StoreUnavailable("The store does not answer.")

    with pytest.raises(StoreUnavailable):
        make_checker(3.0, store=Broken()).check_image(encode())
    with pytest.raises(ModelUnavailable):
        make_checker(float("nan")).check_image(encode())


def test_a_portrait_goes_the_whole_way_through_the_real_parts(
    models: Path, tmp_path: Path, portrait_file: Path
) -> None:
    checker = Checker.from_settings(Settings(models=models, store_path=tmp_path / "checks.sqlite3"))
    try:
        check = checker.check_image(portrait_file.read_bytes())
        again = checker.check_image(portrait_file.read_bytes())
    finally:
        checker.close()
    (face,) = check["faces"]
    x, y, width, height = face["box"]
    assert 150 < x + width / 2 < 300 and 60 < y + height / 2 < 200
    assert np.shape(face["evidence"]["grid"]) == (4, 4)
    assert again == {**check, "cached": True}


def test_a_missing_model_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable):
        Checker.from_settings(Settings(models=tmp_path, store_path=tmp_path / "checks.sqlite3"))
