"""Trainings by name: those of the source projects, of published networks, and our own.

The projects are known to us by what they report: networks, data, figures. Where a report is silent, a preset takes
the value that is usual for the network and names it in `assumed`, so that no list passes off our guess as theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

from training.recipe import Phase, Recipe

PROJECTS = {
    "a": "features of VGG16 under a support vector machine",
    "b": "ten ImageNet networks, frozen at first, then fine-tuned",
    "c": "a weighted ensemble of Xception and EfficientNetV2-M, against MesoNet",
    "d": "a CNN of two blocks on 128 px",
    "e": "a CNN of three blocks on 224 px",
    "published": "networks of a paper, whose weights their authors publish",
    "ours": "made here",
}


@dataclass(frozen=True, slots=True)
class Preset:
    """A training by name.

    Attributes:
        name: what `unmask train --preset` takes.
        project: a key of `PROJECTS`.
        title: one line.
        published: the figure that its project or paper states, and on which data; "" where there is none. It is
            of other data than ours and no promise.
        recipe: what is done.
        assumed: fields of the recipe that the project does not state and that are therefore ours.
    """

    name: str
    project: str
    title: str
    published: str
    recipe: Recipe
    assumed: tuple[str, ...] = ()


def names() -> list[str]:
    """Return the names of all presets, in the order of `--list`."""
    return list(PRESETS)


def find(name: str) -> Preset:
    """Return a preset.

    Raises:
        ValueError: there is no such preset.
    """
    if name not in PRESETS:
        raise ValueError(f"there is no preset {name!r}. Known: {', '.join(PRESETS)}")
    return PRESETS[name]


def _passes(architecture: str, side: int, *phases: Phase, **changes: object) -> Recipe:
    """Return a recipe as student projects train: every picture once an epoch, no averages, nothing of ours."""
    plain = {
        "sampling": "passes",
        "augmentation": "none",
        "label_smoothing": 0.0,
        "weight_decay": 0.0,
        "ema_momentum": 0.0,
        "self_blended": 0.0,
        "swapped": 0.0,
        "upsampled": 0.0,
        "posted": 0.0,
        "map_weight": 0.0,
        "steps": 1,
    }
    return Recipe(architecture=architecture, side=side, phases=phases, **{**plain, **changes})  # type: ignore[arg-type]


def _fine_tuned(name: str, title: str, last: int) -> Preset:
    """Return a network of project (b): the head alone, then the last layers of the backbone at a tenth of the rate.

    Args:
        name: of the architecture.
        title: of the preset.
        last: how many of the backbone's layers are trained in the second phase: its last stage or blocks.
    """
    return Preset(
        name=f"b-{name}",
        project="b",
        title=title,
        published="accuracy .64–.86 on the project's test pictures, .54–.73 on videos in the wild, over ten networks",
        # One side for all ten, so that they are compared by their layers alone; the faces that we have are hardly
        # larger, so a network's customary 299 to 600 px would show it nothing more.
        recipe=_passes(
            name,
            224,
            Phase(10, 1e-3, "adam", train_from="head", monitor="val_loss", patience=3),
            Phase(10, 1e-4, "adam", train_from=last, monitor="val_loss", patience=3),
            augmentation="geometry",
        ),
        assumed=("side", "phases", "batch_size", "augmentation"),
    )


def _deepguard(name: str, title: str, accuracy: str) -> Preset:
    return Preset(
        name=f"deepguard-{name}",
        project="c",
        title=title,
        published=f"accuracy {accuracy} on frames of FaceForensics++; .9513 for the weighted ensemble of both",
        recipe=_passes(
            name,
            299,
            Phase(3, 1e-3, "adamw", train_from="head", monitor="auc"),
            Phase(12, 1e-4, "adamw", "cosine", train_from="all", monitor="auc", patience=4),
            augmentation="geometry",
            label_smoothing=0.01,
            weight_decay=1e-4,
        ),
        assumed=("side", "phases", "batch_size", "augmentation", "label_smoothing", "weight_decay"),
    )


def _meso(name: str, title: str, accuracy: str) -> Preset:
    return Preset(
        name=name,
        project="published",
        title=f"{title} (Afchar et al. 2018), from scratch or from its published weights with --weights PATH",
        published=f"accuracy {accuracy} on frames of FaceForensics++, as project (c) measured it",
        # Rate and kinds of augmentation are the paper's, and nearly the batch (75); it divides the rate by ten every
        # 1,000 steps.
        recipe=_passes(
            name,
            256,
            Phase(30, 1e-3, "adam", "cosine", monitor="val_loss", patience=8),
            weights="none",
            batch_size=76,
            augmentation="geometry",
        ),
        assumed=("epochs", "schedule", "patience", "batch_size"),
    )


def _support_vectors(name: str, project: str, architecture: str, title: str, published: str) -> Preset:
    recipe = _passes(architecture, 224, sampling="support_vectors")
    return Preset(name, project, title, published, recipe, assumed=("side",))


_PRESETS = (
    _support_vectors(
        "vgg16-svm",
        "a",
        "vgg16",
        "VGG16's features under a support vector machine",
        "precision .669, cross-validated on the project's own frames",
    ),
    _fine_tuned("xception", "Xception", 36),
    _fine_tuned("vgg19", "VGG19", 5),
    _fine_tuned("resnet152v2", "ResNet152V2", 36),
    _fine_tuned("inceptionv3", "InceptionV3", 62),
    _fine_tuned("inceptionresnetv2", "InceptionResNetV2", 163),
    _fine_tuned("mobilenetv2", "MobileNetV2", 56),
    _fine_tuned("densenet201", "DenseNet201", 226),
    _fine_tuned("nasnetmobile", "NASNetMobile", 184),
    _fine_tuned("efficientnet-b3", "EfficientNetB3", 120),
    _fine_tuned("efficientnet-b7", "EfficientNetB7", 61),
    _deepguard("xception", "Xception, trained whole", ".941"),
    _deepguard("efficientnetv2-m", "EfficientNetV2-M, trained whole", ".944"),
    Preset(
        name="cnn-128",
        project="d",
        title="two blocks of convolution and pooling, from scratch",
        published="accuracy .925 on the project's own pictures",
        recipe=_passes(
            "cnn-128", 128, Phase(25, 1e-3, monitor="val_loss", patience=5), weights="none", augmentation="flip"
        ),
        assumed=("phases", "batch_size", "augmentation"),
    ),
    Preset(
        name="cnn-224",
        project="e",
        title="three blocks of convolution and pooling, from scratch",
        published="accuracy .9775 (F1 .9695) on the project's own pictures",
        recipe=_passes(
            "cnn-224", 224, Phase(25, 1e-3, monitor="val_loss", patience=5), weights="none", augmentation="geometry"
        ),
        assumed=("phases", "batch_size", "augmentation"),
    ),
    _meso("meso4", "Meso4", ".713"),
    _meso("mesoinception4", "MesoInception4", ".757"),
    Preset(
        name="student",
        project="ours",
        title="MobileNetV2, cut short, that ends in an evidence map, half of its fakes self-blended: what is served",
        published="",
        recipe=Recipe(),
    ),
    Preset(
        name="colours",
        project="ours",
        title="a member that sees the picture as the student does, by the whole MobileNetV2",
        published="",
        recipe=Recipe(architecture="colours"),
    ),
    Preset(
        name="traces",
        project="ours",
        title="a member that keeps the picture's resolution at first, four times as dear: train it on a GPU",
        published="",
        recipe=Recipe(architecture="traces", map_weight=0.4, fine=0.6),
    ),
    Preset(
        name="efficientnet-lite",
        project="ours",
        title="EfficientNet-Lite0, larger than the student, trained as it is; start: --weights of its published file",
        published="",
        recipe=Recipe(architecture="efficientnet-lite", phases=(Phase(12, 3e-4, "adamw", "cosine"),), weights="none"),
    ),
    Preset(
        name="high-pass",
        project="ours",
        title="a member that sees residuals of high-pass filters only, trained as the student is",
        published="",
        # The first layers are wide and dear to train, and what they look for in colours they look for in noise too.
        recipe=Recipe(architecture="high-pass", phases=(Phase(10, 3e-4, "adamw", "cosine", "block_2_expand"),)),
    ),
    _support_vectors(
        "mobilenetv2-svm",
        "ours",
        "mobilenetv2",
        "project (a)'s way on MobileNetV2, where VGG16's weights cannot be had",
        "",
    ),
)

PRESETS = {preset.name: preset for preset in _PRESETS}
