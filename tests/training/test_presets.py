"""Every source project has its presets, and the list tells what is theirs and what is ours."""

from __future__ import annotations

from dataclasses import fields

import pytest

from training.commands.train import describe
from training.networks.catalogue import find as find_architecture
from training.presets import PRESETS, PROJECTS, find, names
from training.recipe import Phase, Recipe


def test_every_project_has_a_preset_and_the_second_its_ten() -> None:
    projects = [find(name).project for name in names()]
    assert set(projects) == set(PROJECTS)
    assert projects.count("b") == 10


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_names_an_architecture_that_takes_its_side_and_weights(name: str) -> None:
    recipe = find(name).recipe
    architecture = find_architecture(recipe.architecture)
    assert recipe.side >= architecture.least_side
    assert recipe.side % architecture.multiple == 0
    assert architecture.pretrained or recipe.weights == "none"


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_assumed_is_something_that_a_recipe_states(name: str) -> None:
    known = {field.name for kind in (Recipe, Phase) for field in fields(kind)}
    assert set(find(name).assumed) <= known


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("b-")])
def test_fine_tuning_follows_a_frozen_start_at_a_tenth_of_the_rate_at_most(name: str) -> None:
    first, second = find(name).recipe.phases
    assert first.train_from == "head"
    assert isinstance(second.train_from, int)
    assert second.learning_rate <= first.learning_rate / 10


@pytest.mark.parametrize("name", [name for name in PRESETS if find(name).project != "ours"])
def test_a_presets_text_names_its_published_figure_and_what_is_assumed(name: str) -> None:
    preset = find(name)
    text = describe(preset)
    assert preset.published
    assert preset.published in text
    assert all(word in text for word in preset.assumed)
    assert all(len(line) <= 140 for line in text.splitlines())


def test_an_unknown_preset_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="meso4"):
        find("mesonet")
