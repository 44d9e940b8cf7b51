"""VideoSDK's agents and sessions, over its HTTP API (https://docs.videosdk.live/api-reference).

A meeting is a room, its session that room's life, and a participant's id its sid and its identity.
VideoSDK keeps no dispatches: what was sent is not listed, and is taken back by removing the agent.
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import quote

from workers.errors import NoAgent, NotFound, Refused, Unclear
from workers.providers.base import Listed, Order, Snapshot
from workers.providers.videosdk_answers import by_meeting, going_on, is_sent, present, public_key
from workers.providers.videosdk_api import Answer, Api, in_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rules.event import Fields
    from workers.providers.wire import Called
    from workers.videosdk_account import VideoSdkAccount

PAGE: Final = 20
"""What VideoSDK itself puts on a page where it is not asked for more."""
LONG_PAGE: Final = 100
_NOBODY: Final = re.compile(r"\bno workers\b|\bnot deployed\b", re.IGNORECASE)
"""Documented: "No workers available", and that none is registered or the agent not deployed."""


class VideoSdk:
    """One VideoSDK account. Made on the loop that uses it."""

    def __init__(
        self,
        account: VideoSdkAccount,
        *,
        calls: int,
        rest: Callable[[float], None] = lambda _: None,
        called: Called = lambda *_: None,
    ) -> None:
        """Make it.

        Args:
            account: which one.
            calls: the most that may be in flight.
            rest: told how many seconds VideoSDK wants to be left alone (`Retry-After`).
            called: told of each call that is over: its method, its status, seconds.
        """
        self._api = Api(account, calls=calls, rest=rest, called=called)
        self.project = account.api_key

    async def create(self, order: Order) -> Listed:
        """Send an agent. VideoSDK gives its dispatch no id and keeps no attributes: the answer has
        those of the order.

        Raises:
            NoAgent: no worker can take it now.
            Refused: metadata that is no JSON object, or a deployment: VideoSDK knows none.
        """
        if order.deployment:
            raise Refused(
                f"VideoSDK knows no deployments, and {order.deployment!r} is asked for: leave"
                " `deployment` out, or use `version`"
            )
        asked: dict[str, Any] = {"meetingId": order.room, "agentId": order.agent}
        if order.metadata:
            asked["metadata"] = _object(order.metadata)
        if order.version:
            asked["versionId"] = order.version
        async with in_time():
            answer = await self._api.ask("POST", "/v2/agent/dispatch", asked=asked)
            self._check_sent(order, answer)
        return Listed(
            id="",
            agent=order.agent,
            deployment="",
            metadata=order.metadata,
            attributes=dict(order.attributes),
            created_at=time.time(),
        )

    async def remove(self, room: str, identity: str) -> None:
        """Remove a participant from the session that is going on."""
        async with in_time():
            session = await self._going_on(room)
            if session is None:
                raise NotFound(f"no session of the meeting {room!r} is going on")
            asked = {"participantId": identity, "roomId": room, "sessionId": str(session["sid"])}
            answer = await self._api.ask("POST", "/v2/sessions/participants/remove", asked=asked)
            self._api.check(answer)

    async def room_sid(self, room: str) -> str | None:
        """Id of the meeting's session that is going on; None if there is none."""
        async with in_time():
            session = await self._going_on(room)
        return None if session is None else str(session["sid"])

    async def snapshot(self, room: str) -> Snapshot:
        """The meeting's session that is going on, and who is in it."""
        async with in_time():
            session = await self._going_on(room)
        if session is None:
            return Snapshot(room=None, participants=())
        return await self.people(session)

    async def rooms(self) -> Mapping[str, Fields]:
        """Every session that is going on."""
        async with in_time():
            return by_meeting(await self._sessions(LONG_PAGE))

    async def people(self, room: Fields) -> Snapshot:
        """Who is in a session. VideoSDK does not tell agents from people: all are STANDARD."""
        session = str(room["sid"])
        path = f"/v2/sessions/{quote(session, safe='')}/participants/active"
        async with in_time():
            try:
                there = await self._api.pages(path, PAGE, lambda page: present(page, session))
            except NotFound:  # it has ended meanwhile
                there = []
        return Snapshot(room=room, participants=tuple(there))

    async def public_key(self) -> str:
        """The PEM of the key that signs VideoSDK's webhooks; asked for without a token."""
        async with in_time():
            return public_key(await self._api.ask_publicly("/v2/public/rsa-public-key"))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()

    async def _going_on(self, meeting: str) -> Fields | None:
        return by_meeting(await self._sessions(PAGE, roomId=meeting)).get(meeting)

    async def _sessions(self, per_page: int, **query: str) -> list[Fields]:
        # Without it, years of sessions would be listed. It is documented at
        # https://docs.videosdk.live/server-sdk/reference/sessions; those that have ended are left
        # out here too.
        query["status"] = "ongoing"
        return await self._api.pages("/v2/sessions/", per_page, going_on, query)

    def _check_sent(self, order: Order, answer: Answer) -> None:
        if answer.is_fine and is_sent(answer.text):
            return
        if _NOBODY.search(answer.words):
            raise NoAgent(f"VideoSDK has nobody for agent {order.agent!r}: {answer.words}")
        try:
            self._api.check(answer)
        except NotFound as error:  # an unknown agent: that the meeting is over, nobody has said
            raise Refused(str(error)) from error
        if is_sent(answer.text) is None:
            raise Unclear("VideoSDK's answer does not say whether it has sent the agent")
        raise Refused(f"VideoSDK has not sent agent {order.agent!r}: {answer.words}".rstrip(": "))


def _object(metadata: str) -> dict[str, Any]:
    """A dispatch's metadata as VideoSDK takes it.

    Raises:
        Refused: it is no JSON object.
    """
    try:
        given = json.loads(metadata, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Refused(
            f"VideoSDK takes metadata as a JSON object only, and this is no JSON: {error}"
        ) from error
    if not isinstance(given, dict):
        raise Refused(
            "VideoSDK takes metadata as a JSON object only: write it as a mapping in the rule"
        )
    return given


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number in JSON")
