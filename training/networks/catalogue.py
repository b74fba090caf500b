"""The architectures by name: what there is, how one is built, and what of it is trained."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras

from training.networks.applications import APPLICATIONS, build_application
from training.networks.cnn import build_cnn_128, build_cnn_224
from training.networks.efficientnet_lite import MULTIPLE, build_efficientnet_lite
from training.networks.high_pass import build_high_pass
from training.networks.loading import load_network
from training.networks.mesonet import build_meso4, build_meso_inception4
from training.networks.squeezenet import build_squeezenet
from training.networks.student import build_student


@dataclass(frozen=True, slots=True)
class Architecture:
    """One network that can be built.

    Attributes:
        name: as users type it.
        about: one line: what it is and where it comes from.
        side: side of the square input, px, where none is asked for.
        least_side: the smallest that it takes, px.
        multiple: the side must be a multiple of it, px.
        pretrained: whether `weights="imagenet"` can be downloaded.
        evidence: whether its logit is the mean of a map, the layer "evidence".
        make: builds it from a side and weights ("imagenet", None or a file without top).
    """

    name: str
    about: str
    side: int
    least_side: int
    make: Callable[[int, str | None], keras.Model]
    multiple: int = 1
    pretrained: bool = True
    evidence: bool = True


def _make_student(width: float, *, whole: bool = False, fine: bool = False) -> Callable[[int, str | None], keras.Model]:
    return lambda side, weights: build_student(side, width, weights, unfreeze_from=0, whole=whole, fine=fine)


_OURS = [
    Architecture("student", "the first part of MobileNetV2 1.0: what is served", 160, 32, _make_student(1.0), 16),
    Architecture("student-0.35", "the student at a third of its width", 128, 32, _make_student(0.35), 16),
    Architecture("colours", "the whole of MobileNetV2 1.0: a member", 224, 32, _make_student(1.0, whole=True), 32),
    Architecture(
        "traces",
        "colours at twice the resolution throughout, for what generators leave: a member",
        224,
        32,
        _make_student(1.0, whole=True, fine=True),
        16,
    ),
    Architecture("high-pass", "the student on noise residuals alone: a member", 160, 32, build_high_pass, 16),
    Architecture(
        "efficientnet-lite",
        "EfficientNet-Lite0 under two heads: larger than the student, and as fit for int8",
        224,
        MULTIPLE,
        build_efficientnet_lite,
        MULTIPLE,
        pretrained=False,
    ),
]
_PUBLISHED = [
    Architecture(name, each.about, each.side, each.least_side, partial(build_application, name))
    for name, each in APPLICATIONS.items()
] + [Architecture("squeezenet", "SqueezeNet 1.1 (Iandola et al. 2016)", 227, 48, build_squeezenet, pretrained=False)]
_FROM_NOTHING = [
    Architecture(name, about, side, 32, make, pretrained=False, evidence=False)
    for name, about, side, make in (
        ("cnn-128", "source project (d): two blocks of convolution and pooling", 128, build_cnn_128),
        ("cnn-224", "source project (e): three blocks of convolution and pooling", 224, build_cnn_224),
        ("meso4", "Meso-4 (Afchar et al. 2018)", 256, build_meso4),
        ("meso-inception4", "MesoInception-4 (Afchar et al. 2018)", 256, build_meso_inception4),
    )
]
_LISTED = [*_OURS, *_PUBLISHED, *_FROM_NOTHING]


# Layers that a network may have and the one that it goes on from may not: head, and mix of residuals.
ANEW = ("evidence", "mix")


def _fold(name: str) -> str:
    """Return a name without what people type differently: `ResNet152V2` is `resnet152-v2`."""
    return re.sub(r"[-_ ]", "", name.lower())


_BY_NAME = {_fold(architecture.name): architecture for architecture in _LISTED}


def names() -> list[str]:
    """Return the names of all architectures, ours first."""
    return [architecture.name for architecture in _LISTED]


def find(name: str) -> Architecture:
    """Return an architecture; case, dashes and underscores of the name do not matter.

    Raises:
        ValueError: there is none of that name; the message names the nearest.
    """
    if _fold(name) in _BY_NAME:
        return _BY_NAME[_fold(name)]
    near = difflib.get_close_matches(_fold(name), _BY_NAME, n=1)
    hint = f"did you mean {_BY_NAME[near[0]].name}?" if near else f"there are {', '.join(names())}."
    raise ValueError(f"no architecture is called {name!r}; {hint}")


def build(name: str, *, side: int | None = None, weights: str | Path = "imagenet") -> keras.Model:
    """Build a network, all of it trainable.

    Args:
        name: one of `names()`.
        side: side of the input, px; the architecture's own where None.
        weights: "imagenet" to download them, "none" for random ones, a weights file of the backbone without
            top, or a .keras network of the same architecture to go on from.

    Returns:
        float32 [N, side, side, 3] in [-1, 1] to a logit [N, 1], fake positive.

    Raises:
        ValueError: the name, the side or the weights do not fit, or the weights cannot be had.
    """
    architecture = find(name)
    side = architecture.side if side is None else side
    if side < architecture.least_side or side % architecture.multiple:
        multiple = f" and a multiple of {architecture.multiple}" if architecture.multiple > 1 else ""
        raise ValueError(f"side must be at least {architecture.least_side}{multiple}. Received: {side}")
    weights = str(weights)
    if weights == "imagenet" and not architecture.pretrained:
        raise ValueError(f"nobody publishes ImageNet weights of {architecture.name}: give weights none or a file.")
    if weights not in ("imagenet", "none") and not Path(weights).is_file():
        raise ValueError(f"there are no weights at {weights}: give imagenet, none, a weights file or a .keras file.")
    if weights.endswith(".keras"):
        network = architecture.make(side, None)
        go_on_from(network, architecture.name, Path(weights))
        return network
    try:
        return architecture.make(side, None if weights == "none" else weights)
    except Exception as error:
        # Keras tells of an interrupted download by a bare Exception, and of a file that does not fit by many kinds.
        if weights == "none":
            raise
        if weights == "imagenet":
            cure = "could not be downloaded; give weights none, or the path of a weights file without top"
        else:
            cure = f"in {weights} do not fit"
        raise ValueError(f"the weights of {architecture.name} {cure}. ({error})") from error


def go_on_from(network: keras.Model, name: str, path: Path) -> None:
    """Give a network the weights of a saved one, layer by layer.

    The saved network may be deeper, as a teacher's is, or see colours where this one sees noise. A layer of `ANEW`
    begins anew where the file has none that fits.

    Args:
        network: receives them.
        name: of its architecture, for the error.
        path: a .keras file.

    Raises:
        ValueError: the file lacks a layer, or one is of another shape.
    """
    try:
        saved = {layer.name: layer.get_weights() for layer in load_network(path).layers if layer.weights}
        for layer in network.layers:
            shapes = [tuple(weight.shape) for weight in layer.weights]
            if layer.name in ANEW and [array.shape for array in saved.get(layer.name, [])] != shapes:
                continue
            if shapes:
                layer.set_weights(saved[layer.name])
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} is no {name} with an input of this side. ({error})") from error


def train_from(network: keras.Model, start: str | int) -> None:
    """Set what is trained; compile the network afterwards.

    What lies below the start is frozen, its batch statistics too: Keras runs a frozen batch normalisation in
    inference mode.

    Args:
        network: built by `build`, or loaded.
        start: "head"; "all"; the name of the first trained layer; or a number n ≥ 0 for the last n layers of the
            backbone and the head.

    Raises:
        ValueError: there is no such layer, or not so many.
    """
    layers = network.layers
    head = find_head(network)
    if start == "all":
        first = 0
    elif start == "head":
        first = head
    elif isinstance(start, int):
        if not 0 <= start <= head:
            raise ValueError(f"{network.name} has a backbone of {head} layers. Received: {start}")
        first = head - start
    else:
        known = [layer.name for layer in layers]
        if start not in known:
            near = difflib.get_close_matches(start, known, n=3)
            raise ValueError(f"{network.name} has no layer {start!r}; nearest: {', '.join(near) or 'none'}.")
        first = known.index(start)
    for index, layer in enumerate(layers):
        layer.trainable = index >= first


def find_head(network: keras.Model) -> int:
    """Return the index of the head's first layer: the evidence, or what is called head…; its dropout with it."""
    starts = [i for i, layer in enumerate(network.layers) if layer.name == "evidence" or layer.name.startswith("head")]
    if not starts:
        raise ValueError(f"{network.name} has no head that could be trained alone.")
    first = starts[0]
    while first and isinstance(network.layers[first - 1], keras.layers.Dropout):
        first -= 1
    return first
