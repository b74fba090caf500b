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


@pytest.mark.parametrize(("whole", "stride"), [(False, 16), (True, 32)])
def test_a_side_that_does_not_fit_is_refused(whole: bool, stride: int) -> None:
    with pytest.raises(ValueError, match=f"multiple of {stride}"):
        build_student(100, 0.35, None, whole=whole)


def test_the_shared_start_loads(shared: Path) -> None:
    weights = shared / "weights" / "mobilenet_v2_0.35_imagenet_notop.weights.h5"
    kernel = build_student(96, 0.35, weights).get_layer("Conv1").kernel
    assert not np.allclose(kernel, build_student(96, 0.35, None).get_layer("Conv1").kernel)
