"""What can go wrong between us and a provider, and what is done about it.

| error          | raised when                                           | then                    |
|----------------|-------------------------------------------------------|-------------------------|
| `NotSent`      | no connection was opened: refused, no such host, TLS  | again, with backoff     |
| `Unauthorized` | 401, 403: our key or its rights are wrong             | again, with backoff     |
| `Refused`      | any other 4xx but 408 and 429: the request is wrong   | final, with their words |
| `NotFound`     | 404: the room or dispatch has just gone               | final: `room_ended`; a  |
|                |                                                       | delete has succeeded    |
| `NoAgent`      | VideoSDK says that no worker can take the agent now   | the next of `fallback`  |
| `Unclear`      | 5xx, 408, 429, a cut connection, no answer in time:   | look before asking again|
|                | it may have been done                                 |                         |

All are `ProviderError`. `Fenced` is raised when another worker holds the room, `NotYet` when an
event cannot be decided before a listing that failed: the room waits, and nothing counts against
the event. `OverLimit` is raised when a decision would pass a rule's `limit`: it is decided anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class ProviderError(Exception):
    """A call to a provider did not succeed; the message is for the operator."""


class NotSent(ProviderError):
    """The request never left: no connection could be opened."""


class Unauthorized(ProviderError):
    """The provider does not accept our key, or the key may not do this."""


class Refused(ProviderError):
    """The provider understood and said no; asking again changes nothing."""


class NotFound(Refused):
    """The room or the dispatch is not there (any more)."""


class NoAgent(ProviderError):
    """The provider has nobody to send; LiveKit does not tell."""


class Unclear(ProviderError):
    """Nobody knows whether it was done. Look before asking again."""


class Fenced(Exception):
    """Another worker holds the room now: drop it, write nothing more."""


class OverLimit(Exception):
    """A rule has as many live dispatches as its `limit` allows. `live` is how many by share."""

    def __init__(self, live: Mapping[str, int]) -> None:
        super().__init__(", ".join(live))
        self.live = live


class NotYet(Exception):
    """What is needed to decide could not be looked up; try again in a moment."""
