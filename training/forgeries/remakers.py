"""The networks that forgeries pass through, each loaded once, when it is first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from training.forgeries.restoration import RESTORERS, Restorer, load_restorer
from training.networks.autoencoders import AutoEncoder, load_autoencoder
from training.networks.taef2 import NAME as TAEF2
from training.networks.taef2 import load_taef2

Network = TypeVar("Network")


class Remakers:
    """Draws auto-encoders and networks for restoration by name; the same name is the same network."""

    def __init__(self, codecs: Sequence[str] = (TAEF2,), restorers: Sequence[str] = tuple(RESTORERS)) -> None:
        """Take the names; nothing is loaded yet.

        Args:
            codecs: "taef2", or folders of auto-encoders that `unmask autoencoders` trained.
            restorers: names of `RESTORERS`.
        """
        self._codecs, self._restorers = tuple(codecs), tuple(restorers)
        self._loaded: dict[str, AutoEncoder | Restorer] = {}
        self._lock = threading.Lock()

    def draw_codec(self, rng: np.random.Generator) -> AutoEncoder:
        """Draw an auto-encoder, each as likely as another.

        Raises:
            ValueError, OSError: there is none, or it cannot be loaded.
        """
        return self._load(_draw(self._codecs, rng), load_codec)

    def draw_restorer(self, rng: np.random.Generator) -> Restorer:
        """Draw a network for restoration, each as likely as another.

        Raises:
            ValueError: there is none, or it cannot be loaded.
        """
        return self._load(_draw(self._restorers, rng), load_restorer)

    def load(self, *, codecs: bool, restorers: bool) -> None:
        """Load all of a kind now.

        Raises:
            ValueError, OSError: one cannot be loaded.
        """
        for name in self._codecs if codecs else ():
            self._load(name, load_codec)
        for name in self._restorers if restorers else ():
            self._load(name, load_restorer)

    def _load(self, name: str, load: Callable[[str], Network]) -> Network:
        # Batches are prepared by several threads, and one copy of a network is enough.
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = load(name)  # type: ignore[assignment]
            return self._loaded[name]  # type: ignore[return-value]


def load_codec(name: str) -> AutoEncoder:
    """Load an auto-encoder: "taef2", or that of a folder.

    Raises:
        ValueError, OSError: it cannot be loaded.
    """
    return load_taef2() if name == TAEF2 else load_autoencoder(Path(name))


def name_network(network: str) -> str:
    """Return what a network is called as a family of fakes: its own name, or that of its folder."""
    return Path(network).resolve().name if Path(network).is_dir() else network


def _draw(names: Sequence[str], rng: np.random.Generator) -> str:
    if not names:
        raise ValueError("no network is named to send photos through")
    return names[int(rng.integers(len(names)))]
