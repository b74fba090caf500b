"""What fixes a training: everything that, changed, would give another network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

# AdamW decays the weights apart from the gradient; the others take the classical penalty from Keras.
OPTIMIZERS = ("adamw", "adam", "nadam", "rmsprop", "sgd")
SCHEDULES = ("constant", "cosine")
# What early stopping may look at, and whether more of it is better.
MONITORS = {"auc": True, "val_accuracy": True, "val_loss": False}
AUGMENTATIONS = ("none", "flip", "geometry", "ours")
SAMPLINGS = ("passes", "draws", "support_vectors")
# Fields of a recipe that say how many of the fakes of a draw are made from real pictures, and how.
FORGERIES = ("self_blended", "swapped", "upsampled", "reconstructed", "restored", "edited")
# Fields that older recipes lack, and the value that does what these did. Those that have it are not recorded, so that
# a run that was begun before there was such a field goes on.
LATER: dict[str, Any] = {
    "left_out": (),
    "reconstructed": 0.0,
    "restored": 0.0,
    "edited": 0.0,
    "codecs": ("taef2",),
    "posted": 0.0,
    "native": 0.0,
    "taught": (),
}


def _check(holds: bool, says: str, received: object) -> None:
    if not holds:
        raise ValueError(f"{says}. Received: {received!r}")


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a training with one optimiser.

    Attributes:
        epochs: at most so many; 0 passes the phase over.
        optimizer: one of `OPTIMIZERS`.
        learning_rate: the rate, or the peak of the cosine.
        schedule: "constant", or "cosine": the first tenth of all steps warms up, then it falls to a hundredth.
        train_from: "all", "head", the name of the first layer that is trained, or an int n: the last n layers
            of the backbone and the head.
        monitor: what decides which epoch is kept, one of `MONITORS`; "" keeps the last.
        patience: epochs without an improvement of `monitor` after which the phase ends; 0 never ends it early.
    """

    epochs: int
    learning_rate: float
    optimizer: str = "adam"
    schedule: str = "constant"
    train_from: str | int = "all"
    monitor: str = ""
    patience: int = 0

    def __post_init__(self) -> None:
        _check(self.epochs >= 0, "epochs must not be below 0", self.epochs)
        _check(self.learning_rate > 0, "learning_rate must be above 0", self.learning_rate)
        _check(self.optimizer in OPTIMIZERS, f"optimizer must be one of {', '.join(OPTIMIZERS)}", self.optimizer)
        _check(self.schedule in SCHEDULES, f"schedule must be one of {', '.join(SCHEDULES)}", self.schedule)
        _check(self.monitor in ("", *MONITORS), f"monitor must be one of {', '.join(MONITORS)}", self.monitor)
        _check(not self.patience or bool(self.monitor), "patience needs a monitor", self.patience)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What fixes a training. The defaults make a student of the kind that is served.

    Attributes:
        architecture: a name of `training.networks.catalogue`.
        side: side of the network's input, px.
        phases: one after the other, each going on from the best epoch of the one before; none for support
            vectors, which are fitted and not trained.
        weights: start: "imagenet", "none", a .weights.h5 file of the backbone, or a .keras of ours to go on from.
        width: MobileNetV2's alpha; of the student alone.
        batch_size: pictures a step.
        sampling: "passes": every picture once an epoch, both classes weighing the same in the loss; "draws": an
            endless draw, half real and half fake, balanced over sources; "support_vectors": every picture once.
        steps: steps of an epoch of draws.
        augmentation: "none", "flip", "geometry" (of passes) or "ours" (of draws).
        native: share of the views of draws that are squares at native size, of the faces that are large enough; see
            `training.native_views`.
        fine: share of the views of draws that keep their resolution and are hardly touched.
        label_smoothing: in [0, 1).
        weight_decay: of AdamW.
        ema_momentum: of the moving average of the weights, which is what is kept; 0 for none.
        source_weights: factor of a source in draws.
        self_blended, swapped, upsampled, reconstructed, restored, edited: shares of the fakes of a draw that are made
            on the fly from real pictures; see `training.forgeries.mix.Mix`. What is left of 1 are collected fakes.
        codecs: auto-encoders that the reconstructed ones go through: "taef2", or folders of ours.
        posted: share of the views of draws that come through social networks and messengers.
        map_weight: how much the cells of the evidence map count in the loss of draws, see `training.losses`; 0
            teaches the logit alone.
        teacher: a .keras network whose logits are learnt too, of the very views of draws; "" for none.
        distilled: share of the logit's loss that is the distance from the teacher.
        taught: sources about whose whole faces alone the teacher is asked, so that a network that learns of new ones
            does not forget what the teacher knows (Li & Hoiem 2016); all views where empty.
        rounding: steps of int8 of the noise that it is trained under, so that it bears to be quantised; 0 for none.
        left_out: sources or methods whose fakes take no part, neither in training nor in validation.
        limit: at most so many training pictures a class, and validation pictures in proportion; 0 for all.
        seed: fixes the split and every draw.
    """

    architecture: str = "student"
    side: int = 224
    phases: tuple[Phase, ...] = (Phase(12, 2e-4, "adamw", "cosine", "block_4_expand"),)
    weights: str = "imagenet"
    width: float = 1.0
    batch_size: int = 32
    sampling: str = "draws"
    steps: int = 500
    augmentation: str = "ours"
    native: float = 0.0
    fine: float = 0.4
    label_smoothing: float = 0.01
    weight_decay: float = 1e-2
    ema_momentum: float = 0.995
    source_weights: dict[str, float] = field(default_factory=dict)
    self_blended: float = 0.42
    swapped: float = 0.08
    upsampled: float = 0.06
    reconstructed: float = 0.0
    restored: float = 0.0
    edited: float = 0.0
    codecs: tuple[str, ...] = ("taef2",)
    posted: float = 0.1
    map_weight: float = 0.3
    teacher: str = ""
    distilled: float = 0.5
    taught: tuple[str, ...] = ()
    rounding: float = 0.0
    left_out: tuple[str, ...] = ()
    limit: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self.side >= 16, "side must be at least 16 px", self.side)
        _check(self.batch_size >= 2, "batch_size must be at least 2", self.batch_size)
        _check(self.steps >= 1, "steps must be at least 1", self.steps)
        _check(self.limit >= 0, "limit must not be below 0", self.limit)
        _check(0 <= self.label_smoothing < 1, "label_smoothing must lie in [0, 1)", self.label_smoothing)
        _check(self.rounding >= 0, "rounding must not be below 0", self.rounding)
        _check(0 <= self.native <= 1, "native must lie in [0, 1]", self.native)
        _check(0 <= self.fine <= 1, "fine must lie in [0, 1]", self.fine)
        _check(0 <= self.distilled <= 1, "distilled must lie in [0, 1]", self.distilled)
        _check(self.map_weight >= 0, "map_weight must not be below 0", self.map_weight)
        for name in (*FORGERIES, "posted"):
            _check(0 <= getattr(self, name) <= 1, f"{name} must lie in [0, 1]", getattr(self, name))
        forged = sum(getattr(self, name) for name in FORGERIES)
        _check(forged <= 1 + 1e-9, f"{', '.join(FORGERIES)} must be at most 1 together", forged)
        _check(0 <= self.ema_momentum < 1, "ema_momentum must lie in [0, 1)", self.ema_momentum)
        _check(self.sampling in SAMPLINGS, f"sampling must be one of {', '.join(SAMPLINGS)}", self.sampling)
        _check(
            self.augmentation in AUGMENTATIONS and (self.augmentation == "ours") == (self.sampling == "draws"),
            "augmentation must be ours for draws, and none, flip or geometry otherwise",
            self.augmentation,
        )
        _check(bool(self.phases) != (self.sampling == "support_vectors"), "phases are of networks", self.phases)
        _check(not self.map_weight or self.sampling == "draws", "map_weight is of draws", self.map_weight)
        _check(not self.teacher or self.sampling == "draws", "a teacher is of draws", self.teacher)
        _check(not self.taught or bool(self.teacher), "taught needs a teacher", self.taught)
        _check(not self.source_weights or self.sampling == "draws", "source weights are of draws", self.source_weights)

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads, of JSON's types alone."""
        stated = {name: value for name, value in asdict(self).items() if name not in LATER or value != LATER[name]}
        lists = {name: [*value] for name, value in stated.items() if isinstance(value, tuple)}
        return {**stated, **lists, "phases": [asdict(phase) for phase in self.phases]}

    @classmethod
    def from_dict(cls, stated: Mapping[str, Any]) -> Recipe:
        """Read a recipe from a record.

        Raises:
            ValueError: it holds something that no recipe has, or values that do not fit.
        """
        try:
            phases = tuple(Phase(**phase) for phase in stated["phases"])
            known = {**LATER, **stated}
            lists = {name: tuple(known[name]) for name in ("left_out", "codecs", "taught")}
            return cls(**{**known, **lists, "phases": phases})
        except (KeyError, TypeError) as error:
            raise ValueError(f"The recipe cannot be read: {error}") from error


