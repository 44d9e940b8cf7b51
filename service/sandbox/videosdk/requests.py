"""What VideoSDK documents of a request: its path, token, query and body. Nothing else passes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import jwt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

_PERMISSIONS: Final = frozenset({"allow_join", "ask_join", "allow_mod"})
_ROLES: Final = frozenset({"crawler", "rtc"})
_NUMBER: Final = re.compile(r"[1-9][0-9]*")
_WORD: Final = re.compile(r".+")


class Rejected(Exception):
    """A request that is refused.

    `is_violation` is false where it is as documented and only its key is wrong or its token over.
    """

    def __init__(self, status: int, message: str, *, is_violation: bool = True) -> None:
        super().__init__(message)
        self.status = status
        self.is_violation = is_violation


@dataclass(frozen=True, slots=True)
class Call:
    """A documented call."""

    name: str
    """By which faults and the log of calls know it."""
    method: str
    path: re.Pattern[str]
    query: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    required: Mapping[str, type] = field(default_factory=dict)
    """Fields that its body must have."""
    optional: Mapping[str, type] = field(default_factory=dict)
    is_public: bool = False
    """Whether it needs no token."""


_PAGES: Final = {"page": _NUMBER, "perPage": _NUMBER}
CALLS: Final = (
    Call(
        "DispatchAgent",
        "POST",
        re.compile("/v2/agent/dispatch"),
        required={"meetingId": str, "agentId": str},
        optional={"metadata": dict, "versionId": str},
    ),
    Call(
        "ListSessions",
        "GET",
        re.compile("/v2/sessions/"),
        query={**_PAGES, "roomId": _WORD, "status": re.compile("ongoing|ended")},
    ),
    Call(
        "ListParticipants",
        "GET",
        re.compile("/v2/sessions/(?P<session>[^/]+)/participants/active"),
        query=_PAGES,
    ),
    Call(
        "RemoveParticipant",
        "POST",
        re.compile("/v2/sessions/participants/remove"),
        required={"participantId": str, "roomId": str, "sessionId": str},
    ),
    Call("PublicKey", "GET", re.compile("/v2/public/rsa-public-key"), is_public=True),
)


def find_call(method: str, path: str) -> tuple[Call, str]:
    """The call of a request, and the session its path names, or `""`.

    Raises:
        Rejected: there is none.
    """
    for call in CALLS:
        found = call.path.fullmatch(path)
        if found is not None:
            if call.method != method:
                raise Rejected(405, f"{path} is not for {method}")
            return call, found.groupdict().get("session", "")
    raise Rejected(404, f"there is no {path}")


def check_token(authorization: str | None, keys: Mapping[str, str]) -> None:
    """See that a request may be made; `keys` are API keys with their secrets.

    https://docs.videosdk.live/api-reference/realtime-communication/intro

    Raises:
        Rejected: it may not.
    """
    if authorization is None:
        raise Rejected(401, "there is no Authorization")
    try:
        header = jwt.get_unverified_header(authorization)
        claims = jwt.decode(authorization, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise Rejected(401, "Authorization is not the token alone, without a prefix") from None
    if header.get("alg") != "HS256":
        raise Rejected(401, f"the token is signed with {header.get('alg')}, not with HS256")
    faults = _faults(claims)
    if faults:
        raise Rejected(401, f"the token's {', '.join(faults)}")
    try:
        jwt.decode(authorization, keys.get(claims["apikey"], "-" * 32), algorithms=["HS256"])
    except jwt.InvalidTokenError:
        raise Rejected(401, "Token is invalid or expired", is_violation=False) from None


def _faults(claims: Mapping[str, Any]) -> list[str]:
    permissions, roles = claims.get("permissions"), claims.get("roles", ["crawler"])
    wrong = {
        "apikey is missing": not isinstance(claims.get("apikey"), str),
        "permissions are not some that there are": not _are(permissions, _PERMISSIONS),
        "roles do not let it call the API": not (_are(roles, _ROLES) and "crawler" in roles),
        "version is not 2, which roles need": "roles" in claims and claims.get("version") != 2,  # noqa: PLR2004
        "exp is missing": not isinstance(claims.get("exp"), int),
    }
    return [fault for fault, is_wrong in wrong.items() if is_wrong]


def _are(given: object, known: frozenset[str]) -> bool:
    if not (isinstance(given, list) and given):
        return False
    return all(isinstance(each, str) and each in known for each in given)


def read_query(call: Call, query: Mapping[str, str]) -> dict[str, str]:
    """The query of a request.

    Raises:
        Rejected: a field that is not documented, or a value that it cannot have.
    """
    for name, value in query.items():
        if name not in call.query or not call.query[name].fullmatch(value):
            raise Rejected(400, f"the query has {name}={value!r}")
    return dict(query)


async def read_body(call: Call, request: web.Request) -> dict[str, Any]:
    """The body of a request; empty where none is documented.

    Raises:
        Rejected: it is not as documented.
    """
    body = await request.read()
    fields = {**call.required, **call.optional}
    if not fields:
        if body:
            raise Rejected(400, "there is a body")
        return {}
    if request.content_type != "application/json":
        raise Rejected(415, f"its type is {request.content_type}")
    try:
        given = json.loads(body, parse_constant=_no_number)
    except ValueError as error:
        raise Rejected(400, f"the body is no JSON: {error}") from None
    if not isinstance(given, dict):
        raise Rejected(400, "the body is no object")
    for name in call.required.keys() - given.keys():
        raise Rejected(400, f"the body has no {name}")
    for name, value in given.items():
        kind = fields.get(name)
        if kind is None or not isinstance(value, kind) or value == "":
            raise Rejected(400, f"the body has {name}={value!r}")
    return given


def _no_number(constant: str) -> float:
    raise ValueError(f"{constant} is no number")
