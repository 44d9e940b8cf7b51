"""Deliveries as they are signed, and whether one still is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from jwt import api_jws

from tests.recorded import recorded
from tests.service import videosdk
from tests.service.signed import KEY, SECRET
from tests.service.signed import URL as LIVEKIT

if TYPE_CHECKING:
    from random import Random

VIDEOSDK: Final = videosdk.URL
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Delivery:
    """A request to a route of webhooks. `good`: whether the sender has signed it as it is."""

    path: str
    body: bytes
    headers: Headers
    good: bool
    is_signed: bool = False
    """Whether whoever has the secret has signed it, whatever it is: then 200 or 400 is right."""
    spoiled: tuple[str, ...] = field(default=())

    def header(self, name: str) -> str:
        """All values of a header, as WSGI has them."""
        return ",".join(value for each, value in self.headers if each.lower() == name.lower())

    def with_header(self, name: str, value: str) -> Delivery:
        """With one such header, in the place of any."""
        kept = tuple(pair for pair in self.headers if pair[0].lower() != name.lower())
        return replace(self, headers=(*kept, (name, value)))


class Originals:
    """Good deliveries, made anew so that their tokens do not run out."""

    def __init__(self) -> None:
        self._livekit = [each.body for each in recorded()]
        kinds = ("participant-joined", "participant-left", "session-started", "session-ended")
        bodies = [videosdk.came(f"p{n}", kinds[n % 4]) for n in range(40)]
        self.signatures = {body: videosdk.signature(body) for body in bodies}
        self._other = [videosdk.signature(body, videosdk.OTHER_KEY) for body in bodies]
        self._at = 0.0
        self._signed: list[Delivery] = []

    def one(self, random: Random) -> Delivery:
        """One of them."""
        if time.monotonic() - self._at > 60:
            self._at = time.monotonic()
            self._signed = [self.signed(body) for body in self._livekit]
        if random.random() < 0.7:
            return random.choice(self._signed)
        body, signature = random.choice(list(self.signatures.items()))
        return Delivery(
            VIDEOSDK,
            body,
            (("Content-Type", "application/json"), ("videosdk-signature", signature)),
            good=True,
        )

    def signed(self, body: bytes, **claims: Any) -> Delivery:
        """As LiveKit signs it; `claims` replace its own."""
        written = json.dumps(claims_of(body) | claims).encode()
        token = api_jws.encode(written, SECRET, algorithm="HS256")
        kinds = (("Content-Type", "application/webhook+json"), ("Authorization", token))
        return Delivery(LIVEKIT, body, kinds, good=not claims)

    def by_another(self, random: Random) -> str:
        """A signature of another RSA key."""
        return random.choice(self._other)


def holds(done: Delivery, originals: Originals) -> bool:
    """Whether a delivery is as somebody signed it, be it not as it was: text may be written in
    other ways, and body and token may both have been replaced by another's.
    """
    kind = done.header("content-type").partition(";")[0].strip().lower()
    if not kind.startswith("application/") or not kind.endswith(("/json", "+json")):
        return False
    if done.path == LIVEKIT:
        return _token_holds(done.header("authorization").strip(), done.body)
    right = originals.signatures.get(done.body)
    try:
        given = base64.b64decode(done.header("videosdk-signature").strip(), validate=True)
    except ValueError:
        return False
    return right is not None and given == base64.b64decode(right)


def _token_holds(token: str, body: bytes) -> bool:
    if token[:7].lower() == "bearer ":
        token = token[7:].strip()
    signed, _, signature = token.rpartition(".")
    try:
        payload = signed.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
        right = hmac.new(SECRET.encode(), signed.encode(), "sha256").digest()
        same = base64.urlsafe_b64decode(signature + "==") == right
        header = json.loads(base64.urlsafe_b64decode(signed.split(".")[0] + "=="))
    except (ValueError, LookupError, RecursionError):
        return False
    return same and header == {"alg": "HS256", "typ": "JWT"} and _are_good(claims, body)


def _are_good(claims: Any, body: bytes) -> bool:
    right = claims_of(body)
    if not isinstance(claims, dict) or claims.keys() != right.keys():
        return False
    times = [claims[name] for name in ("nbf", "iat", "exp")]
    return (
        all(type(at) is int for at in times)
        and times[0] == times[1] == times[2] - 305
        and abs(times[2] - right["exp"]) < 300
        and (claims["iss"], claims["sha256"]) == (right["iss"], right["sha256"])
    )


def claims_of(body: bytes) -> dict[str, Any]:
    """What LiveKit signs a body with."""
    now = int(time.time())
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return {"iss": KEY, "nbf": now - 5, "exp": now + 300, "iat": now - 5, "sha256": digest}
