"""Which deployment a room (or a participant) belongs to, by weights: the same one every time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from rules.metadata import well_formed


class Sticky(StrEnum):
    """Whose deployment never changes while the weights do not."""

    ROOM = "room"
    PARTICIPANT = "participant"


@dataclass(frozen=True, slots=True)
class Weights:
    """Deployments with their shares, in the order written. Some weight is above zero."""

    shares: tuple[tuple[str, int], ...]
    sticky: Sticky

    def choose(self, rule: str, subject: str) -> str:
        """The deployment of a room's name or a participant's identity, for one rule.

        Raising the last of two weights at the first's cost moves nobody back.
        """
        digest = sha256(f"{rule}\0{well_formed(subject)}".encode()).digest()
        point = int.from_bytes(digest[:8], "big") % sum(weight for _, weight in self.shares)
        for deployment, weight in self.shares:
            if point < weight:
                return deployment
            point -= weight
        raise AssertionError(point)
