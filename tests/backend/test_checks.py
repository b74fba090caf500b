"""One check from end to end, with stand-ins for the face finder and the network."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from chalicelib.checks import Checker
from chalicelib.errors import ModelUnavailable, NotFound, StoreUnavailable, UnmaskError
from chalicelib.frames import Frame, hash_frames
from chalicelib.settings import Settings
from tests.backend import clips

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
    assert (second["verdict"], second["fake_probability"]) == ("no_traces", 0.1824)
    assert check == {
        "verdict": "likely_fake",
        "fake_probability": 0.8808,
        "reasons": [],
        "signals": [],
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


DECLARED = {
    "found": "generator",
    "where": "png",
    "field": "Software",
    "value": "NovelAI",
    "declares": "machine_made",
    "strength": "declared",
}


def declare(data: bytes) -> bytes:
    """The same picture as a PNG that names a generator."""
    info = PngInfo()
    info.add_text("Software", "NovelAI")
    file = io.BytesIO()
    Pillow.open(io.BytesIO(data)).save(file, "PNG", pnginfo=info)
    return file.getvalue()


@pytest.mark.parametrize("logits", [(), (-4.0,), (3.0, -4.0)])
def test_what_a_file_declares_is_told_beside_a_verdict_that_it_does_not_move(
    make_checker: Make, encode: Encode, logits: tuple[float, ...]
) -> None:
    silent, told = (make_checker(*logits).check_image(data) for data in (encode(), declare(encode())))
    assert (silent["signals"], told["signals"]) == ([], [DECLARED])
    for part in ("verdict", "fake_probability", "reasons", "faces"):
        assert told[part] == silent[part]


def test_what_a_file_declares_is_kept_with_its_check(make_checker: Make, encode: Encode, parts: Any) -> None:
    checker = make_checker(1.0, store=parts.Store())
    first = checker.check_image(declare(encode()))
    assert checker.get(first["id"])["signals"] == [DECLARED]
    assert checker.check_image(declare(encode()))["signals"] == [DECLARED]


def test_a_check_from_before_there_were_signals_has_none(make_checker: Make, encode: Encode, parts: Any) -> None:
    store = parts.Store()
    checker = make_checker(1.0, store=store)
    check = checker.check_image(encode())
    del store.checks[check["id"]]["signals"]
    assert checker.get(check["id"])["signals"] == []


def test_row_45_no_face_is_an_answer_of_its_own(make_checker: Make, encode: Encode) -> None:
    check = make_checker().check_image(encode())
    assert (check["verdict"], check["fake_probability"], check["faces"]) == ("no_face", None, [])


def test_row_45_a_face_below_the_least_size_is_uncertain_and_its_score_is_shown(
    make_checker: Make, encode: Encode
) -> None:
    check = make_checker(9.0, min_face=61).check_image(encode())
    assert (check["verdict"], check["reasons"]) == ("uncertain", ["face_too_small"])
    assert check["faces"][0]["fake_probability"] == 0.9933


def blur(pixels: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(pixels, (0, 0), 5)


def darken(pixels: np.ndarray) -> np.ndarray:
    return pixels // 8


@pytest.mark.parametrize(
    ("harm", "reasons"),
    [
        pytest.param([blur], ["face_too_blurred"], id="blurred"),
        pytest.param([darken], ["face_too_dark"], id="dark"),
        pytest.param([blur, darken], ["face_too_blurred", "face_too_dark"], id="both"),
    ],
)
def test_a_face_that_shows_too_little_is_uncertain_and_its_score_is_shown(
    portrait: np.ndarray, parts: Any, encode: Encode, harm: list[Callable[..., np.ndarray]], reasons: list[str]
) -> None:
    checker = Checker(Settings(), parts.Finder((177.0, 73.0, 92.0, 120.0)), parts.Detector(9.0), None)
    assert checker.check_image(encode(portrait))["verdict"] == "likely_fake"
    for change in harm:
        portrait = change(portrait)
    check = checker.check_image(encode(portrait))
    assert (check["verdict"], check["reasons"]) == ("uncertain", reasons)
    assert check["faces"][0]["fake_probability"] == 0.9933


def test_a_still_picture_and_a_frame_have_bands_of_their_own(
    make_checker: Make, film: Callable[..., list[Frame]], parts: Any
) -> None:
    # Log-odds of 1, a probability of .7311: above the line of pictures, below those of frames and videos.
    file = io.BytesIO()
    first, second = (Pillow.open(io.BytesIO(frame.data)) for frame in film(2))
    first.save(file, "GIF", save_all=True, append_images=[second])
    checker = make_checker(1.0)
    still, animation = checker.check_image(film(1)[0].data), checker.check_image(file.getvalue())
    assert (still["media"]["frames"], still["verdict"]) == (1, "likely_fake")
    assert (animation["media"]["frames"], animation["verdict"]) == (2, "uncertain")
    # Log-odds of 1.25, a probability of .7773: above the line of frames, below that of videos.
    (track,) = make_checker(1.5).check_frames(film(4))["tracks"]
    assert {point["verdict"] for point in track["points"]} == {"likely_fake"}
    assert (track["verdict"], track["reasons"]) == ("uncertain", ["between_thresholds"])


def test_row_45_of_many_faces_the_first_are_judged_and_the_rest_are_told(make_checker: Make, encode: Encode) -> None:
    checker = make_checker(*[-4.0] * 20, max_faces=3)
    check = checker.check_image(encode(size=(1600, 160)))
    assert (len(check["faces"]), check["verdict"]) == (3, "no_traces")
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
    assert new.check_image(encode())["verdict"] == "no_traces"


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


LEFT, RIGHT = (10.0, 10.0, 55.0, 60.0), (150.0, 20.0, 50.0, 60.0)


@pytest.fixture
def film(encode: Encode) -> Callable[..., list[Frame]]:
    """Frames half a second apart, no two alike."""

    def film(count: int, **options: Any) -> list[Frame]:
        return [Frame(n / 2, encode((n, 0, 0), **options)) for n in range(count)]

    return film


def test_a_check_of_a_clip_tells_all_that_a_verdict_needs(film: Callable[..., list[Frame]], parts: Any) -> None:
    # The face on the left is seen in all five frames, the smaller one on the right in the first four.
    finder = parts.FrameFinder(*[[LEFT, RIGHT]] * 4, [LEFT])
    # Log-odds: left 2, 3, 2, 1, 2, right −1 throughout.
    detector = parts.Detector(3.0, -3.0, 5.0, -3.0, 3.0, -3.0, 1.0, -3.0, 3.0)
    frames = film(5, format="JPEG")
    check = Checker(Settings(), finder, detector, None).check_frames(frames)
    assert detector.calls == 5
    left, right = check["tracks"]
    points = left.pop("points")
    assert left == {"fake_probability": 0.8808, "verdict": "likely_fake", "reasons": [], "worst": 1, "best": 3}
    assert [(point["frame"], point["time"], point["fake_probability"]) for point in points] == [
        (0, 0.0, 0.8808),
        (1, 0.5, 0.9526),
        (2, 1.0, 0.8808),
        (3, 1.5, 0.7311),
        (4, 2.0, 0.8808),
    ]
    assert points[1] == {
        "frame": 1,
        "time": 0.5,
        "box": list(LEFT),
        "fake_probability": 0.9526,
        "verdict": "likely_fake",
        "evidence": {"grid": [[3.0] * 4] * 4, "box": [0, 0, 96, 96]},
    }
    assert (right["verdict"], right["fake_probability"], len(right["points"])) == ("no_traces", 0.2689, 4)
    assert check["faces"][0] == {
        "box": list(LEFT),
        "detection_confidence": 0.9877,
        "fake_probability": 0.8808,
        "verdict": "likely_fake",
        "evidence": points[1]["evidence"],
    }
    assert [face["box"] for face in check["faces"]] == [list(LEFT), list(RIGHT)]
    assert (check["verdict"], check["fake_probability"], check["reasons"]) == ("likely_fake", 0.8808, [])
    assert check["coverage"] == {"frames": 5, "usable": 5}
    assert check["media"] == {
        "kind": "video",
        "sha256": hash_frames(frames),
        "width": 240,
        "height": 160,
        "format": "frames",
        "frames": 5,
    }
    assert check["timing_ms"].keys() == {"decode", "faces", "detector"}


@pytest.mark.parametrize(
    ("seen", "verdict", "reasons", "usable"),
    [
        pytest.param([[]] * 5, "no_face", [], 0, id="nobody"),
        pytest.param([[LEFT]] * 4, "likely_fake", [], 4, id="four frames"),
        pytest.param([[LEFT]] * 3, "uncertain", ["too_few_frames"], 3, id="three frames"),
        pytest.param([[LEFT], [], [LEFT], [], [LEFT], [LEFT]], "likely_fake", [], 4, id="missed now and then"),
        pytest.param([[LEFT], [LEFT], [RIGHT], [RIGHT]], "uncertain", ["too_few_frames"], 4, id="leaps"),
        pytest.param(
            [[LEFT]] * 3 + [[(10.0, 10.0, 40.0, 47.0)]],
            "uncertain",
            ["too_few_frames", "face_too_small"],
            3,
            id="too small in one of four",
        ),
        pytest.param([[LEFT, (150.0, 20.0, 20.0, 20.0)]] * 4, "likely_fake", [], 4, id="a small one behind"),
        pytest.param(
            [[(0.0, 0.0, 100.0, 100.0), (150.0, 20.0, 50.0, 60.0)]] * 4,
            "likely_fake",
            ["more_faces_than_checked"],
            4,
            id="one behind that could be judged",
        ),
        pytest.param(
            [[(0.0, 0.0, 100.0, 100.0), (150.0, 20.0, 50.0, 60.0)]] + [[(0.0, 0.0, 100.0, 100.0)]] * 3,
            "likely_fake",
            [],
            4,
            id="once seen behind",
        ),
    ],
)
def test_a_clip_is_judged_by_the_frames_that_show_a_face(
    film: Callable[..., list[Frame]], parts: Any, seen: list[Any], verdict: str, reasons: list[str], usable: int
) -> None:
    checker = Checker(Settings(), parts.FrameFinder(*seen), parts.Detector(3.0), None)
    check = checker.check_frames(film(len(seen)))
    assert (check["verdict"], check["reasons"]) == (verdict, reasons)
    assert check["coverage"] == {"frames": len(seen), "usable": usable}
    assert len(check["tracks"]) == len(check["faces"])
    assert (check["fake_probability"] is None) == (verdict == "no_face")


def test_blurred_and_dark_frames_do_not_count(portrait: np.ndarray, parts: Any, encode: Encode) -> None:
    views = [portrait, blur(portrait), portrait, darken(portrait), portrait, portrait]
    frames = [Frame(float(n), encode(view)) for n, view in enumerate(views)]
    # Only the unusable frames look fake.
    finder = parts.Finder((177.0, 73.0, 92.0, 120.0))
    checker = Checker(Settings(), finder, parts.Detector(-4.0, 9.0, -4.0, 9.0, -4.0, -4.0), None)
    check = checker.check_frames(frames)
    assert (check["verdict"], check["reasons"]) == ("no_traces", [])
    assert check["coverage"] == {"frames": 6, "usable": 4}
    (track,) = check["tracks"]
    assert [point["verdict"] for point in track["points"]] == [
        "no_traces",
        "uncertain",
        "no_traces",
        "uncertain",
        "no_traces",
        "no_traces",
    ]
    few = checker.check_frames(frames[:4])
    assert few["reasons"] == ["too_few_frames", "face_too_blurred", "face_too_dark"]


def test_worst_and_best_are_frames_that_the_verdict_rests_on(film: Callable[..., list[Frame]], parts: Any) -> None:
    small = (10.0, 10.0, 40.0, 47.0)
    finder = parts.FrameFinder([small], [LEFT], [LEFT], [LEFT], [LEFT], [small])
    detector = parts.Detector(9.0, 1.0, 3.0, -1.0, 1.0, -9.0)
    (track,) = Checker(Settings(), finder, detector, None).check_frames(film(6))["tracks"]
    assert (len(track["points"]), track["worst"], track["best"]) == (6, 2, 3)
    assert [point["verdict"] for point in track["points"]][::5] == ["uncertain", "uncertain"]


def test_of_many_faces_in_a_frame_the_largest_are_judged(make_checker: Make, film: Callable[..., list[Frame]]) -> None:
    check = make_checker(*[-4.0] * 20, max_faces=3).check_frames(film(4, size=(1600, 160)))
    assert (len(check["tracks"]), check["reasons"]) == (3, ["more_faces_than_checked"])


def test_frames_may_differ_in_size(film: Callable[..., list[Frame]], parts: Any, encode: Encode) -> None:
    double = tuple(2 * value for value in LEFT)
    finder = parts.FrameFinder([LEFT], [LEFT], [double], [double])
    small = film(2)
    # The same scene twice as large.
    pixels = [np.asarray(Pillow.open(io.BytesIO(frame.data))).repeat(2, axis=0).repeat(2, axis=1) for frame in small]
    frames = small + [Frame(2.0 + n, encode(large)) for n, large in enumerate(pixels)]
    check = Checker(Settings(), finder, parts.Detector(3.0), None).check_frames(frames)
    (track,) = check["tracks"]
    assert [point["box"] for point in track["points"]] == [list(LEFT)] * 2 + [list(double)] * 2
    assert (check["media"]["width"], check["media"]["height"]) == (240, 160)


def test_the_same_clip_is_answered_from_the_store(
    make_checker: Make, film: Callable[..., list[Frame]], parts: Any
) -> None:
    store = parts.Store()
    checker = make_checker(3.0, store=store)
    first, again = checker.check_frames(film(4)), checker.check_frames(film(4))
    later = checker.check_frames([Frame(frame.time + 1, frame.data) for frame in film(4)])
    assert again == {**first, "cached": True}
    assert checker.get(first["id"]) == again
    assert first["id"] != later["id"]
    assert checker._detector.calls == 8  # type: ignore[attr-defined]
    checker.delete(first["id"])
    assert list(store.checks) == [later["id"]]


@pytest.mark.parametrize(
    ("broken", "limits", "status", "code", "sentence"),
    [
        pytest.param(b"", {}, 422, "image_empty", "Frame 3: The file is empty.", id="nothing"),
        pytest.param(b"%PDF-1.7 and so on", {}, 415, "unsupported_media", "Frame 3: ", id="no picture"),
        pytest.param(None, {"max_clip_pixels": 240 * 160 * 3}, 413, "too_large", "million pixels together", id="many"),
        pytest.param(None, {"max_pixels": 240 * 160 - 1}, 422, "image_too_large", "Frame 1: ", id="one too large"),
    ],
)
def test_a_frame_that_is_refused_is_named_and_leaves_no_check(
    make_checker: Make,
    film: Callable[..., list[Frame]],
    parts: Any,
    broken: bytes | None,
    limits: dict[str, Any],
    status: int,
    code: str,
    sentence: str,
) -> None:
    store = parts.Store()
    frames = film(4)
    if broken is not None:
        frames[2] = Frame(frames[2].time, broken)
    with pytest.raises(UnmaskError) as refused:
        make_checker(3.0, store=store, **limits).check_frames(frames)
    assert (refused.value.status, refused.value.code) == (status, code)
    assert sentence in refused.value.message
    assert store.checks == {}


def test_a_score_that_is_no_number_fails_the_whole_clip(make_checker: Make, film: Callable[..., list[Frame]]) -> None:
    with pytest.raises(ModelUnavailable):
        make_checker(float("nan")).check_frames(film(4))


def test_a_face_that_moves_and_comes_nearer_is_followed_by_the_real_parts(
    models: Path, tmp_path: Path, portrait: np.ndarray, cat: np.ndarray, encode: Encode
) -> None:
    frames = []
    for n in range(6):
        room = Pillow.new("RGB", (640, 480), (90, 110, 90))
        side = 300 + 24 * n
        room.paste(Pillow.fromarray(portrait).resize((side, side)), (20 + 16 * n, 60))
        frames.append(Frame(n * 0.4, encode(np.asarray(room), "JPEG")))
    nobody = [Frame(n * 0.4, encode(np.roll(cat, 9 * n, axis=1), "JPEG")) for n in range(4)]
    checker = Checker.from_settings(Settings(models=models, store_path=tmp_path / "checks.sqlite3"))
    try:
        check, again, empty = (checker.check_frames(clip) for clip in (frames, frames, nobody))
    finally:
        checker.close()
    (track,) = check["tracks"]
    assert [point["frame"] for point in track["points"]] == list(range(6))
    widths = [point["box"][2] for point in track["points"]]
    assert widths == sorted(widths)
    for n, point in enumerate(track["points"]):
        x, _, width, _ = point["box"]
        # The face's middle lies at .44 of the portrait's width.
        assert x + width / 2 == pytest.approx(20 + 16 * n + 0.44 * (300 + 24 * n), abs=20)
        assert np.shape(point["evidence"]["grid"]) == (4, 4)
    assert again == {**check, "cached": True}
    assert (empty["verdict"], empty["tracks"], empty["faces"]) == ("no_face", [], [])
    assert empty["coverage"] == {"frames": 4, "usable": 0}


def test_a_cut_parts_two_people_at_the_same_place(
    parts: Any, portrait: np.ndarray, cat: np.ndarray, encode: Encode
) -> None:
    scenes = [cv2.resize(portrait, (240, 160)), cv2.resize(cat, (240, 160))]
    frames = [Frame(float(n), encode(scenes[n // 4])) for n in range(8)]
    # Somebody real, then somebody fake.
    finder, detector = parts.Finder(LEFT), parts.Detector(*[-4.0] * 4, *[4.0] * 4)
    check = Checker(Settings(min_face=10), finder, detector, None).check_frames(frames)
    assert [[point["frame"] for point in track["points"]] for track in check["tracks"]] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert {track["fake_probability"] for track in check["tracks"]} == {0.1824, 0.9241}


def test_progress_of_a_clip_is_told_frame_by_frame(make_checker: Make, tmp_path: Path, encode: Encode) -> None:
    path = clips.count_up(tmp_path / "clip.mp4", 5)
    told: list[tuple[int, int]] = []
    check = make_checker(3.0).check_video(path, lambda done, total: told.append((done, total)))
    assert told == [(n, 5) for n in (1, 2, 3, 4, 5)]
    assert check["coverage"]["frames"] == 5


def test_row_47_a_clip_of_one_frame_is_a_thumbnail_and_uncertain(make_checker: Make, tmp_path: Path) -> None:
    check = make_checker(9.0).check_video(clips.count_up(tmp_path / "clip.mp4", 1))
    assert check["verdict"] == "uncertain"
    assert {"too_few_frames", "only_a_thumbnail"} <= set(check["reasons"])