def override(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """Return a recipe with some values replaced.

    Args:
        recipe: the preset's.
        changes: fields of `Recipe`; and "epochs": at most so many in every phase; "learning_rate": of the first
            phase, the others keeping their proportion to it; "unfreeze_from": the first of MobileNetV2's blocks
            that is trained, for the student.

    Raises:
        ValueError: a value does not fit, or means nothing to this recipe.
    """
    plain = dict(changes)
    phases = recipe.phases
    draws, student = recipe.sampling == "draws", recipe.architecture == "student"
    for name, fits in (
        *(
            (name, draws)
            for name in (
                "steps",
                "source_weights",
                "native",
                "fine",
                "map_weight",
                "teacher",
                "distilled",
                "taught",
                "rounding",
                "codecs",
                "posted",
                *FORGERIES,
            )
        ),
        *((name, student) for name in ("width", "unfreeze_from")),
        *((name, bool(phases)) for name in ("epochs", "learning_rate", "batch_size")),
    ):
        if name in plain and not fits:
            raise ValueError(f"{name.replace('_', ' ')} means nothing to {recipe.architecture} trained by this preset")
    if (epochs := plain.pop("epochs", None)) is not None:
        phases = tuple(replace(phase, epochs=epochs) for phase in phases)
    if (rate := plain.pop("learning_rate", None)) is not None:
        first = phases[0].learning_rate
        phases = tuple(replace(phase, learning_rate=rate * (phase.learning_rate / first)) for phase in phases)
    if (block := plain.pop("unfreeze_from", None)) is not None:
        # The first block has no expansion of its own: from there on is everything.
        start = f"block_{block}_expand" if block else "all"
        phases = tuple(replace(phase, train_from=start) for phase in phases)
    return replace(recipe, phases=phases, **plain)
