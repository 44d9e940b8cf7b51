"""What is asked of the rules: what would be dispatched if this happened, and a token for it."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from typing import Any, Final, Literal, Self

from livekit.api import VideoGrants
from pydantic import BaseModel, ConfigDict, Field, model_validator

from rules.durations import parse_duration
from rules.problems import nearest, quoted
from workers.join_token import LONGEST_TTL

_NOT_GRANTED: Final = frozenset(each.name for each in fields(VideoGrants))
"""What has no field in `AskedToken` is no caller's business: rooms, recordings, agents."""
_CALLER: Final = ("identity", "name", "metadata", "attributes", "ttl", "room_join")
"""What is no grant, or is granted anyway."""

Source = Literal["camera", "microphone", "screen_share", "screen_share_audio"]


class AskedRoom(BaseModel):
    """The room of a question: a name, and more of it in the protocol's names."""

    model_config = ConfigDict(extra="allow")
    name: str = Field(min_length=1)


class AskedToken(BaseModel):
    """A token for whoever joins; what it leaves out is as every LiveKit SDK has it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    identity: str | None = Field(None, min_length=1, description="Default: the participant's.")
    name: str | None = Field(None, description="The same, as the next two.")
    metadata: str | None = None
    attributes: dict[str, str] | None = None
    ttl: str = Field("10m", description="How long it may be used to join: 1s to 7d.")
    room_join: Literal[True] = True
    can_publish: bool | None = None
    can_publish_sources: list[Source] | None = None
    can_publish_data: bool | None = None
    can_subscribe: bool | None = None
    can_subscribe_metrics: bool | None = None
    can_update_own_metadata: bool | None = None
    hidden: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _only_known(cls, given: Any) -> Any:  # noqa: ANN401 - any JSON
        for name in given if isinstance(given, dict) else ():
            if name in cls.model_fields:
                continue
            if name == "room":
                raise ValueError("it is for the room of the question: leave 'room' out")
            if name in _NOT_GRANTED:
                raise ValueError(f"a join token does not grant {quoted(name)}")
            raise ValueError(f"there is no {quoted(name)}{nearest(name, cls.model_fields)}")
        return given

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if not timedelta(seconds=1) <= self.lifetime <= LONGEST_TTL:
            raise ValueError("'ttl' is from 1s to 7d")
        return self

    @property
    def lifetime(self) -> timedelta:
        """How long it may be used.

        Raises:
            ValueError: `ttl` is no duration.
        """
        try:
            return parse_duration(self.ttl)
        except ValueError as error:
            raise ValueError(f"'ttl': {error}") from None

    @property
    def grants(self) -> dict[str, Any]:
        """What is said of grants, by their names."""
        given = self.model_dump(exclude_none=True)
        return {name: value for name, value in given.items() if name not in _CALLER}


class Question(BaseModel):
    """What would be dispatched if this happened?"""

    model_config = ConfigDict(extra="forbid")
    room: AskedRoom
    participant: dict[str, Any] | None = None
    event: str = "participant_joined"
    project: str | None = Field(
        None, description="API key of the server that is meant. Default: the first of the room's."
    )
    token: AskedToken | None = Field(None, description="A join token is wanted, too.")
