"""Puts the extension together, once for Chromium and once for Firefox: `python extension/bundle.py`.

Nothing is compiled: the files are copied as they stand, beside the modules that are shared with the
service's own page. Needs no more than Python, so that `make run` can offer the extension without Node; it then
lacks the reader of Content Credentials, which npm brings, and says so where a picture has some.
"""

from __future__ import annotations

import argparse
import json
import posixpath
import re
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent
# What a browser gets; tests, tools and texts for the shops stay behind.
FOLDERS = ("_locales", "background", "common", "content", "credentials", "icons", "languages", "panel", "samples")
STYLES = ("shared/palette.css", "shared/verdict_view.css")
# The reader of Content Credentials as npm brings it, and what it is called in the extension.
READER = ROOT / "node_modules" / "@contentauth" / "c2pa-wasm"
READER_FILES = {"pkg/c2pa.js": "c2pa.js", "pkg/c2pa_bg.wasm": "c2pa_bg.wasm", "LICENSE": "LICENSE"}
SUFFIXES = {".css", ".html", ".jpg", ".js", ".json", ".png", ".svg"}
# What runs in pages: it and all that it imports must be open to them, and nothing else.
ENTRY = "content/main.js"
IMPORT = re.compile(r'^(?:import|export) [^;"]*"(\.[^"]+)";', re.MULTILINE)
# Zips of equal content are equal files: shops and people can compare them.
ZIP_TIME = (2020, 1, 1, 0, 0, 0)


def build(target: Path) -> dict[str, Path]:
    """Write a folder and a zip for each browser.

    Args:
        target: takes `chromium/`, `firefox/` and `unmask-<version>-<browser>.zip`; folders of these names are
            replaced.

    Returns:
        The folder of each browser, which can be loaded unpacked.
    """
    browsers = _read(ROOT / "browsers.json")
    folders = {}
    for browser, own in browsers.items():
        folder = folders[browser] = target / browser
        manifest = merge(_read(ROOT / "manifest.json"), own)
        manifest["web_accessible_resources"] = [{"resources": list_imports(ENTRY), "matches": ["<all_urls>"]}]
        shutil.rmtree(folder, ignore_errors=True)
        for name, source in _files():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / name)
        _write(folder / "manifest.json", manifest)
        _write(folder / "languages" / "index.json", list_languages())
        _pack(folder, target / f"unmask-{manifest['version']}-{browser}.zip")
    return folders


def merge(common: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest: what one browser adds to what all share. Lists are joined, other values replaced."""
    merged = dict(common)
    for key, value in own.items():
        merged[key] = sorted(merged[key] + value) if isinstance(merged.get(key), list) else value
    return merged


def list_languages() -> list[dict[str, str]]:
    """Return code and own name of each language that has a file, English first."""
    languages = [_read(path)["language"] for path in sorted((ROOT / "languages").glob("*.json"))]
    languages.sort(key=lambda language: language["code"] != "en")
    return [{"code": language["code"], "name": language["name"]} for language in languages]


def list_imports(*entries: str) -> list[str]:
    """Return modules and all that they import, as paths below the extension's folder, sorted."""
    found: set[str] = set()
    waiting = list(entries)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            folder = posixpath.dirname(name)
            imports = IMPORT.findall((ROOT / name).read_text(encoding="utf-8"))
            waiting += [posixpath.normpath(posixpath.join(folder, path)) for path in imports]
    return sorted(found)


def list_shared() -> list[str]:
    """Return what is taken from the service's page: its styles, and each module that one of ours reaches."""
    own = (path.relative_to(ROOT).as_posix() for folder in FOLDERS for path in (ROOT / folder).rglob("*.js"))
    return [*STYLES, *(name for name in list_imports(*own) if name.startswith("shared/"))]


def _files() -> Iterator[tuple[str, Path]]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SUFFIXES:
                yield path.relative_to(ROOT).as_posix(), path
    for name in list_shared():
        yield name, ROOT / name
    yield "LICENSE", ROOT.parent / "LICENSE"
    if READER.is_dir():
        for name, new in READER_FILES.items():
            yield f"vendor/{new}", READER / name


def _pack(folder: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), ZIP_TIME)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                packed.writestr(entry, path.read_bytes())


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Build the extension, and say how to load it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/extension"), help="folder to write to")
    folders = build(parser.parse_args().out)
    sys.stdout.write(
        "The extension, to load into a browser:\n"
        f"  Chromium, Chrome, Edge: chrome://extensions, Developer mode, Load unpacked: {folders['chromium']}\n"
        "  Firefox: about:debugging#/runtime/this-firefox, Load Temporary Add-on: "
        f"{folders['firefox'] / 'manifest.json'}\n"
    )
    if not READER.is_dir():
        sys.stdout.write("  Without the reader of Content Credentials; `make extension` brings it.\n")


if __name__ == "__main__":
    main()
