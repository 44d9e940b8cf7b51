"""Where a document stands in history: its place among others of its kind, and its route.

A place is seven digits of its room's digest, and the document's id: what the sorted sets and lists
of history have as members. So a room's documents are found among those of the few rooms with the
same first digits, without a key for each room there ever was.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

_DIGITS = 7
_SHARED = 3
"""4,096 lists for all rooms: of a million documents each holds a few hundred."""


class Route(NamedTuple):
    """Which rule sends which agent of which deployment. Few of them carry all dispatches."""

    rule: str
    agent: str
    deployment: str

    @property
    def key(self) -> str:
        """As one text; `read_route` reads it back."""
        return "\x1f".join(self)


def read_route(key: str) -> Route:
    """The route of a text that `Route.key` gave."""
    rule, _, rest = key.partition("\x1f")
    agent, _, deployment = rest.rpartition("\x1f")
    return Route(rule, agent, deployment)


def agent_key(agent: str, deployment: str) -> str:
    """An agent of a deployment, as counters name it; `split_agent` reads it back."""
    return f"{agent}\x1f{deployment}"


def split_agent(key: str) -> tuple[str, str]:
    """The agent and the deployment of an `agent_key`."""
    agent, _, deployment = key.rpartition("\x1f")
    return agent, deployment


def place(room: str, document_id: str) -> str:
    """The place of a room's document."""
    return room_digest(room) + document_id


def document_id(place: str) -> str:
    """The id of the document at a place."""
    return place[_DIGITS:]


def shared(digest_or_place: str) -> str:
    """What names the list that a room shares with others, by the room's digest or a place in it."""
    return digest_or_place[:_SHARED]


@lru_cache(maxsize=4096)  # a room has many documents in a row
def room_digest(room: str) -> str:
    """The digits that the places of a room begin with; another room may have the same."""
    return sha256(room.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
