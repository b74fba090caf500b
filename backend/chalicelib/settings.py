"""Every limit and switch in one typed object, read once at start from `UNMASK_*` variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from chalicelib.errors import SettingsError

MODELS = Path(__file__).parent / "models"


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one process; `UNMASK_MAX_BYTES=1000000` sets `max_bytes`, and so on."""

    # SQLite file that remembers checks; its folder is made when missing.
    store_path: Path = Path(".unmask/checks.sqlite3")
    # Folder that holds the .tflite files and model_card.json.
    models: Path = MODELS
    # Intra-op threads of each interpreter. One Lambda vCPU is 1769 MB of memory.
    threads: int = 1

    # An encoded picture. API Gateway and Lambda leave about 4.5 MB of binary body; locally there is room.
    max_bytes: int = 20_000_000
    # A decoded picture, judged from its header, before any pixel is decoded.
    max_pixels: int = 40_000_000
    # Shorter side, px. Below it no face can be judged.
    min_side: int = 32
    # Longer side ÷ shorter side.
    max_aspect: float = 20.0
    # Frames × area of an animation, px: its header alone can promise more than we will walk through.
    max_animation_pixels: int = 400_000_000

    # Longer side at which faces are searched, px; crops come from the full picture.
    search_side: int = 1280
    # Faces judged in one picture, largest first.
    max_faces: int = 16
    # A face whose box is smaller than this, px, is shown as uncertain.
    min_face: int = 48

    def __post_init__(self) -> None:
        for name in ("threads", "max_bytes", "max_pixels", "min_side", "max_faces", "min_face", "search_side"):
            if getattr(self, name) < 1:
                raise SettingsError(f"UNMASK_{name.upper()} must be at least 1. Received: {getattr(self, name)}")
        if self.max_aspect < 1:
            raise SettingsError(f"UNMASK_MAX_ASPECT must be at least 1. Received: {self.max_aspect}")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings.

        Raises:
            SettingsError: a value has the wrong type or range, or an `UNMASK_*` name is unknown.
        """
        kinds = {f.name: f.type for f in fields(cls)}
        values: dict[str, object] = {}
        for variable, text in environ.items():
            if not variable.startswith("UNMASK_"):
                continue
            name = variable.removeprefix("UNMASK_").lower()
            if name not in kinds:
                raise SettingsError(f"{variable} is not a setting. Known: {', '.join(sorted(kinds))}")
            parse = {"int": int, "float": float, "Path": Path}[str(kinds[name])]
            try:
                values[name] = parse(text)
            except ValueError as error:
                raise SettingsError(f"{variable} must be a {kinds[name]}. Received: {text!r}") from error
        return cls(**values)  # type: ignore[arg-type]
