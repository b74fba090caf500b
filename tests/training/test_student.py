"""The student's map adds up to its logit, and what is frozen stays so."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from training.networks.student import add_evidence, build_student


@pytest.fixture(scope="module")
def student() -> keras.Model:
    return build_student(64, 0.35, None, 4)


def test_the_mean_of_the_map_is_the_logit(student: keras.Model) -> None:
    views = np.random.default_rng(0).uniform(-1, 1, (3, 64, 64, 3)).astype(np.float32)
    logits, maps = add_evidence(student)(views, training=False)
    assert logits.shape == (3, 1)
    assert maps.shape == (3, 4, 4, 1)
    assert np.allclose(np.mean(maps, axis=(1, 2)), logits, atol=1e-5)


def test_layers_below_the_first_trained_block_are_frozen(student: keras.Model) -> None:
    trained = [layer.name for layer in student.layers if layer.trainable and layer.weights]
    assert trained[0] == "block_4_expand"
    assert "evidence" in trained
    assert "block_3_project" not in trained


def test_block_zero_trains_everything() -> None:
    assert all(layer.trainable for layer in build_student(32, 0.35, None, 0).layers)


def test_a_member_sees_half_as_finely_by_the_whole_of_the_network() -> None:
    member = build_student(64, 0.35, None, whole=True)
    assert member.get_layer("evidence").output.shape == (None, 2, 2, 1)
    assert member.count_params() > 2 * build_student(64, 0.35, None).count_params()


def test_a_fine_member_halves_one_time_less_with_the_same_weights() -> None:
    fine = build_student(64, 0.35, None, whole=True, fine=True)
    assert fine.get_layer("evidence").output.shape == (None, 4, 4, 1)
    assert fine.get_layer("Conv1").output.shape[1] == 64
    coarse = build_student(64, 0.35, None, whole=True)
    assert fine.count_params() == coarse.count_params()


def test_a_fine_member_begins_with_published_weights_as_every_student_does(shared: Path) -> None:
    weights = shared / "weights" / "mobilenet_v2_0.35_imagenet_notop.weights.h5"
    fine, coarse = (build_student(96, 0.35, weights, whole=True, fine=fine) for fine in (True, False))
    for layer in coarse.layers:
        if layer.weights and layer.name != "evidence":
            assert all(map(np.array_equal, layer.get_weights(), fine.get_layer(layer.name).get_weights())), layer.name


@pytest.mark.parametrize(
    ("whole", "fine", "stride"), [(False, False, 16), (True, False, 32), (True, True, 16), (False, True, 8)]
)
def test_a_side_that_does_not_fit_is_refused(whole: bool, fine: bool, stride: int) -> None:
    with pytest.raises(ValueError, match=f"multiple of {stride}"):
        build_student(100 if stride > 8 else 98, 0.35, None, whole=whole, fine=fine)


def test_the_shared_start_loads(shared: Path) -> None:
    weights = shared / "weights" / "mobilenet_v2_0.35_imagenet_notop.weights.h5"
    kernel = build_student(96, 0.35, weights).get_layer("Conv1").kernel
    assert not np.allclose(kernel, build_student(96, 0.35, None).get_layer("Conv1").kernel)
