"""A learner answers with what its network says, cell by cell, and with what its teacher says."""

from __future__ import annotations

import keras
import numpy as np

from training.learners import count_cells, make_learner
from training.networks.student import build_student

VIEWS = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)


def test_without_a_lesson_the_network_is_its_own_learner() -> None:
    network = build_student(64, 0.35, None, 0)
    assert make_learner(network) is network


def test_cells_follow_the_logit() -> None:
    network = build_student(64, 0.35, None, 0)
    answers = make_learner(network, cells=True).predict_on_batch(VIEWS)
    assert count_cells(network) == 4
    assert answers.shape == (2, 17)
    assert np.allclose(answers[:, :1], network.predict_on_batch(VIEWS), atol=1e-6)
    assert np.allclose(answers[:, 1:].mean(axis=1), answers[:, 0], atol=1e-5)


def test_the_teacher_comes_last_and_is_not_trained() -> None:
    network, teacher = build_student(64, 0.35, None, 0), build_student(64, 0.35, None, 0)
    before = teacher.get_weights()
    learner = make_learner(network, cells=True, teacher=teacher)
    answers = learner.predict_on_batch(VIEWS)
    assert np.allclose(answers[:, -1:], teacher.predict_on_batch(VIEWS), atol=1e-5)
    learner.compile(keras.optimizers.SGD(0.1), loss="mse")
    own = network.get_weights()
    learner.train_on_batch(VIEWS, np.zeros((2, 18), np.float32))
    assert all(np.array_equal(a, b) for a, b in zip(before, teacher.get_weights(), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(own, network.get_weights(), strict=True))


def test_a_teacher_of_another_side_sees_the_same_view() -> None:
    network, teacher = build_student(64, 0.35, None, 0), build_student(32, 0.35, None, 0)
    plain = np.broadcast_to(np.float32([[[[0.3, -0.2, 0.7]]]]), (1, 64, 64, 3))
    said = make_learner(network, teacher=teacher).predict_on_batch(plain)[:, -1:]
    assert np.allclose(said, teacher.predict_on_batch(plain[:, :32, :32]), atol=1e-5)
