"""Who belongs together: names that are joined, and what is reached through them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from training.datasets.clips import Clip


class Joined:
    """Sets of names that grow together (union-find); a set is called by its smallest name."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def join(self, names: Iterable[str]) -> None:
        """Put the sets of these names together."""
        roots = {self.find(name) for name in names}
        for root in roots:
            self._parent[root] = min(roots)

    def find(self, name: str) -> str:
        """Return the smallest name of the set; a name that was never seen is a set of its own."""
        root = name
        while (parent := self._parent.setdefault(root, root)) != root:
            root = parent
        while name != root:
            self._parent[name], name = root, self._parent[name]
        return root


def group_clips(clips: Sequence[Clip]) -> dict[str, str]:
    """Return the group of each clip by its path: clips that share an identity, through however many others."""
    joined = Joined()
    for clip in clips:
        joined.join(clip.identities)
    return {clip.path: joined.find(clip.identities[0]) for clip in clips}
