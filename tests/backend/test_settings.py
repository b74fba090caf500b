"""Settings are read once; a wrong one stops the start with a sentence."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from chalicelib.errors import SettingsError
from chalicelib.settings import Settings, describe

ROOT = Path(__file__).parents[2]


def test_the_environment_sets_what_it_names_and_nothing_else() -> None:
    settings = Settings.from_environment(
        {"UNMASK_MAX_BYTES": "1000", "UNMASK_MAX_ASPECT": "2.5", "UNMASK_STORE_PATH": "/x/y", "PATH": "/bin"}
    )
    assert (settings.max_bytes, settings.max_aspect, settings.store_path) == (1000, 2.5, Path("/x/y"))
    assert settings.threads == Settings().threads


@pytest.mark.parametrize(
    ("text", "value"), [("on", True), ("TRUE", True), ("yes", True), ("1", True), ("off", False), ("0", False)]
)
def test_a_switch_is_read_in_words(text: str, value: bool) -> None:
    assert Settings.from_environment({"UNMASK_FETCH_URLS": text}).fetch_urls is value


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("", ()),
        ("api.example.org", ("api.example.org",)),
        (" api.example.org, 203.0.113.5,[2001:db8::5] ,", ("api.example.org", "203.0.113.5", "[2001:db8::5]")),
    ],
)
def test_a_list_is_read_between_commas(text: str, hosts: tuple[str, ...]) -> None:
    assert Settings.from_environment({"UNMASK_OWN_HOSTS": text}).own_hosts == hosts


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("UNMASK_FETCH_URLS", "maybe"),
        ("UNMASK_FETCH_URLS", ""),
        ("UNMASK_FETCH_SECONDS", "0"),
        ("UNMASK_FETCH_SECONDS", "nan"),
        ("UNMASK_FETCH_SECONDS", "inf"),
        ("UNMASK_FETCH_SECONDS", "601"),
        ("UNMASK_FETCH_REDIRECTS", "0"),
        ("UNMASK_OWN_HOSTS", "https://api.example.org/"),
        ("UNMASK_OWN_HOSTS", "api.example.org:443"),
        ("UNMASK_OWN_HOSTS", "2001:db8::5"),
        ("UNMASK_MAX_BYTES", "many"),
        ("UNMASK_MAX_BYTES", ""),
        ("UNMASK_MAX_BYTES", "1.5"),
        ("UNMASK_MAX_BYTES", "0"),
        ("UNMASK_MAX_FRAMES", "0"),
        ("UNMASK_MAX_CLIP_PIXELS", "-1"),
        ("UNMASK_THREADS", "-1"),
        ("UNMASK_MAX_ASPECT", "0.5"),
        ("UNMASK_MAX_ASPECT", "wide"),
        ("UNMASK_MAX_ASPECT", "nan"),
        ("UNMASK_MAX_ASPECT", "inf"),
        ("UNMASK_max_bytes", "1000"),
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
    # Lambda takes events of 6 MB, and base64 makes four bytes of three; JSON comes as it is.
    assert settings.max_bytes * 4 / 3 < 6_291_456
    # Only /tmp can be written there.
    assert settings.store_path.is_relative_to("/tmp")
    assert config["lambda_timeout"] <= 29
    # A slow server somewhere must leave time to judge its picture.
    assert settings.fetch_seconds <= config["lambda_timeout"] / 2


def test_every_setting_says_what_it_is_in_a_line_of_its_own() -> None:
    entries = describe({})
    assert [entry.variable for entry in entries] == [f"UNMASK_{field.name.upper()}" for field in fields(Settings)]
    for entry in entries:
        assert 5 < len(entry.what) < 120, entry.variable
        assert "\n" not in entry.what and "|" not in entry.what
    assert len({entry.what for entry in entries}) == len(entries)


def test_a_described_setting_tells_what_holds_and_where_that_is_from() -> None:
    told = {entry.variable: entry for entry in describe({"UNMASK_MAX_FACES": "16", "UNMASK_MIN_FACE": "9"})}
    assert (told["UNMASK_MAX_FACES"].value, told["UNMASK_MAX_FACES"].from_environment) == (16, True)
    assert (told["UNMASK_MIN_FACE"].value, told["UNMASK_MIN_FACE"].default) == (9, 48)
    assert not told["UNMASK_THREADS"].from_environment


def test_no_setting_is_idle() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "backend").rglob("*.py"))
    for field in fields(Settings):
        assert re.search(rf"\bsettings\.{field.name}\b", sources), field.name


def test_what_goes_to_lambda_is_what_the_project_depends_on() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    elsewhere = ("boto3", "chalice", "click")
    packed = (ROOT / "backend" / "requirements.txt").read_text().splitlines()
    assert [line for line in packed if not line.startswith("#")] == sorted(
        line for line in wanted if not line.startswith(elsewhere)
    )


def test_the_version_is_that_of_the_project() -> None:
    from chalicelib import __version__

    assert __version__ == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
