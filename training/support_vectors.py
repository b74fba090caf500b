"""Features of a network under a support vector machine (source project a), saved as one network.

The features are a backbone's global average pool, scaled to unit deviation; kernel, C and gamma are those that
cross-validate best over groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from sklearn.metrics import f1_score, precision_score
from sklearn.model_selection import GridSearchCV, ParameterGrid, StratifiedGroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from chalicelib.detector import normalise
from training.networks.catalogue import find_head
from training.networks.kernel_machine import SupportVectors
from training.progress import every

Grid = Sequence[Mapping[str, Sequence[Any]]]

# "scale" is 1 / (features × their variance), which after scaling is one over their number.
GRID: Grid = (
    {"kernel": ["linear"], "C": [0.001, 0.01, 0.1]},
    {"kernel": ["rbf"], "C": [1.0, 10.0], "gamma": [3e-4, "scale", 5e-3]},
)
FIGURES = ("precision", "f1")
# The search fits each setting once a fold, and a fit grows with the square of the pictures.
SEARCHED = 4000


def fit_support_vectors(
    features_network: keras.Model,
    crops: np.ndarray,
    labels: np.ndarray,
    groups: Sequence[str],
    *,
    grid: Grid = GRID,
    folds: int = 5,
    refit: str = "f1",
    subset: int = SEARCHED,
    seed: int = 0,
    report: Callable[[str], None] = lambda line: None,
) -> tuple[keras.Model, dict[str, Any]]:
    """Search a grid by cross-validation over groups, fit the best setting to all pictures, make it a network.

    Args:
        features_network: any of the catalogue's; what lies before its head makes the features.
        crops: uint8 RGB [N, S, S, 3], S the network's side.
        labels: int [N], 1 fake, 0 real.
        groups: the group of each; none lies in two folds.
        grid: dictionaries of `kernel`, `C`, `gamma`, `degree` and `coef0`, each to the values that are tried.
        folds: of the cross-validation.
        refit: the figure whose best setting is kept, "precision" or "f1"; both are told.
        subset: the search sees at most so many pictures, drawn with their groups; the fit sees all.
        seed: of folds and draw.
        report: receives lines for a person.

    Returns:
        The network, float32 [N, S, S, 3] in [-1, 1] to the machine's decision function [N, 1], which is no log-odds
        before it is calibrated; and what is to be recorded: `chosen`, `best` by each figure, `folds`, `refit`,
        `searched` and `fitted` pictures, `support_vectors`, and `grid`: a row a setting.

    Raises:
        ValueError: a class or groups are missing, or `refit` is no such figure.
    """
    if refit not in FIGURES:
        raise ValueError(f"refit must be one of {', '.join(FIGURES)}. Received: {refit!r}")
    labels, names = np.asarray(labels, int), np.asarray(groups)
    chosen = _draw_groups(names, subset, seed)
    for label, kind in enumerate(("real", "fake")):
        if len(set(names[chosen][labels[chosen] == label])) < folds:
            raise ValueError(f"{folds} folds need at least {folds} groups of {kind} pictures to search in")
    pool = make_pool(features_network)
    features = extract(pool, crops, report)
    search = _search(features[chosen], labels[chosen], names[chosen], grid, folds, refit, seed, report)
    rows = _to_rows(search.cv_results_)
    best = {figure: max(rows, key=lambda row: row[figure]) for figure in FIGURES}
    report(f"fits {search.best_params_} to {len(features)} pictures")
    fitted = search.best_estimator_.fit(features, labels)
    network = to_network(pool, fitted, features, f"{features_network.name}-svm")
    return network, {
        "chosen": {name.removeprefix("svc__"): value for name, value in search.best_params_.items()},
        "best": best,
        "folds": folds,
        "refit": refit,
        "searched": len(chosen),
        "fitted": len(features),
        "support_vectors": int(fitted["svc"].n_support_.sum()),
        "grid": rows,
    }


def make_pool(network: keras.Model) -> keras.Model:
    """Return the network up to its head, averaged over places where they are left: [N, S, S, 3] to [N, D]."""
    features = network.layers[find_head(network)].input
    if len(features.shape) == 4:
        features = keras.layers.GlobalAveragePooling2D(name="pool")(features)
    return keras.Model(network.input, features, name=network.name)


def extract(
    pool: keras.Model, crops: np.ndarray, report: Callable[[str], None] = lambda line: None, batch_size: int = 32
) -> np.ndarray:
    """Return the features float32 [N, D] of crops uint8 [N, S, S, 3]."""
    tell = every(5, "features of", report)
    features = np.empty((len(crops), pool.output_shape[-1]), np.float32)
    for start in range(0, len(crops), batch_size):
        batch = crops[start : start + batch_size]
        features[start : start + len(batch)] = pool.predict_on_batch(normalise(batch))
        tell(start + len(batch), len(crops))
    return features


def _draw_groups(groups: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Return the indices of at most so many pictures, whole groups in an order of chance."""
    names, sizes = np.unique(groups, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    kept = names[order[np.cumsum(sizes[order]) <= most]]
    return np.flatnonzero(np.isin(groups, kept))


def _search(
    features: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    grid: Grid,
    folds: int,
    refit: str,
    seed: int,
    report: Callable[[str], None],
) -> GridSearchCV:
    settings = [{f"svc__{name}": values for name, values in part.items()} for part in grid]
    fits = len(ParameterGrid(settings)) * folds
    tell, done = every(5, "fits", report), 0

    def measure(machine: Pipeline, own: np.ndarray, truth: np.ndarray) -> dict[str, float]:
        nonlocal done
        called = machine.predict(own)
        done += 1
        tell(done, fits)
        return {
            "precision": float(precision_score(truth, called, zero_division=0)),
            "f1": float(f1_score(truth, called, zero_division=0)),
        }

    search = GridSearchCV(
        # The scaler is fitted anew in every fold, so that none learns from what it is tested on.
        Pipeline([("scaler", StandardScaler()), ("svc", SVC(class_weight="balanced", cache_size=500))]),
        settings,
        scoring=measure,
        refit=refit,
        cv=StratifiedGroupKFold(folds, shuffle=True, random_state=seed),
        error_score="raise",
    )
    return search.fit(features, labels, groups=groups)


def _to_rows(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row a setting: kernel, C, gamma, and mean and deviation over folds of each figure."""
    rows = []
    for index, setting in enumerate(results["params"]):
        row: dict[str, Any] = {name: setting.get(f"svc__{name}", "") for name in ("kernel", "C", "gamma", "degree")}
        for figure in FIGURES:
            row[figure] = round(float(results[f"mean_test_{figure}"][index]), 5)
            row[f"{figure}_sd"] = round(float(results[f"std_test_{figure}"][index]), 5)
        rows.append(row)
    return rows


def to_network(pool: keras.Model, machine: Pipeline, features: np.ndarray, name: str) -> keras.Model:
    """Put a fitted scaler and machine behind the pool they were fitted on.

    Args:
        pool: [N, S, S, 3] in [-1, 1] to features [N, D].
        machine: a StandardScaler "scaler" and an SVC "svc" of classes 0 and 1.
        features: float [M, D] that it was fitted on, which gamma="scale" is counted from.
        name: of the network.
    """
    scaler, svc = machine["scaler"], machine["svc"]
    scaling = keras.layers.Normalization(name="scaling")
    scaled = scaling(pool.output)
    # The squared scale, not the variance: a feature that never varies has scale 1.
    scaling.set_weights([scaler.mean_, scaler.scale_**2, np.zeros((), int)])
    scaling.finalize_state()
    # A linear machine is one vector: the sum of all, each times its coefficient.
    linear = svc.kernel == "linear"
    vectors, coefficients = (svc.coef_, np.ones((1, 1))) if linear else (svc.support_vectors_, svc.dual_coef_.T)
    layer = SupportVectors(
        len(vectors),
        svc.kernel,
        gamma=_resolve_gamma(svc, scaler.transform(features)),
        degree=int(svc.degree),
        offset=float(svc.coef0),
        name="head_support_vectors",
    )
    logit = layer(scaled)
    layer.set_weights([vectors, coefficients, svc.intercept_])
    network = keras.Model(pool.input, logit, name=name)
    network.trainable = False
    return network


def _resolve_gamma(svc: SVC, scaled: np.ndarray) -> float:
    if svc.gamma == "scale":
        return float(1 / (scaled.shape[1] * scaled.var()))
    return 1 / scaled.shape[1] if svc.gamma == "auto" else float(svc.gamma)
