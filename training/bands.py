"""Figures by how large a face is and by how light its skin looks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from training.contrasts import count_labels
from training.evaluation import measure_rows

# Larger side of the face's box, px: title and least side.
SIDES = (
    ("under 64 px", 0.0),
    ("64–96 px", 64.0),
    ("96–128 px", 96.0),
    ("128–192 px", 128.0),
    ("192 px and more", 192.0),
)
# Individual typology angle of the cheeks, degrees: classes of Chardon et al. (1991), title and least angle.
TONES = (
    ("dark, below −30°", -math.inf),
    ("brown, −30 to 10°", -30.0),
    ("tan, 10 to 28°", 10.0),
    ("intermediate, 28 to 41°", 28.0),
    ("light, 41 to 55°", 41.0),
    ("very light, above 55°", 55.0),
)
UNTOLD = "cannot be told (grey or tinted)"


def measure_bands(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return figures by band of the face that each picture's verdict rests on.

    Args:
        rows: as `training.scoring.score_faces` returns them.

    Returns:
        `face_side` and `apparent_skin_tone`: a band each with `title`, `reals`, `fakes` and the figures of
        `measure_rows`. Skin tone is what the cheeks' colour suggests, see `training.skin`; nothing tells age.
    """
    scored = [row for row in rows if "face_side" in row]
    toned = [row for row in scored if row["skin_angle"] is not None]
    untold = [row for row in scored if row["skin_angle"] is None]
    return {
        "face_side": _cut(scored, "face_side", SIDES),
        "apparent_skin_tone": [*_cut(toned, "skin_angle", TONES), _measure(UNTOLD, untold)],
    }


def _cut(rows: Sequence[dict[str, Any]], key: str, bands: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    ends = [*(least for _, least in bands[1:]), math.inf]
    return [
        _measure(title, [row for row in rows if least <= row[key] < end])
        for (title, least), end in zip(bands, ends, strict=True)
    ]


def _measure(title: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"title": title, **count_labels(rows), **measure_rows(rows)}
