"""What somebody may do to a delivery."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import jwt

from tests.fuzz_webhooks.delivery import LIVEKIT, VIDEOSDK, Delivery, claims_of, holds
from tests.service import videosdk
from tests.service.signed import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from tests.fuzz_webhooks.delivery import Headers, Originals

_ODD: Final = (
    b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", "é€🎧".encode(), b"[" * 70, b'{"a":' * 70,
    b"9" * 25, b"1e999", b"NaN", b"-", b"null", b"true", b'"', b"\\", b"\\ud800", b"{{ 7*7 }}",
    b"\r\n", b"'", b"</script>", b"%s%n", b"../../etc/passwd", b"__proto__", b"\x1b[31m",
)  # fmt: skip
_TYPES: Final = (
    "", "text/plain", "application/jsonp", "application/json; charset=utf-16", "é", "*/*",
    "multipart/form-data", "application/x-www-form-urlencoded",
    "application/" + "x" * 500 + "+json",
)  # fmt: skip
_NUMBERS: Final = (0, -1, 1, 2**31, 2**63, 10**18, 10**30, 1.5, 1e308, True, None, "", [], {}, "x")


def spoil(given: Delivery, originals: Originals, random: Random) -> Delivery:
    """The same delivery after one to three things were done to it."""
    done = given
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        ways = _LIVEKIT_WAYS if done.path == LIVEKIT else _VIDEOSDK_WAYS
        way = random.choice(ways)
        done = way(done, originals, random)
        done = replace(done, spoiled=(*done.spoiled, way.__name__))
    done = replace(done, headers=tuple(_sendable(done.headers)))
    return replace(done, good=holds(done, originals))


def _sendable(headers: Headers) -> Iterator[tuple[str, str]]:
    """Headers without what ends one."""
    for name, value in headers:
        yield name, value.replace("\r", "").replace("\n", "").replace("\0", "")


def signed_junk(originals: Originals, random: Random) -> Delivery:
    """What the sender has signed, and is not what it should be."""
    given = originals.one(random)
    body = given.body
    if random.random() < 0.6:
        body = json.dumps(_odd_value(json.loads(body), random)).encode()
    else:
        body = _mangled(body, random)
    if given.path == VIDEOSDK:
        signed = given.with_header("videosdk-signature", videosdk.signature(body))
        return replace(signed, body=body, good=False, is_signed=True)
    return replace(originals.signed(body), good=False, is_signed=True)


def _mangled(raw: bytes, random: Random) -> bytes:
    at, to = sorted(random.randrange(len(raw) + 1) for _ in range(2))
    odd = random.choice(_ODD)
    return random.choice(
        (
            raw[:at] + random.randbytes(1) + raw[at + 1 :],
            raw[:at] + odd + raw[at:],
            raw[:at] + odd + raw[to:],
            raw[:at] + raw[to:],
            raw[:to] + raw[at:to] + raw[to:],
            raw[:at],
            random.randbytes(random.randrange(200)),
            raw + random.choice((b" ", b"\n", b"\x00", b"{}", odd)),
        )
    )


def _odd_value(value: Any, random: Random) -> Any:
    """JSON with one of its values replaced, or a key."""
    if isinstance(value, dict) and value and random.random() < 0.85:
        key = random.choice(list(value))
        if random.random() < 0.15:
            return {**value, random.choice(_ODD).decode("utf-8", "replace"): value[key]}
        return {**value, key: _odd_value(value[key], random)}
    if isinstance(value, list) and value and random.random() < 0.85:
        at = random.randrange(len(value))
        return [*value[:at], _odd_value(value[at], random), *value[at + 1 :]]
    if isinstance(value, str) and random.random() < 0.5:
        return value + random.choice(_ODD).decode("utf-8", "replace")
    return random.choice(_NUMBERS)


def a_body(done: Delivery, _: Originals, random: Random) -> Delivery:
    return replace(done, body=_mangled(done.body, random))


def another_body(done: Delivery, originals: Originals, random: Random) -> Delivery:
    return replace(done, body=originals.one(random).body)


def a_large_body(done: Delivery, originals: Originals, random: Random) -> Delivery:
    if random.random() < 0.98:
        return a_body(done, originals, random)
    return replace(done, body=done.body.ljust(1024 * 1024 + random.choice((0, 1))))


def a_type(done: Delivery, _: Originals, random: Random) -> Delivery:
    return done.with_header("Content-Type", random.choice(_TYPES))


def odd_headers(done: Delivery, _: Originals, random: Random) -> Delivery:
    name, value = random.choice(done.headers or (("X-None", ""),))
    match random.randrange(4):
        case 0:
            return replace(done, headers=tuple(pair for pair in done.headers if pair[0] != name))
        case 1:
            return replace(done, headers=(*done.headers, (name, random.choice((value, "", "x")))))
        case 2:
            more = (
                "X-Forwarded-For",
                "Cookie",
                "X-CSRF-Token",
                "Content-Encoding",
                "X_Authorization",
            )
            return replace(done, headers=(*done.headers, (random.choice(more), _text(random))))
        case _:
            return done.with_header(name, _text(random) + value)


def a_token_mangled(done: Delivery, _: Originals, random: Random) -> Delivery:
    token = done.header("authorization").encode("latin-1", "replace")
    return done.with_header("Authorization", _mangled(token, random).decode("latin-1"))


def another_token(done: Delivery, originals: Originals, random: Random) -> Delivery:
    other = originals.one(random)
    return done.with_header("Authorization", other.header("authorization") or "x")


def other_parts(done: Delivery, originals: Originals, random: Random) -> Delivery:
    parts = done.header("authorization").split(".")
    others = originals.one(random).header("authorization").split(".")
    mixed = [random.choice((a, b)) for a, b in zip(parts, others, strict=False)]
    if random.random() < 0.3:
        mixed.insert(random.randrange(len(mixed) + 1), random.choice(("", "e30", "x")))
    return done.with_header("Authorization", ".".join(mixed))


def other_claims(done: Delivery, originals: Originals, random: Random) -> Delivery:
    """Signed with the right secret, and never what a webhook is signed with."""
    now = int(time.time())
    wrong = random.choice(
        (
            {"exp": now - 100}, {"exp": None}, {"exp": "x"}, {"exp": -(10**30)}, {"exp": [now]},
            {"nbf": now + 1000}, {"iat": now + 1000}, {"nbf": "x"}, {"iss": "other"}, {"iss": None},
            {"iss": ["devkey"]}, {"iss": 7}, {"sha256": None}, {"sha256": ""}, {"sha256": "%%%"},
            {"sha256": base64.b64encode(b"x" * 32).decode()}, {"sha256": 7}, {"aud": "x"},
            {"video": 7}, {"roomConfig": {"agents": 7}},
            {"sha256": hashlib.sha256(done.body).hexdigest()},
        )
    )  # fmt: skip
    signed = originals.signed(done.body, **wrong)
    return done.with_header("Authorization", signed.header("authorization"))


def another_algorithm(done: Delivery, _: Originals, random: Random) -> Delivery:
    claims = claims_of(done.body)
    match random.randrange(4):
        case 0:
            token = jwt.encode(claims, None, algorithm="none")
        case 1:
            token = jwt.encode(claims, SECRET * 4, algorithm=random.choice(("HS384", "HS512")))
        case 2:
            token = jwt.encode(claims, SECRET + "x" * 9, algorithm="HS256")
        case _:
            token = _signed_by_hand(random.choice(_ALGORITHMS), claims, random)
    return done.with_header("Authorization", token)


_ALGORITHMS: Final = (
    "none", "None", "NONE", "nOnE", "RS256", "ES256", "PS256", "EdDSA", "HS1", "HS384", "HS512",
    "hs256", "", None, 7, [], {}, "HS256 ", "x" * 5000,
)  # fmt: skip


def _signed_by_hand(algorithm: object, claims: dict[str, Any], random: Random) -> str:
    """A token that names one algorithm and is signed with another, by the right secret."""
    more = random.choice(
        ({}, {"kid": "../x"}, {"crit": ["x"]}, {"b64": False}, {"jku": "http://x"})
    )
    header = {"typ": "JWT", "alg": algorithm} | more
    signed = ".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
    digest = random.choice(("sha256", "sha512"))
    signature = hmac.new(SECRET.encode(), signed.encode(), digest).digest()
    return f"{signed}.{_encoded(random.choice((b'', signature)))}"


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def a_huge_token(done: Delivery, _: Originals, random: Random) -> Delivery:
    length = random.choice((1000, 10_000, 16_000, 20_000))
    part = base64.urlsafe_b64encode(b"[" * length).decode()[:length]
    huge = random.choice((part, f"a.{part}.c", f"{part}.{part[:9]}.{part[:9]}", "." * length))
    return done.with_header("Authorization", huge)


def a_signature(done: Delivery, originals: Originals, random: Random) -> Delivery:
    name = "videosdk-signature"
    given = done.header(name).encode("latin-1", "replace")
    made_up = random.randbytes(random.choice((0, 1, 255, 256, 257)))
    other = random.choice(
        (
            originals.by_another(random),
            originals.one(random).header(name),
            base64.b64encode(made_up).decode(),
            _mangled(given, random).decode("latin-1"),
        )
    )
    return done.with_header(name, other)


def _text(random: Random) -> str:
    return random.choice(_ODD).decode("latin-1")


_EITHER: Final = (a_body, another_body, a_large_body, a_type, odd_headers)
_LIVEKIT_WAYS: Final = (
    *_EITHER, a_token_mangled, a_token_mangled, another_token, other_parts, other_claims,
    another_algorithm, a_huge_token,
)  # fmt: skip
_VIDEOSDK_WAYS: Final = (*_EITHER, a_signature, a_signature, a_signature)
