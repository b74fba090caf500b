"""The smoke test passes where the service is well, and only there."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.server import Server
from chalicelib.checks import Checker
from chalicelib.settings import Settings
from infra import smoke as program
from infra.smoke import try_all


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real service on a free port, with the models that are shipped and a key."""
    from backend import app as web

    settings = Settings(store_path=tmp_path / "checks.sqlite3", access_key="secret")
    checker = Checker.from_settings(settings)
    monkeypatch.setattr(web, "checker", lambda: checker)
    for name in ("uploads", "desk", "allowance"):
        monkeypatch.setattr(web, name, lambda: None)
    server = Server("127.0.0.1", 0, settings)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.url
    server.shutdown()
    server.server_close()
    checker.close()


def test_a_service_that_is_well_passes(url: str) -> None:
    tried = list(try_all(url, "secret"))
    assert len(tried) == 6
    assert [words for words, held in tried if not held] == []


def test_one_that_refuses_fails(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["smoke", url, "--key", "wrong"])
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code
    assert "FAIL  health" in capsys.readouterr().out


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "file:///etc/passwd"])
def test_one_that_is_not_there_is_a_sentence(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["smoke", url])
    with pytest.raises(SystemExit, match="does not answer"):
        program.main()
