"""Whether a webhook comes from a LiveKit server we know, and what it says.

The signature is over the bytes as they came: a JWT in `Authorization`, raw or after `Bearer `,
whose `sha256` claim is the body's hash. Its unverified issuer names the key to verify it with.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import jwt
from livekit.api import TokenVerifier, WebhookReceiver

from rules.event import Event, read_event
from service.json_limits import read_json

if TYPE_CHECKING:
    from livekit.api.access_token import Claims

    from workers.settings import Server, Settings


class Unsigned(Exception):
    """There is no token."""


class UnknownKey(Exception):
    """The token names a key that is not configured."""


class Stale(Exception):
    """The token is rightly signed and not valid now."""


class Forged(Exception):
    """The token is not one, is signed with another secret, or signs another body."""


class NotAnEvent(Exception):
    """The body is rightly signed and is not a webhook event."""


@dataclass(frozen=True, slots=True)
class Verified:
    """An event, and the server that is known to have sent it."""

    server: Server
    event: Event


def verify(raw: bytes, authorization: str | None, settings: Settings) -> Verified:
    """Verify a webhook's body and read the event in it.

    Raises:
        Unsigned, UnknownKey, Stale, Forged: it is not from a server we know.
        NotAnEvent: it is, and cannot be read.
    """
    token = _token(authorization)
    key = _issuer(token)
    server, secret = settings.server_of(key), settings.secret_of(key)
    if server is None or secret is None:
        raise UnknownKey(
            f"the key {key[:100]!r} is not configured here; see LIVEKIT_API_KEY and LIVEKIT_KEYS"
        )
    witness = _Witness(key, secret)
    try:
        WebhookReceiver(witness).receive(raw.decode("utf-8", "surrogateescape"), token)
    except Exception as error:  # noqa: BLE001 - the receiver raises bare Exceptions, and protobuf's
        _sort(error, witness, raw, key)
    return Verified(server, _read(raw, key))


class _Witness(TokenVerifier):
    """Remembers that the token held: errors after that are about the body."""

    claims: Claims | None = None

    def verify(self, token: str, *, verify_signature: bool = True) -> Claims:
        self.claims = super().verify(token, verify_signature=verify_signature)
        return self.claims


def _token(authorization: str | None) -> str:
    token = (authorization or "").strip()
    scheme, _, rest = token.partition(" ")
    if scheme.lower() == "bearer":
        token = rest.strip()
    if not token:
        raise Unsigned("the Authorization header must carry the JWT LiveKit signs webhooks with")
    return token


def _issuer(token: str) -> str:
    try:
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        issuer = claims["iss"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise Forged("the Authorization header is not a JWT with an issuer") from None
    if not isinstance(issuer, str):
        raise Forged("the token's issuer is not the name of a key")
    return issuer


def _sort(error: Exception, witness: _Witness, raw: bytes, key: str) -> NoReturn:
    if isinstance(error, jwt.ExpiredSignatureError | jwt.ImmatureSignatureError):
        raise Stale("the token is expired or not valid yet; check this machine's clock") from None
    if witness.claims is None:
        raise Forged(
            f"the token is not signed with the secret of the key {key!r}; check that secret here"
        ) from None
    if not _signs(witness.claims, raw):
        raise Forged("the token signs another body than this one") from None
    raise NotAnEvent("the signed body is not a LiveKit webhook event") from None


def _signs(claims: Claims, raw: bytes) -> bool:
    try:
        return base64.b64decode(claims.sha256 or "") == hashlib.sha256(raw).digest()
    except (ValueError, TypeError):
        return False


def signed_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in a body that is rightly signed.

    Raises:
        NotAnEvent: there is none in it.
    """
    try:
        body = read_json(raw)
    except ValueError as error:
        raise NotAnEvent(f"the signed body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise NotAnEvent("the signed body is not a JSON object")
    return body


def _read(raw: bytes, key: str) -> Event:
    """Read the verified bytes: the protobuf message has lost kinds and fields it does not know."""
    body = signed_object(raw)
    try:
        if b"null" in raw:
            body = _without_nulls(body)
        digest = hashlib.sha256(raw).hexdigest()
        return read_event(body, project=key, source="livekit", fallback_id=digest)
    except (ValueError, RecursionError) as error:
        raise NotAnEvent(f"the signed body is not a LiveKit webhook event: {error}") from None


def _without_nulls(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Drop what is null: in protobuf's JSON that is the same as absent."""
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
