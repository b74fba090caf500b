"""Every architecture keeps the contract: [-1, 1] in, one logit out, saved and loaded as it was, trained where told."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from training.manifest import read_manifest
from training.metrics import auc
from training.networks.applications import APPLICATIONS
from training.networks.catalogue import build, find, names, train_from
from training.networks.high_pass import SRM_KERNELS, TRUNCATION, NoiseResidual
from training.networks.loading import load_network
from training.networks.preprocessing import Preprocessing
from training.networks.student import add_evidence

QUICK = ("student-0.35", "high-pass", "cnn-128", "meso-inception4")
EVERY = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in names()]


@cache
def smallest(name: str) -> keras.Model:
    """One network of each name for all tests that only look, or that set what is trained before they look."""
    return build(name, side=find(name).least_side, weights="none")


def draw_views(side: int, count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (count, side, side, 3)).astype(np.float32)


def answer(network: keras.Model, views: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(network(views, training=False))


def trained(network: keras.Model) -> list[str]:
    return [layer.name for layer in network.layers if layer.trainable and layer.weights]


@pytest.mark.parametrize("name", EVERY)
def test_a_network_is_built_at_its_least_side_saved_and_loaded_as_it_was(name: str, tmp_path: Path) -> None:
    side = find(name).least_side
    network = smallest(name)
    views = draw_views(side)
    logits = answer(network, views)
    assert network.input_shape == (None, side, side, 3)
    assert logits.shape == (2, 1)
    assert np.isfinite(logits).all()
    network.save(tmp_path / "network.keras")
    loaded = load_network(tmp_path / "network.keras")
    assert np.array_equal(answer(loaded, views), logits)
    # A deep random network hardly answers to its input, so its answer alone proves little.
    assert all(map(np.array_equal, network.get_weights(), loaded.get_weights()))


@pytest.mark.parametrize("name", EVERY)
def test_a_network_has_a_map_whose_mean_is_the_logit_where_it_is_said_to(name: str) -> None:
    architecture, network = find(name), smallest(name)
    assert any(layer.name == "evidence" for layer in network.layers) is architecture.evidence
    if architecture.evidence:
        logits, maps = add_evidence(network)(draw_views(architecture.least_side), training=False)
        assert maps.shape[-1] == 1
        assert np.allclose(np.mean(maps, axis=(1, 2)), logits, atol=1e-4)


@pytest.mark.parametrize("name", EVERY)
def test_what_is_trained_is_what_was_asked_for(name: str) -> None:
    network = smallest(name)
    learnt = [layer.name for layer in network.layers if layer.weights]
    head = [name for name in learnt if name == "evidence" or name.startswith("head")]
    train_from(network, "head")
    assert trained(network) == head
    train_from(network, "all")
    assert trained(network) == learnt
    train_from(network, 0)
    assert trained(network) == head
    middle = learnt[len(learnt) // 2]
    train_from(network, middle)
    assert trained(network)[0] == middle
    assert trained(network)[-len(head) :] == head


def test_the_last_layers_of_the_backbone_are_counted_from_the_head_on() -> None:
    network = smallest("high-pass")
    train_from(network, 2)
    # The backbone ends in a convolution, its normalisation folded, and an activation.
    assert trained(network) == ["block_13_expand", "evidence"]


def test_frozen_batch_statistics_stay_as_they_are_while_the_rest_is_trained() -> None:
    network = build("mobilenet-v2", side=32, weights="none")
    train_from(network, "block_16_expand")
    before = {layer.name: [w.copy() for w in layer.get_weights()] for layer in network.layers}
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    network.compile(optimizer=keras.optimizers.SGD(0.1), loss=loss, run_eagerly=True)
    network.train_on_batch(draw_views(32, 8) * 3, np.tile([[0.0], [1.0]], (4, 1)))

    def is_same(name: str) -> bool:
        return all(map(np.array_equal, before[name], network.get_layer(name).get_weights()))

    assert is_same("bn_Conv1")
    assert is_same("block_15_project_BN")
    assert not is_same("block_16_expand_BN")
    assert not is_same("evidence")


@pytest.mark.parametrize(
    ("start", "says"), [("block_4_expant", "block_4_expand"), (9999, "backbone of"), (-1, "backbone of")]
)
def test_a_start_that_is_not_there_is_refused(start: str | int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        train_from(smallest("student-0.35"), start)


@pytest.mark.parametrize("name", list(APPLICATIONS))
def test_the_preprocessing_inside_is_that_of_the_published_network(name: str) -> None:
    application = APPLICATIONS[name]
    module = {
        "Xception": "xception", "VGG16": "vgg16", "VGG19": "vgg19", "ResNet152V2": "resnet_v2",
        "InceptionV3": "inception_v3", "InceptionResNetV2": "inception_resnet_v2", "MobileNetV2": "mobilenet_v2",
        "DenseNet201": "densenet", "NASNetMobile": "nasnet", "EfficientNetB3": "efficientnet",
        "EfficientNetB4": "efficientnet", "EfficientNetB7": "efficientnet", "EfficientNetV2M": "efficientnet_v2",
    }[application.function]  # fmt: skip
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype(np.float32)
    published = getattr(keras.applications, module).preprocess_input(pixels.copy())
    inside = Preprocessing(application.convention)(pixels / 127.5 - 1)
    assert np.allclose(keras.ops.convert_to_numpy(inside), published, atol=1e-4)


@pytest.mark.slow
def test_efficientnet_takes_a_published_file_as_keras_itself_takes_it(tmp_path: Path) -> None:
    plain = keras.applications.EfficientNetB3(include_top=False, weights=None, input_shape=(32, 32, 3))
    normalisation = next(layer for layer in plain.layers if isinstance(layer, keras.layers.Normalization))
    # What the published files hold: deviations in the place of variances.
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    normalisation.set_weights([mean, deviation, np.zeros((), int)])
    plain.save_weights(tmp_path / "notop.weights.h5")
    network = build("efficientnet-b3", side=32, weights=tmp_path / "notop.weights.h5")
    own = next(layer for layer in network.layers if isinstance(layer, keras.layers.Normalization))
    views = draw_views(32)
    seen = answer(keras.Model(network.input, own.output), views)
    assert np.allclose(seen, ((views + 1) / 2 - mean) / deviation, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "file", "layer"),
    [
        ("student-0.35", "mobilenet_v2_0.35_imagenet_notop.weights.h5", "Conv1"),
        ("squeezenet", "squeezenet_1.1_imagenet_notop.weights.h5", "conv1"),
        pytest.param("high-pass", "mobilenet_v2_1.0_imagenet_notop.weights.h5", "Conv1", marks=pytest.mark.slow),
        pytest.param("mobilenet-v2", "mobilenet_v2_1.0_imagenet_notop.weights.h5", "Conv1", marks=pytest.mark.slow),
    ],
)
def test_shared_weights_load(shared: Path, name: str, file: str, layer: str) -> None:
    first, second, other = (
        build(name, side=64, weights=weights).get_layer(layer).get_weights()[0]
        for weights in (shared / "weights" / file, shared / "weights" / file, "none")
    )
    assert np.array_equal(first, second)
    assert not np.allclose(first, other)


def test_a_saved_network_can_be_gone_on_from_at_another_side(tmp_path: Path) -> None:
    first = build("student-0.35", side=64, weights="none")
    first.save(tmp_path / "first.keras")
    second = build("student-0.35", side=32, weights=tmp_path / "first.keras")
    assert all(map(np.array_equal, first.get_weights(), second.get_weights()))


def test_noise_goes_on_from_what_saw_colours_with_each_colours_residuals_averaged(tmp_path: Path) -> None:
    student = build("student", side=32, weights="none")
    student.save(tmp_path / "student.keras")
    network = build("high-pass", side=32, weights=tmp_path / "student.keras")
    assert np.array_equal(network.get_layer("Conv1").kernel, student.get_layer("Conv1").kernel)
    mix = keras.ops.convert_to_numpy(network.get_layer("mix").kernel)[0, 0]
    assert np.array_equal(mix > 0, np.repeat(np.eye(3), 3, axis=0) > 0)


def test_a_student_goes_on_from_a_deeper_network_with_a_head_of_its_own(tmp_path: Path) -> None:
    member = build("colours", side=32, weights="none")
    member.save(tmp_path / "member.keras")
    student = build("student", side=32, weights=tmp_path / "member.keras")
    for layer in student.layers:
        if layer.weights and layer.name != "evidence":
            assert all(map(np.array_equal, layer.get_weights(), member.get_layer(layer.name).get_weights()))
    assert student.get_layer("evidence").kernel.shape != member.get_layer("evidence").kernel.shape


@pytest.mark.parametrize(
    ("name", "side", "weights", "says"),
    [
        ("xceptoin", None, "none", "did you mean xception"),
        ("zzz", None, "none", "there are student"),
        ("student", 100, "none", "multiple of 16"),
        ("xception", 64, "none", "at least 71"),
        ("cnn-128", None, "imagenet", "nobody publishes"),
        ("vgg16", 32, "nowhere.h5", "no weights at nowhere.h5"),
        ("student-0.35", 32, "text", "do not fit"),
        ("meso4", 256, "text", "do not fit"),
        ("cnn-128", 32, "cnn64.keras", "no cnn-128 with an input of this side"),
        ("cnn-128", 32, "broken.keras", "no cnn-128"),
    ],
)
def test_what_cannot_be_built_is_told_in_a_sentence(
    name: str, side: int | None, weights: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("no weights")
    (tmp_path / "broken.keras").write_text("no network")
    if weights == "cnn64.keras":
        build("cnn-128", side=64, weights="none").save(tmp_path / weights)
    path = tmp_path / weights
    with pytest.raises(ValueError, match=says):
        build(name, side=side, weights=path if path.exists() else weights)


def test_a_download_that_fails_names_the_other_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **options: object) -> str:
        raise Exception("URL fetch failure on https://example.invalid: no route")

    monkeypatch.setattr(keras.src.utils.file_utils, "get_file", fail)
    with pytest.raises(ValueError, match=r"xception could not be downloaded; give weights none, or the path.*no route"):
        build("xception", side=71)


@pytest.mark.parametrize("typed", ["ResNet152V2", "resnet152-v2", "resnet152_v2"])
def test_a_name_is_known_however_it_is_typed(typed: str) -> None:
    assert find(typed).name == "resnet152-v2"


def test_the_residuals_are_those_of_the_filters_cut_off() -> None:
    views = draw_views(16)
    residuals = keras.ops.convert_to_numpy(NoiseResidual()(views))
    for colour in range(3):
        for number, kernel in enumerate(SRM_KERNELS):
            plain = cv2.filter2D(views[0, ..., colour] * 127.5, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
            expected = np.clip(plain, -TRUNCATION, TRUNCATION) / TRUNCATION
            assert np.allclose(residuals[0, ..., 3 * colour + number], expected, atol=1e-3)


def test_the_high_pass_member_is_blind_to_light_and_colour() -> None:
    network = smallest("high-pass")
    residuals = keras.Model(network.input, network.get_layer("residuals").output)
    views = draw_views(32) * 0.01
    seen, shifted = answer(residuals, views), answer(residuals, views + np.array([0.5, -0.3, 0.2], np.float32))
    assert seen.std() > 0.1
    assert np.allclose(seen, shifted, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "file", "method"),
    [
        ("meso4", "Meso4_DF.h5", "Deepfakes"),
        pytest.param("meso4", "Meso4_F2F.h5", "Face2Face", marks=pytest.mark.slow),
        pytest.param("meso-inception4", "MesoInception_DF.h5", "Deepfakes", marks=pytest.mark.slow),
        pytest.param("meso-inception4", "MesoInception_F2F.h5", "Face2Face", marks=pytest.mark.slow),
    ],
)
def test_published_mesonets_know_the_forgery_that_they_were_trained_on(
    shared: Path, name: str, file: str, method: str
) -> None:
    samples = [s for s in read_manifest(shared / "data" / "faces.csv") if s.source == "ffpp"]
    samples = [s for s in samples if not s.label][::10] + [s for s in samples if s.method == method][::7]
    pixels = [cv2.imread(str(shared / "data" / sample.path))[..., ::-1] for sample in samples]
    views = np.stack([cv2.resize(picture, (256, 256)) for picture in pixels]) / np.float32(127.5) - 1
    network = build(name, weights=shared / "weights" / "mesonet" / file)
    labels = np.array([sample.label for sample in samples])
    # .90 and .81 on all of these pictures; .5 for the other half of the two files' forgeries.
    assert auc(labels, answer(network, views)[:, 0]) > 0.72
