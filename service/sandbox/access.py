"""Who may call: the token in `Authorization: Bearer …`, as the real server reads it."""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEEWAY: Final = 60
"""Seconds a token may be early or late."""


class Unauthorized(Exception):
    """The token was refused: 401 with a plain text, so that Twirp clients see an empty code."""


@dataclass(frozen=True, slots=True)
class Grants:
    """What a token allows. No token allows nothing, which is an error of its own, later."""

    video: Mapping[str, Any] = field(default_factory=dict)

    def may_create(self) -> bool:
        """CreateRoom and DeleteRoom."""
        return bool(self.video.get("roomCreate"))

    def may_list(self) -> bool:
        """ListRooms."""
        return bool(self.video.get("roomList"))

    def may_administer(self, room: str) -> bool:
        """Everything within one room; the token must name that very room."""
        return bool(self.video.get("roomAdmin")) and self.video.get("room", "") == room


def read_grants(authorization: str | None, keys: Mapping[str, str], now: float) -> Grants:
    """The grants of a request; `now` is Unix seconds.

    Raises:
        Unauthorized: not a bearer token, not a JWT, an unknown key, a wrong signature, expired.
    """
    if not authorization:
        return Grants()
    if not authorization.startswith("Bearer "):
        raise Unauthorized("invalid authorization header. Must start with Bearer ")
    claims = read_token(authorization.removeprefix("Bearer "), keys, now)
    return Grants(claims.get("video") or {})


def read_token(token: str, keys: Mapping[str, str], now: float) -> dict[str, Any]:
    """A token's claims; `now` is Unix seconds.

    Verified here and not by a library: a benchmark's every call passes through, and PyJWT takes
    five times as long.

    Raises:
        Unauthorized: not a JWT, an unknown key, a wrong signature, expired.
    """
    signed, _, signature = token.rpartition(".")
    try:
        header, claims = (json.loads(_decoded(part)) for part in signed.split("."))
        algorithm, issuer = header.get("alg"), str(claims.get("iss", ""))
        given = _decoded(signature)
    except (ValueError, AttributeError) as error:
        raise Unauthorized("invalid authorization token") from error
    if issuer not in keys:
        raise Unauthorized(f"invalid API key: {issuer}")
    expected = hmac.digest(keys[issuer].encode(), signed.encode(), "sha256")
    if algorithm != "HS256" or not hmac.compare_digest(expected, given):
        fault = "token signature is invalid"
    elif now > _number(claims, "exp", now) + _LEEWAY:
        fault = "token is expired"
    elif now < _number(claims, "nbf", now) - _LEEWAY:
        fault = "token is not valid yet"
    else:
        return dict(claims)
    # The real server repeats the whole token here: whoever logs answers logs credentials.
    raise Unauthorized(f"invalid token: {token}, error: {fault}")


def _decoded(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars="-_", validate=True)


def _number(claims: Mapping[str, Any], name: str, absent: float) -> float:
    value = claims.get(name, absent)
    return float(value) if isinstance(value, int | float) else absent
