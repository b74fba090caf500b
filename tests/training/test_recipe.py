"""A recipe holds only what can be done, and goes through JSON unchanged."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from training.presets import PRESETS, find
from training.recipe import Phase, Recipe, override

STUDENT = find("student").recipe


@pytest.mark.parametrize("name", PRESETS)
def test_a_recipe_survives_its_record(name: str) -> None:
    recipe = find(name).recipe
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    left_out = override(recipe, {"left_out": ("sd21", "swaps")})
    assert Recipe.from_dict(json.loads(json.dumps(left_out.to_dict()))) == left_out


def test_a_recipe_of_before_there_were_some_fields_means_what_it_meant() -> None:
    """A run that was begun then goes on, and one that is done again sees the same pictures."""
    old = replace(STUDENT, posted=0.0).to_dict()
    assert not {"left_out", "reconstructed", "restored", "edited", "codecs", "posted"} & set(old)
    assert Recipe.from_dict(old).posted == 0
    new = replace(STUDENT, reconstructed=0.1, codecs=("taef2", "runs/shuffle-x4"))
    stated = json.loads(json.dumps(new.to_dict()))
    assert stated["codecs"] == ["taef2", "runs/shuffle-x4"]
    assert stated["posted"] == STUDENT.posted > 0
    assert Recipe.from_dict(stated) == new


@pytest.mark.parametrize(
    ("preset", "changes", "field", "value"),
    [
        ("student", {"side": 96, "limit": 7}, "side", 96),
        ("student", {"unfreeze_from": 6}, "phases", (replace(STUDENT.phases[0], train_from="block_6_expand"),)),
        ("student", {"unfreeze_from": 0}, "phases", (replace(STUDENT.phases[0], train_from="all"),)),
        ("student", {"source_weights": {"ffpp": 3.0}}, "source_weights", {"ffpp": 3.0}),
        ("high-pass", {"fine": 0.7}, "fine", 0.7),
        ("cnn-128", {"left_out": ("ffpp",)}, "left_out", ("ffpp",)),
    ],
)
def test_what_is_given_takes_the_place_of_the_presets(
    preset: str, changes: dict[str, object], field: str, value: object
) -> None:
    assert getattr(override(find(preset).recipe, changes), field) == value


def test_epochs_hold_for_every_phase_and_rates_keep_their_proportion() -> None:
    plain = find("b-xception").recipe.phases
    phases = override(find("b-xception").recipe, {"epochs": 2, "learning_rate": 5e-3}).phases
    assert [phase.epochs for phase in phases] == [2, 2]
    assert phases[0].learning_rate == 5e-3
    assert phases[1].learning_rate / 5e-3 == pytest.approx(plain[1].learning_rate / plain[0].learning_rate)


@pytest.mark.parametrize(
    ("preset", "changes", "says"),
    [
        ("cnn-128", {"steps": 5}, "steps means nothing to cnn-128"),
        ("cnn-128", {"width": 0.5}, "width means nothing"),
        ("b-vgg19", {"unfreeze_from": 3}, "unfreeze from means nothing"),
        ("b-vgg19", {"source_weights": {"a": 1.0}}, "source weights means nothing"),
        ("vgg16-svm", {"epochs": 3}, "epochs means nothing"),
        ("student", {"epochs": -1}, "epochs must not be below 0"),
        ("student", {"learning_rate": 0.0}, "learning_rate must be above 0"),
        ("student", {"self_blended": 1.5}, r"self_blended must lie in \[0, 1\]"),
        ("student", {"fine": -0.1}, r"fine must lie in \[0, 1\]"),
        ("cnn-128", {"fine": 0.5}, "fine means nothing"),
        ("cnn-128", {"posted": 0.5}, "posted means nothing"),
        ("cnn-128", {"codecs": ("taef2",)}, "codecs means nothing"),
        ("student", {"posted": 1.5}, r"posted must lie in \[0, 1\]"),
        ("student", {"reconstructed": 0.9}, "must be at most 1 together"),
        ("student", {"side": 3}, "side must be at least"),
        ("student", {"batch_size": 1}, "batch_size must be at least"),
        ("student", {"limit": -1}, "limit must not be"),
    ],
)
def test_what_means_nothing_or_does_not_fit_is_refused(preset: str, changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        override(find(preset).recipe, changes)


@pytest.mark.parametrize("stated", [{}, {"phases": [{"epoch": 1}]}, {"phases": [], "sides": 3}])
def test_a_record_of_another_kind_is_refused(stated: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        Recipe.from_dict(stated)


@pytest.mark.parametrize(
    "fields",
    [{"optimizer": "lion"}, {"schedule": "steps"}, {"monitor": "f1"}, {"patience": 2}],
)
def test_a_phase_takes_what_it_knows_alone(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="Received"):
        Phase(1, 1e-3, **fields)  # type: ignore[arg-type]
