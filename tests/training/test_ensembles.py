"""An ensemble is one network that answers as its members' weighted mean, and is weighed on validation alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner

from chalicelib.settings import Settings
from training.commands.ensemble import ensemble
from training.ensembles import find_weights, join, mix, score_apart
from training.keras_detector import KerasDetector
from training.manifest import read_manifest
from training.networks.catalogue import build
from training.networks.high_pass import NoiseResidual
from training.networks.loading import load_network
from training.networks.student import add_evidence
from training.splits import split_by_group

VIEWS = np.random.default_rng(0).uniform(-1, 1, (3, 64, 64, 3)).astype(np.float32)


def answer(network: keras.Model, views: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(network(views, training=False))


def make_mapped(side: int, sign: float = 1.0, seen: float = 1.0) -> keras.Model:
    """A network that calls noise fake, or real for a sign of −1: its map adds residuals up, `seen` times."""
    inputs = keras.Input((side, side, 3))
    residuals = keras.layers.ReLU()(NoiseResidual()(inputs))
    pooled = keras.layers.AveragePooling2D(8)(residuals)
    evidence = keras.layers.Conv2D(1, 1, name="evidence")
    network = keras.Model(inputs, keras.layers.GlobalAveragePooling2D(name="logit")(evidence(pooled)), name="noise")
    evidence.set_weights([np.full((1, 1, 9, 1), sign * seen, np.float32), np.array([-sign * seen], np.float32)])
    return network


def make_unmapped(side: int) -> keras.Model:
    keras.utils.set_random_seed(1)
    return build("cnn-128", side=side, weights="none")


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


@pytest.mark.parametrize("space", ["probability", "logit"])
def test_the_answer_is_the_weighted_mean_of_the_members(space: str, tmp_path: Path) -> None:
    members = [make_mapped(64), make_unmapped(64), make_mapped(64, -1)]
    weights, slopes, biases = [0.5, 0.3, 0.2], [1.0, 2.0, 0.5], [0.0, 0.3, -0.2]
    network = join(members, weights, space, slopes=slopes, biases=biases)
    own = np.concatenate([answer(member, VIEWS) for member in members], axis=1) * slopes + biases
    if space == "logit":
        expected = own @ weights
    else:
        mean = sigmoid(own) @ weights
        expected = np.log(mean / (1 - mean))
    assert np.allclose(answer(network, VIEWS)[:, 0], expected, atol=1e-4)
    assert np.allclose(mix(own, weights, space), expected, atol=1e-6)
    network.save(tmp_path / "network.keras")
    assert np.array_equal(answer(load_network(tmp_path / "network.keras"), VIEWS), answer(network, VIEWS))


def test_members_that_are_sure_of_themselves_are_still_told_apart() -> None:
    logits = np.array([[60.0, 80.0], [50.0, 50.0], [-60.0, -70.0]])
    joint = mix(logits, [0.5, 0.5])
    assert joint[0] > joint[1] > 49
    assert joint[2] < -59


def test_each_member_sees_the_crop_at_its_own_side() -> None:
    small, large = make_mapped(32), make_unmapped(64)
    network = join([small, large], [0.4, 0.6], "logit")
    assert network.input_shape == (None, 64, 64, 3)
    resized = keras.ops.image.resize(VIEWS, (32, 32), antialias=True)
    expected = 0.4 * answer(small, resized) + 0.6 * answer(large, VIEWS)
    assert np.allclose(answer(network, VIEWS), expected, atol=1e-4)
    apart = answer(score_apart([small, large]), VIEWS)
    assert np.allclose(apart @ [0.4, 0.6], expected[:, 0], atol=1e-4)


@pytest.mark.parametrize("space", ["probability", "logit"])
def test_the_maps_of_the_members_become_one_whose_mean_is_the_logit(space: str) -> None:
    members = [make_mapped(32), make_mapped(64)]
    network = join(members, [0.5, 0.5], space, slopes=[1.0, 3.0], biases=[0.2, 0.1])
    logits, maps = (keras.ops.convert_to_numpy(part) for part in add_evidence(network)(VIEWS, training=False))
    assert maps.shape == (3, 8, 8, 1)
    assert np.allclose(maps.mean(axis=(1, 2)), logits, atol=1e-4)
    # Places differ as the members' own maps do; only the level was moved.
    large = keras.ops.convert_to_numpy(add_evidence(members[1])(VIEWS, training=False)[1])
    small = add_evidence(members[0])(keras.ops.image.resize(VIEWS, (32, 32), antialias=True), training=False)[1]
    mean = 1.5 * large + 0.5 * keras.ops.convert_to_numpy(keras.ops.image.resize(small, (8, 8)))
    assert np.allclose(
        maps - maps.mean(axis=(1, 2), keepdims=True), mean - mean.mean(axis=(1, 2), keepdims=True), atol=1e-4
    )


def test_one_member_without_a_map_leaves_the_ensemble_without() -> None:
    network = join([make_mapped(64), make_unmapped(64)], [0.5, 0.5])
    assert all(layer.name != "evidence" for layer in network.layers)


def test_a_member_of_weight_nought_is_no_part_of_it() -> None:
    network = join([make_mapped(32), make_unmapped(64)], [1.0, 0.0])
    assert network.input_shape == (None, 32, 32, 3)
    assert network.count_params() == make_mapped(32).count_params()


def test_an_ensemble_may_be_a_member() -> None:
    inner = join([make_mapped(32), make_mapped(64)], [0.5, 0.5], "logit")
    outer = join([inner, make_mapped(64)], [0.5, 0.5], "logit")
    expected = (answer(inner, VIEWS) + answer(make_mapped(64), VIEWS)) / 2
    assert np.allclose(answer(outer, VIEWS), expected, atol=1e-4)


@pytest.mark.parametrize("weights", [[0.5], [0.5, -0.1], [0.0, 0.0]])
def test_weights_that_make_no_mean_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="Received"):
        join([make_mapped(32), make_mapped(32)], weights)


def draw_logits(count: int = 600) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Two members that err apart, a third that knows nothing, and a worse copy of the first."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 2
    truth = (labels * 2 - 1)[:, None] * [1.0, 1.0, 0.0, 1.0]
    noise = rng.normal(0, 1.5, (count, 4))
    noise[:, 3] = noise[:, 0] + rng.normal(0, 2, count)
    return labels, truth + noise, [f"clip {i // 4}" for i in range(count)]


@pytest.mark.parametrize("objective", ["auc", "log_loss"])
@pytest.mark.parametrize("space", ["probability", "logit"])
def test_members_that_help_each_other_share_the_weight_and_the_others_get_none(space: str, objective: str) -> None:
    labels, logits, groups = draw_logits()
    found = find_weights(labels, logits, groups, space=space, objective=objective)
    assert found.weights.sum() == pytest.approx(1)
    assert 0.3 < found.weights[0] < 0.7
    assert 0.3 < found.weights[1] < 0.7
    assert found.weights[2:].sum() <= 0.1
    assert found.auc > max(find_weights(labels, logits[:, [i]], groups).auc for i in range(4)) + 0.03
    assert found.auc > found.average_auc
    assert abs(found.held_out_auc - found.auc) < 0.03


def test_the_same_pictures_give_the_same_weights() -> None:
    labels, logits, groups = draw_logits()
    once, again = (find_weights(labels, logits, groups) for _ in range(2))
    assert np.array_equal(once.weights, again.weights)
    assert once.held_out_auc == again.held_out_auc


def test_too_few_groups_leave_nothing_to_hold_out() -> None:
    labels, logits, _ = draw_logits(40)
    assert np.isnan(find_weights(labels, logits, ["one"] * 20 + ["two"] * 20).held_out_auc)


def test_weights_need_both_classes() -> None:
    with pytest.raises(ValueError, match="real and fake"):
        find_weights(np.ones(4, int), np.zeros((4, 2)), list("abcd"))


def save_run(folder: Path, network: keras.Model, manifest: Path, seed: int = 0) -> Path:
    folder.mkdir()
    network.save(folder / "network.keras")
    record = {"seed": seed, "manifest_sha256": hashlib.sha256(manifest.read_bytes()).hexdigest()}
    (folder / "record.json").write_text(json.dumps(record))
    return folder


@pytest.fixture(scope="module")
def runs(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("members")
    manifest = collection / "faces.csv"
    made = {
        "noise": save_run(root / "noise", make_mapped(64), manifest),
        "large and reversed": save_run(root / "large and reversed", make_mapped(96, -1), manifest),
        "reversed": save_run(root / "reversed", make_mapped(64, -1), manifest),
        "seeded": save_run(root / "seeded", make_mapped(64), manifest, seed=7),
    }
    make_mapped(64, seen=0.5).save(root / "bare.keras")
    return {**made, "bare": root / "bare.keras"}


def run(collection: Path, out: Path, *members: Path, options: tuple[str, ...] = ()) -> tuple[int, str]:
    given = [part for member in members for part in ("--member", str(member))]
    faces = ["--faces", str(collection / "faces.csv"), "--out", str(out)]
    result = CliRunner().invoke(ensemble, [*given, *faces, *options])
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def made(collection: Path, runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("ensembles") / "both"
    code, output = run(collection, out, runs["noise"], runs["reversed"], runs["bare"])
    assert code == 0, output
    return out, output


def test_the_command_tells_of_each_member_and_what_it_is_worth(made: tuple[Path, str]) -> None:
    _, output = made
    lines = {line.split()[0]: line for line in output.splitlines() if line.strip()}
    assert lines["noise"].split()[1:4] == ["64", "1.0000", "1.00"]
    assert "ranks fakes below reals; left out" in lines["reversed"]
    assert "gains nothing; left out" in output
    assert "bare has no record" in output
    assert lines["ensemble"].split()[1] == "1.0000"


def test_its_run_folder_is_like_any_other(made: tuple[Path, str], collection: Path) -> None:
    out, _ = made
    card = json.loads((out / "card.json").read_text())
    record = json.loads((out / "record.json").read_text())
    assert set(card["calibration"]) == {"picture", "frame", "video", "frame_correlation"}
    assert set(card["promise"]) == {"picture", "frame", "video"}
    assert (card["name"], card["preset"], card["side"], card["evidence"]) == ("both", "ensemble", 64, True)
    assert card["validation"]["auc"] == 1
    assert record["finished"] >= record["started"]
    assert [member["weight"] for member in record["members"]] == [1, 0, 0]
    known = {line.split(",")[0] for line in (out / "faces_found.csv").read_text().splitlines()}
    parts = split_by_group(read_manifest(collection / "faces.csv"))
    assert known == {sample.path for sample in parts["validation"]}
    detector = KerasDetector(out / "network.keras", Settings().models)
    crops = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    logits, maps = detector.score(crops)
    assert np.allclose(maps.mean(axis=(1, 2)), logits, atol=1e-4)


def test_an_average_weighs_all_members_alike(collection: Path, runs: dict[str, Path], tmp_path: Path) -> None:
    code, output = run(collection, tmp_path / "mean", runs["noise"], runs["bare"], options=("--average",))
    assert code == 0, output
    record = json.loads((tmp_path / "mean" / "record.json").read_text())
    assert [member["weight"] for member in record["members"]] == [0.5, 0.5]
    assert "plain average" not in output


def test_its_promise_rests_on_families_that_a_sister_network_was_trained_without(
    collection: Path, made: tuple[Path, str], runs: dict[str, Path], tmp_path: Path
) -> None:
    chance, rows = np.random.default_rng(0), ["label,source,method,group,logit,left_out"]
    for number in range(60):
        rows.append(f"real,street,,{number},{chance.normal(-2, 1)},0")
        rows.append(f"fake,lab,known,known {number},{chance.normal(3, 1)},0")
        rows.append(f"fake,lab,new,new {number},{chance.normal(-1.5, 1)},1")
    scores = tmp_path / "scores.csv"
    scores.write_text("\n".join(rows) + "\n")
    members = (runs["noise"], runs["reversed"], runs["bare"])
    code, output = run(collection, tmp_path / "out", *members, options=("--left-out-run", str(scores)))
    assert code == 0, output
    careful, plain = (json.loads((folder / "card.json").read_text()) for folder in (tmp_path / "out", made[0]))
    careful_words, plain_words = (card["promise"]["picture"]["rests_on"] for card in (careful, plain))
    assert careful_words == f"{plain_words}, 1 of them by networks trained without them"


def test_members_that_look_at_native_size_do_so_together(
    collection: Path, runs: dict[str, Path], tmp_path: Path
) -> None:
    network = make_mapped(64)
    native = save_run(tmp_path / "native", network, collection / "faces.csv")
    rule = {"places": [[0.5, 0.4], [0.5, 0.7]], "weight": 0.6, "scale": 1.0, "bias": 0.0}
    (native / "card.json").write_text(json.dumps({"views": rule}))
    code, output = run(collection, tmp_path / "out", runs["bare"], native, options=("--average",))
    assert code == 0, output
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert card["views"]["places"] == rule["places"]
    assert KerasDetector(tmp_path / "out" / "network.keras", Settings().models).views.places == ((0.5, 0.4), (0.5, 0.7))


def test_without_its_largest_member_it_takes_a_smaller_crop(
    collection: Path, runs: dict[str, Path], tmp_path: Path
) -> None:
    code, output = run(collection, tmp_path / "out", runs["noise"], runs["large and reversed"])
    assert code == 0, output
    assert load_network(tmp_path / "out" / "network.keras").input_shape == (None, 64, 64, 3)
    assert json.loads((tmp_path / "out" / "card.json").read_text())["side"] == 64


def test_a_members_folder_is_not_written_over(collection: Path, runs: dict[str, Path]) -> None:
    before = (runs["noise"] / "network.keras").read_bytes()
    code, output = run(collection, runs["noise"], runs["noise"], runs["reversed"])
    assert code == 1
    assert "holds another run" in output
    assert (runs["noise"] / "network.keras").read_bytes() == before


@pytest.mark.parametrize(
    ("members", "says"),
    [
        (("noise",), "two members at least"),
        (("noise", "seeded"), "split of seed 7, not 0"),
        (("reversed", "reversed"), "nothing to join"),
        (("noise", "empty"), "neither a .keras file nor the folder of a finished run"),
    ],
)
def test_what_cannot_be_joined_is_told_in_a_sentence(
    collection: Path, runs: dict[str, Path], tmp_path: Path, members: tuple[str, ...], says: str
) -> None:
    (tmp_path / "empty").mkdir()
    paths = [runs.get(name, tmp_path / name) for name in members]
    code, output = run(collection, tmp_path / "out", *paths)
    assert code == 1
    assert says in output
    assert "Traceback" not in output
    assert not (tmp_path / "out" / "network.keras").exists()
