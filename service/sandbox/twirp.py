"""The way of one Twirp call: token, request, fault, work, answer; protobuf or JSON."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

from aiohttp import web
from google.protobuf.json_format import Parse, ParseError
from google.protobuf.message import DecodeError

from service.sandbox.access import Unauthorized, read_grants
from service.sandbox.calls import Call, Calls
from service.sandbox.faults import AFTER_WORK, BEFORE_WORK, OF_CALLS, Fault, FaultName, Faults
from service.sandbox.methods import Method, TwirpError, unavailable
from service.sandbox.protojson import twirp_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.protobuf.message import Message

    from service.sandbox.loop import Pauses

_JSON: Final = "application/json"
_PROTOBUF: Final = "application/protobuf"


class Twirp:
    """Answers `POST /twirp/livekit.{service}/{method}`."""

    def __init__(
        self,
        methods: Mapping[str, Method],
        keys: Mapping[str, str],
        faults: Faults,
        calls: Calls,
        pauses: Pauses,
        clock: Callable[[], float],
    ) -> None:
        self._methods = methods
        self._services = {method.service for method in methods.values()}
        self._keys = keys
        self._faults = faults
        self._calls = calls
        self._pauses = pauses
        self._clock = clock

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Carry out one call."""
        try:
            grants = read_grants(_authorization(request), self._keys, self._clock())
        except Unauthorized as error:
            return web.Response(status=401, text=str(error))
        if request.match_info["service"] not in self._services:
            return web.Response(status=404, text="404 page not found\n")
        try:
            method, asked = await self._read(request)
        except TwirpError as error:
            return _error(error, request)
        name = request.match_info["method"]
        call = Call(name, getattr(asked, "room", getattr(asked, "name", "")), asked, 0.0)
        call.at, call.caller = time.time(), request.remote
        self._calls.add(call)
        fault = self._faults.meet(name, call.room, names=OF_CALLS)
        call.fault = None if fault is None else str(fault.name)
        if fault is not None and fault.name in BEFORE_WORK:
            response = await self._fail(request, fault)
        elif not method.allows(grants, asked):
            response = _error(TwirpError("unauthenticated", "permissions denied", 401), request)
        else:
            response = await self._work(request, method, asked, fault, call)
        if not (request.transport is None or request.transport.is_closing()):
            call.status = response.status
        call.seconds = time.time() - call.at
        return response

    async def _read(self, request: web.Request) -> tuple[Method, Message]:
        name = request.match_info["method"]
        method = self._methods.get(name)
        if method is None or method.service != request.match_info["service"]:
            raise _bad_route(f'no handler for path "{request.path}"')
        if request.method != "POST":
            raise _bad_route(f'unsupported method "{request.method}" (only POST is allowed)')
        asked, body = method.request(), await request.read()
        try:
            match request.content_type:
                case "application/json":
                    _parse(body, asked)
                case "application/protobuf":
                    asked.ParseFromString(body)
                case other:
                    raise _bad_route(f'unexpected Content-Type: "{other}"')
        except (ParseError, UnicodeDecodeError) as error:
            raise _malformed("json") from error
        except DecodeError as error:
            raise _malformed("protobuf") from error
        return method, asked

    async def _work(
        self,
        request: web.Request,
        method: Method,
        asked: Message,
        fault: Fault | None,
        call: Call,
    ) -> web.StreamResponse:
        if fault is not None and fault.name is FaultName.LATE:
            await self._pauses.sleep(fault.seconds)
        if self._faults.on(FaultName.OLD_SERVER, call.room):
            asked = _without_what_is_new(asked)
        try:
            answer = await method.run(asked)
        except TwirpError as error:
            return _error(error, request)
        call.worked = True
        if fault is not None and fault.name in AFTER_WORK:
            return await self._fail(request, fault)
        if fault is not None and fault.name is FaultName.SLOW:
            await self._pauses.sleep(fault.seconds)
        if request.content_type == _JSON:
            return web.Response(body=twirp_json(answer), content_type=_JSON)
        return web.Response(body=answer.SerializeToString(), content_type=_PROTOBUF)

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        match fault.name:
            case FaultName.TOO_MANY:
                limited = _error(
                    TwirpError("resource_exhausted", "too many requests", 429), request
                )
                limited.headers["Retry-After"] = f"{fault.seconds:g}"
                return limited
            case FaultName.UNAUTHORIZED:
                return web.Response(status=401, text="invalid API key")
            case FaultName.CUT | FaultName.CUT_BEFORE_WORK:
                return _cut(request)
            case FaultName.HANG | FaultName.HANG_AFTER_WORK:
                await self._pauses.sleep(None)
                return _cut(request)
            case _:
                return _error(unavailable(), request)


def _parse(body: bytes, asked: Message) -> None:
    if not body.lstrip().startswith(b"{"):
        raise ParseError("not an object")
    Parse(body, asked, ignore_unknown_fields=True)


def _without_what_is_new(asked: Message) -> Message:
    known = type(asked)()
    known.CopyFrom(asked)
    for name in ("deployment", "attributes"):
        if name in known.DESCRIPTOR.fields_by_name:
            known.ClearField(name)
    return known


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _authorization(request: web.Request) -> str | None:
    token = request.query.get("access_token")
    return request.headers.get("Authorization") or (f"Bearer {token}" if token else None)


def _error(error: TwirpError, request: web.Request) -> web.Response:
    body: dict[str, object] = {"code": error.code, "msg": error.message}
    if error.code == "bad_route":
        body["meta"] = {"twirp_invalid_route": f"{request.method} {request.path}"}
    encoded = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return web.Response(body=encoded, status=error.status, content_type=_JSON)


def _bad_route(message: str) -> TwirpError:
    return TwirpError("bad_route", message, 404)


def _malformed(encoding: str) -> TwirpError:
    return TwirpError("malformed", f"the {encoding} request could not be decoded", 400)
