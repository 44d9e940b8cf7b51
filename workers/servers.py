"""Which LiveKit servers there are, and which API keys belong to each.

A server is its URL, never an API key: two keys of one server are one server, and claims made
under one hold under the other.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCHEMES: Final = {"http": "http", "ws": "http", "https": "https", "wss": "https"}
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.-]+")
_VISIBLE: Final = re.compile(r"[!-~]+")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class ServerError(Exception):
    """The variables about LiveKit contradict each other; the text is one line for people."""


@dataclass(frozen=True, slots=True)
class Server:
    """One LiveKit server, and the pair of key and secret it is called with."""

    url: str
    """Normalised by `normal_url`: `http://…` or `https://…`."""
    api_key: str
    api_secret: str = field(repr=False)

    @property
    def id(self) -> str:
        """Ten hexadecimal digits that stand for the URL in Redis."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:10]

    @property
    def is_cloud(self) -> bool:
        """Whether it is LiveKit Cloud, which acts on a dispatch's `restart_policy` itself."""
        return (urlsplit(self.url).hostname or "").endswith(".livekit.cloud")


@dataclass(frozen=True, slots=True)
class Found:
    """The servers, and for each key its secret and its server."""

    servers: tuple[Server, ...]
    secrets: Mapping[str, str]
    owners: Mapping[str, Server]


def find_servers(
    *,
    url: str | None,
    key: str | None,
    secret: str | None,
    keys: Mapping[str, str],
    urls: Mapping[str, str],
) -> Found:
    """Bring LIVEKIT_URL, _API_KEY, _API_SECRET, _KEYS and _URLS together.

    LIVEKIT_API_KEY comes first, then LIVEKIT_KEYS in their order: a server is called with its
    first key. A key without a line in LIVEKIT_URLS belongs to LIVEKIT_URL.

    Raises:
        ServerError: a key without secret or server, a secret without key, a server without key.
    """
    secrets = _secrets(key, secret, keys)
    for named in urls:
        if named not in secrets:
            raise ServerError(
                f"LIVEKIT_URLS names the key {named!r}, LIVEKIT_KEYS has no secret for it"
            )
    if url and not secrets:
        raise ServerError(
            f"LIVEKIT_URL={url!r} is set without a key: set LIVEKIT_API_KEY and LIVEKIT_API_SECRET"
        )
    owners: dict[str, Server] = {}
    servers: dict[str, Server] = {}
    for named, its_secret in secrets.items():
        where = _url_of(named, urls) or url
        if named == key and url and where != url:
            raise ServerError(
                f"LIVEKIT_URLS gives {named!r} another server than LIVEKIT_URL: keep one of them"
            )
        if where is None:
            line = f", or add a line for {named!r} to LIVEKIT_URLS" if urls else ""
            raise ServerError(f"LIVEKIT_URL is not set, and the key {named!r} is: set it{line}")
        owners[named] = servers.setdefault(where, Server(where, named, its_secret))
    return Found(tuple(servers.values()), secrets, owners)


def normal_url(url: str) -> str:
    """One spelling for each server: `ws://x/`, `http://X:80` and `http://x` are the same.

    Raises:
        ValueError: it is not a ws, wss, http or https URL of a host.
    """
    if "://" not in url:
        raise ValueError(f"it has no scheme: did you mean wss://{url}?")
    parts = urlsplit(url)
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None or not parts.hostname:
        raise ValueError("it must be a ws, wss, http or https URL, such as wss://x.livekit.cloud")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("it must have no user, query or fragment")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    try:
        port = parts.port
    except ValueError:
        raise ValueError("its port must be a number from 1 to 65535") from None
    shown = "" if port in (None, _DEFAULT_PORTS[scheme]) else f":{port}"
    return f"{scheme}://{host}{shown}{parts.path.rstrip('/')}"


def parse_pairs(text: object) -> object:
    """Read `key: value` lines, or `key:value,key:value`; `#` begins a comment line.

    Raises:
        ValueError: an entry without a colon, key or value, or a key twice with two values. The
            message counts the entry and does not repeat it: it may be a secret.
    """
    if not isinstance(text, str):
        return text
    lines = [line.strip() for line in text.splitlines()]
    entries = [e for line in lines if not line.startswith("#") for e in line.split(",")]
    pairs: dict[str, str] = {}
    for number, entry in enumerate(filter(str.strip, entries), start=1):
        key, colon, value = (part.strip().strip("\"'") for part in entry.partition(":"))
        if not (_PLAIN.fullmatch(key) and colon and _VISIBLE.fullmatch(value)):
            raise ValueError(f"entry {number} is not `key: value`")
        if pairs.setdefault(key, value) != value:
            raise ValueError(f"entry {number} gives the key {key!r} a second value")
    return pairs


def _secrets(key: str | None, secret: str | None, keys: Mapping[str, str]) -> dict[str, str]:
    if key and not secret and key not in keys:
        raise ServerError(f"LIVEKIT_API_KEY={key!r} has no secret: set LIVEKIT_API_SECRET")
    if secret and not key:
        raise ServerError("LIVEKIT_API_SECRET is set without its key: set LIVEKIT_API_KEY")
    if key and secret and keys.get(key, secret) != secret:
        raise ServerError(
            f"LIVEKIT_KEYS gives {key!r} another secret than LIVEKIT_API_SECRET: keep one of them"
        )
    first = {key: secret or keys[key]} if key else {}
    return {**first, **keys}


def _url_of(key: str, urls: Mapping[str, str]) -> str | None:
    if key not in urls:
        return None
    try:
        return normal_url(urls[key])
    except ValueError as error:
        raise ServerError(
            f"LIVEKIT_URLS: {urls[key]!r} of {key!r} is not allowed: {error}"
        ) from None
