"""What papers and source projects report of their detectors. Measured on other data, so no row of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEEPFAKEBENCH = "frame AUC {} on FF++ c23 / Celeb-DF v2 / DFDC, trained on FF++ c23 (DeepfakeBench)"


@dataclass(frozen=True, slots=True)
class Yardstick:
    """A published figure.

    Attributes:
        system: what was measured.
        figure: the value.
        data: on what.
    """

    system: str
    figure: str
    data: str


YARDSTICKS = (
    Yardstick("VGG16 features and an SVM (source project a)", "precision .669", "its own frames, cross-validated"),
    Yardstick("ten frozen-then-fine-tuned backbones (b)", "accuracy .64–.86", "its own test pictures"),
    Yardstick("ten frozen-then-fine-tuned backbones (b)", "accuracy .54–.73", "videos in the wild"),
    Yardstick("Xception with EfficientNetV2-M, weighted (c)", "accuracy .9513", "FF++ frames"),
    Yardstick("Xception (c)", "accuracy .941", "FF++ frames"),
    Yardstick("EfficientNetV2-M (c)", "accuracy .944", "FF++ frames"),
    Yardstick("MesoNet (c)", "accuracy .713", "FF++ frames"),
    Yardstick("MesoInception (c)", "accuracy .757", "FF++ frames"),
    Yardstick("128 px CNN of two blocks (d)", "accuracy .925", "its own pictures"),
    Yardstick("224 px CNN of three blocks (e)", "accuracy .9775, F1 .9695", "its own pictures"),
    Yardstick("Xception (DeepfakeBench)", "frame AUC .964 / .737 / .708", "FF++ c23 / Celeb-DF v2 / DFDC"),
    Yardstick("EfficientNet-B4 (DeepfakeBench)", "frame AUC .957 / .749 / .696", "FF++ c23 / Celeb-DF v2 / DFDC"),
    Yardstick("Meso4 (DeepfakeBench)", "frame AUC .608 / .609 / .556", "FF++ c23 / Celeb-DF v2 / DFDC"),
    Yardstick("MesoInception (DeepfakeBench)", "frame AUC .758 / .697 / .623", "FF++ c23 / Celeb-DF v2 / DFDC"),
    Yardstick("self-blended images (Shiohara & Yamasaki 2022)", "video AUC .93", "Celeb-DF v2"),
)

# What DeepfakeBench says of an architecture, for models whose card says nothing.
BY_ARCHITECTURE = {
    "xception": DEEPFAKEBENCH.format(".964 / .737 / .708"),
    "efficientnet-b4": DEEPFAKEBENCH.format(".957 / .749 / .696"),
    "meso4": DEEPFAKEBENCH.format(".608 / .609 / .556"),
    "mesoinception4": DEEPFAKEBENCH.format(".758 / .697 / .623"),
}


def find_published(model: Mapping[str, Any]) -> str:
    """Return what is published of a model: by its card, by its preset, or by its architecture; "" if nothing."""
    if model["published"]:
        return str(model["published"])
    from training import presets

    if model["preset"] in presets.names():
        return presets.find(model["preset"]).published
    return BY_ARCHITECTURE.get(model["architecture"], "")
