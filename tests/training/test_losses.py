"""Evidence costs where nothing was forged, its lack where something was, and nothing where nobody knows."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from training.losses import FAR, MARGIN, LogitAccuracy, TaughtLoss


def cost(targets: list[float], answers: list[float], weight: float = 1.0, distilled: float = 0.0) -> float:
    loss = TaughtLoss(weight, distilled=distilled)(np.array([targets], np.float32), np.array([answers], np.float32))
    return float(keras.ops.convert_to_numpy(loss))


def test_the_logit_costs_its_cross_entropy() -> None:
    assert cost([1, -1, -1], [0, 5, -5]) == pytest.approx(np.log(2), abs=1e-5)
    assert cost([1, 1, 0], [3, 9, 9], weight=0.0) == pytest.approx(np.log1p(np.exp(-3)), abs=1e-5)
    assert cost([0, 0, 0], [-3, -3, -3]) == pytest.approx(np.log1p(np.exp(-3)), abs=1e-5)


def test_evidence_on_a_real_face_costs_what_it_is() -> None:
    assert cost([0, 0, 0], [-9, 4, -4]) - cost([0, 0, 0], [-9, -4, -4]) == pytest.approx(4 / 2, abs=1e-5)


def test_a_forged_cell_must_show_and_its_neighbour_must_not() -> None:
    shown, missed, beside = (cost([1, 1, 0], [9, *cells]) for cells in ((MARGIN, 0), (MARGIN - 1, 0), (MARGIN, 1)))
    assert shown == pytest.approx(cost([1, -1, -1], [9, 0, 0]), abs=1e-5)
    assert missed - shown == pytest.approx(beside - shown, abs=1e-5) == pytest.approx(0.5, abs=1e-5)


def test_a_cell_that_is_forged_in_part_teaches_nothing() -> None:
    assert cost([1, 0.2, 0], [9, 5, 0]) == pytest.approx(cost([1, 0.2, 0], [9, -5, 0]), abs=1e-5)


@pytest.mark.parametrize("away", [0.0, 1.0, -1.0, FAR])
def test_a_teacher_counts_by_the_square_of_the_distance(away: float) -> None:
    assert cost([1, 0], [3, 0, 3 + away], distilled=1.0) == pytest.approx(away**2 / 2, abs=1e-5)


def test_a_teacher_who_is_far_away_counts_by_the_distance() -> None:
    far, further = (cost([1, 0], [3, 0, 3 + FAR + more], distilled=1.0) for more in (1, 2))
    assert further - far == pytest.approx(FAR, abs=1e-5)


def test_label_and_teacher_share_the_loss() -> None:
    alone, taught = cost([1, 0], [3, 0]), cost([1, 0], [3, 0, 2], distilled=1.0)
    assert cost([1, 0], [3, 0, 2], distilled=0.25) == pytest.approx(0.75 * alone + 0.25 * taught, abs=1e-5)


def test_a_teacher_is_asked_where_the_targets_say_so() -> None:
    def both(asked: float) -> float:
        loss = TaughtLoss(1.0, distilled=0.5, selective=True)
        targets, answers = [1, 0, 0, asked], [3, 4, -4, 5]
        return float(loss(np.array([targets], np.float32), np.array([answers], np.float32)))

    label, cells = np.log1p(np.exp(-3)), 4 / 2
    assert both(0) == pytest.approx(label + cells, abs=1e-5)
    assert both(1) == pytest.approx(0.5 * label + 0.5 * 2 + cells, abs=1e-5)


def test_the_teachers_answer_is_no_cell() -> None:
    quiet, loud = (cost([0, 0, 0], [-3, -1, -1, said], distilled=1e-9) for said in (-3, 9))
    assert quiet == pytest.approx(loud, abs=1e-4)


def test_accuracy_looks_at_the_logit_alone() -> None:
    accuracy = LogitAccuracy()
    accuracy.update_state(
        np.array([[1, 0], [0, 1], [1, 1]], np.float32), np.array([[2, -9], [3, 9], [-1, 9]], np.float32)
    )
    assert float(accuracy.result()) == pytest.approx(1 / 3)
