"""Settings are read once; a wrong one stops the start with a sentence."""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from chalicelib.errors import SettingsError
from chalicelib.settings import Settings

ROOT = Path(__file__).parents[2]


def test_the_environment_sets_what_it_names_and_nothing_else() -> None:
    settings = Settings.from_environment(
        {"UNMASK_MAX_BYTES": "1000", "UNMASK_MAX_ASPECT": "2.5", "UNMASK_STORE_PATH": "/x/y", "PATH": "/bin"}
    )
    assert (settings.max_bytes, settings.max_aspect, settings.store_path) == (1000, 2.5, Path("/x/y"))
    assert settings.threads == Settings().threads


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("UNMASK_MAX_BYTES", "many"),
        ("UNMASK_MAX_BYTES", ""),
        ("UNMASK_MAX_BYTES", "1.5"),
        ("UNMASK_MAX_BYTES", "0"),
        ("UNMASK_THREADS", "-1"),
        ("UNMASK_MAX_ASPECT", "0.5"),
        ("UNMASK_MAX_ASPECT", "wide"),
        ("UNMASK_MAX_BITES", "5"),
    ],
)
def test_a_wrong_setting_is_told_by_name(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        Settings.from_environment({variable: value})


def test_settings_do_not_change_while_the_process_runs() -> None:
    with pytest.raises(AttributeError):
        Settings().threads = 2  # type: ignore[misc]


def test_the_settings_of_the_lambda_function_are_settings_of_ours() -> None:
    config = json.loads((ROOT / "backend" / ".chalice" / "config.json").read_text())
    settings = Settings.from_environment(config["environment_variables"])
    # Lambda takes events of 6 MB, and base64 makes four bytes of three.
    assert settings.max_bytes * 4 / 3 < 6_291_456
    # Only /tmp can be written there.
    assert settings.store_path.is_relative_to("/tmp")
    assert config["lambda_timeout"] <= 29


def test_every_setting_says_what_it_is_for() -> None:
    lines = (ROOT / "backend" / "chalicelib" / "settings.py").read_text().splitlines()
    for field in fields(Settings):
        index = next(i for i, line in enumerate(lines) if line.strip().startswith(f"{field.name}:"))
        assert lines[index - 1].strip().startswith("#"), field.name


def test_what_goes_to_lambda_is_what_the_project_depends_on() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    elsewhere = ("boto3", "chalice", "click")
    packed = (ROOT / "backend" / "requirements.txt").read_text().splitlines()
    assert [line for line in packed if not line.startswith("#")] == sorted(
        line for line in wanted if not line.startswith(elsewhere)
    )
