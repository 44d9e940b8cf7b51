"""The way of one call: path, token, query, body, fault, work, answer."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from service.sandbox.calls import Call as Logged
from service.sandbox.calls import Calls
from service.sandbox.faults import AFTER_WORK, BEFORE_WORK, OF_CALLS, Fault, FaultName, Faults
from service.sandbox.videosdk.requests import (
    Rejected,
    check_token,
    find_call,
    read_body,
    read_query,
)
from service.sandbox.videosdk.sessions import Sessions, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from service.sandbox.loop import Pauses
    from service.sandbox.videosdk.agents import Agents

Fields = dict[str, Any]
NOBODY: Final = "No workers available"
_PER_PAGE: Final = 20
_OK: Final = 200


class Api:
    """Answers every request."""

    def __init__(
        self,
        sessions: Sessions,
        agents: Agents,
        keys: Mapping[str, str],
        faults: Faults,
        calls: Calls,
        pauses: Pauses,
        public_key: str,
    ) -> None:
        self.violations: list[str] = []
        """Requests that were not as documented."""
        self.nobody_status = 404
        """The status of "No workers available": its text is documented, its status is not."""
        self.shape = Shape.SESSIONS
        self._sessions = sessions
        self._agents = agents
        self._keys = keys
        self._faults = faults
        self._calls = calls
        self._pauses = pauses
        self._works: dict[str, Callable[[Fields], Fields]] = {
            "DispatchAgent": self._dispatch,
            "ListSessions": self._list_sessions,
            "ListParticipants": self._list_participants,
            "RemoveParticipant": self._remove_participant,
            "PublicKey": lambda _asked: {"publicKey": public_key},
        }

    async def answer(self, request: web.Request) -> web.Response:
        """Carry out one call."""
        try:
            name, asked = await self._read(request)
        except Rejected as error:
            if error.is_violation:
                self.violations.append(f"{request.method} {request.path}: {error}")
            return _refusal(error)
        logged = Logged(name, self._meeting(asked), asked, time.time())
        self._calls.add(logged)
        fault = self._faults.meet(name, logged.room, names=OF_CALLS)
        logged.fault = None if fault is None else str(fault.name)
        if fault is not None and fault.name in BEFORE_WORK:
            response = await self._fail(request, fault)
        else:
            response = await self._work(request, name, asked, fault, logged)
        if not (request.transport is None or request.transport.is_closing()):
            logged.status = response.status
        logged.seconds = time.time() - logged.at
        return response

    async def _read(self, request: web.Request) -> tuple[str, Fields]:
        call, session = find_call(request.method, request.path)
        if not call.is_public:
            check_token(request.headers.get("Authorization"), self._keys)
        asked: Fields = {**read_query(call, request.query), **await read_body(call, request)}
        return call.name, {**asked, "session": session} if session else asked

    def _meeting(self, asked: Fields) -> str:
        named = asked.get("meetingId") or asked.get("roomId")
        session = self._sessions.all.get(asked.get("session", ""))
        return str(named or (session.meeting if session is not None else ""))

    async def _work(
        self, request: web.Request, name: str, asked: Fields, fault: Fault | None, logged: Logged
    ) -> web.Response:
        if fault is not None and fault.name is FaultName.LATE:
            await self._pauses.sleep(fault.seconds)
        try:
            answer = self._works[name](asked)
        except Rejected as error:
            return _refusal(error)
        logged.worked = True
        if fault is not None and fault.name in AFTER_WORK:
            return await self._fail(request, fault)
        if fault is not None and fault.name is FaultName.SLOW:
            await self._pauses.sleep(fault.seconds)
        return web.json_response(answer)

    async def _fail(self, request: web.Request, fault: Fault) -> web.Response:
        match fault.name:
            case FaultName.TOO_MANY:
                limited = _refusal(Rejected(429, "Too many requests"))
                limited.headers["Retry-After"] = f"{fault.seconds:g}"
                return limited
            case FaultName.UNAUTHORIZED:
                return _refusal(Rejected(401, "Token is invalid or expired"))
            case FaultName.CUT | FaultName.CUT_BEFORE_WORK:
                return _cut(request)
            case FaultName.HANG | FaultName.HANG_AFTER_WORK:
                await self._pauses.sleep(None)
                return _cut(request)
            case _:
                return web.Response(status=503, text="<h1>Service Unavailable</h1>")

    def _dispatch(self, asked: Fields) -> Fields:
        meeting, agent = asked["meetingId"], asked["agentId"]
        is_off = self._faults.on(FaultName.NO_WORKER, meeting) is not None
        taken = not is_off and self._agents.take(
            agent, meeting, asked.get("metadata"), asked.get("versionId")
        )
        if not taken:
            if self.nobody_status != _OK:
                raise Rejected(self.nobody_status, NOBODY)
            return {"message": NOBODY, "data": {"success": False}}
        data = {"success": True, "status": "assigned", "roomId": meeting, "agentId": agent}
        return {"message": "Agent dispatch requested successfully.", "data": data}

    def _list_sessions(self, asked: Fields) -> Fields:
        newest_first = [
            {**each.to_json(), "participants": [p.to_json() for p in each.people.values()]}
            for each in reversed(self._sessions.all.values())
            if asked.get("roomId") in (None, each.meeting)
        ]
        found = [s for s in newest_first if asked.get("status") in (None, s["status"])]
        data, info = _page(found, asked)
        return {"pageInfo": info, "data": data}

    def _list_participants(self, asked: Fields) -> Fields:
        session = self._sessions.all.get(asked["session"])
        if session is None:
            raise Rejected(404, "Session not found")
        people, info = _page([each.to_json() for each in session.present], asked)
        shown = session.to_json()
        if self.shape is Shape.SESSION:
            return {"data": {"id": session.id, "roomId": session.meeting, "participants": people}}
        shown["_id"] = shown.pop("id")
        return {"pageInfo": info, "data": [{**shown, "participants": people}]}

    def _remove_participant(self, asked: Fields) -> Fields:
        meeting, identity = asked["roomId"], asked["participantId"]
        session = self._sessions.going_on.get(meeting)
        is_there = self._sessions.is_present(meeting, identity)
        if session is None or session.id != asked["sessionId"] or not is_there:
            raise Rejected(404, "Participant not found")  # what VideoSDK says is not documented
        self._sessions.leave(meeting, identity)
        people = [each.to_json() for each in session.people.values()]
        return {**session.to_json(), "participants": people}


def _page(found: Sequence[Fields], asked: Fields) -> tuple[list[Fields], Fields]:
    page, size = int(asked.get("page", 1)), int(asked.get("perPage", _PER_PAGE))
    last = max(1, math.ceil(len(found) / size))
    info = {"currentPage": page, "perPage": size, "lastPage": last, "total": len(found)}
    return list(found[(page - 1) * size : page * size]), info


def _refusal(error: Rejected) -> web.Response:
    return web.json_response({"message": str(error)}, status=error.status)


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
