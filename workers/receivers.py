"""Who is told of dispatches, and of what: the settings DISPATCHER_NOTIFY_URL, _SECRET, and which.

An address may be a secret itself (many a chat's is), so that only its host is ever shown. It is the
operator's word: no address is refused for being private. But `http://` carries who calls whom in
clear, so it is for this machine and for private names.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from workers.servers import ServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - Standard Webhooks' own
SECRET_BYTES: Final = range(24, 65)
"""As Standard Webhooks has it."""
_PRIVATE: Final = (".local", ".internal", ".localhost", ".lan", ".home.arpa", ".svc", ".test")
_MAKE_ONE: Final = "`echo whsec_$(openssl rand -base64 32)` makes one"


class Topic(StrEnum):
    """What others can be told of."""

    FAILED = "dispatch.failed"
    """No agent came, or agents came and failed too often, and nothing follows."""
    STARTED = "dispatch.started"
    """Its agent has joined."""
    ENDED = "dispatch.ended"
    """Its agent had joined, and has left or was sent away."""
    SUPERSEDED = "dispatch.superseded"
    """Its agent did not come, and a fallback takes over."""


def notice_id(dispatch_id: str, topic: Topic) -> str:
    """The id of what is told of a dispatch: no two have the same."""
    return f"{dispatch_id}_{topic.partition('.')[2]}"


def dispatch_of_notice(notice_id: str) -> str:
    """The id of the dispatch that something with that id tells of."""
    return notice_id.rpartition("_")[0]


@dataclass(frozen=True, slots=True)
class Receiver:
    """One address that is posted to."""

    url: str = field(repr=False)

    @property
    def id(self) -> str:
        """Ten hexadecimal digits that stand for it in Redis."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:10]

    @property
    def shown(self) -> str:
        """What may be seen of it: where it is."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    @property
    def is_in_clear(self) -> bool:
        """Whether what is posted can be read on its way."""
        return self.url.startswith("http://") and not _is_loopback(_host(self.url))


@dataclass(frozen=True, slots=True)
class Receivers:
    """Whom to tell, how that is signed, and of what."""

    all: tuple[Receiver, ...]
    secrets: tuple[str, ...] = field(repr=False)
    """Each signs: while one takes another's place, either verifies."""
    topics: frozenset[Topic]

    @property
    def private(self) -> tuple[str, ...]:
        """What no log may hold."""
        urls = (each.url for each in self.all if each.url.rstrip("/") != each.shown)
        return (*self.secrets, *urls)


def find_receivers(
    urls: tuple[str, ...], secrets: tuple[str, ...], topics: tuple[Topic, ...]
) -> Receivers | None:
    """Bring the variables together; None: nobody is to be told.

    Raises:
        ServerError: there is no secret to sign with.
    """
    if not urls:
        return None
    if not secrets:
        told = f"DISPATCHER_NOTIFY_URL is set without DISPATCHER_NOTIFY_SECRET: {_MAKE_ONE}"
        raise ServerError(told)
    return Receivers(tuple(map(Receiver, urls)), secrets, frozenset(topics))


def parse_urls(text: object) -> object:
    """Read addresses with commas between, or on lines of their own.

    Raises:
        ValueError: one of them is none, or would be posted to in clear over the internet.
    """
    return tuple(map(_checked, _entries(text, ","))) if isinstance(text, str) else text


def parse_secrets(text: object) -> object:
    """Read secrets with spaces or commas between.

    Raises:
        ValueError: one of them is none.
    """
    if not isinstance(text, str):
        return text
    secrets = tuple(_entries(text, ", "))
    for number, secret in enumerate(secrets, 1):
        if _bytes_of(secret) not in SECRET_BYTES:
            which = f" (the {number}. of {len(secrets)} is not)" if len(secrets) > 1 else ""
            told = f"it must be {SECRET_PREFIX} and 24 to 64 bytes in base64{which}; {_MAKE_ONE}"
            raise ValueError(told)
    return secrets


def parse_topics(text: object) -> object:
    """Read what to tell of, with commas or spaces between.

    Raises:
        ValueError: there is no such thing to tell of.
    """
    if not isinstance(text, str):
        return text
    words = tuple(_entries(text, ", "))
    for word in words:
        if word not in set(Topic):
            raise ValueError(f"{word!r} is none of {', '.join(Topic)}")
    return tuple(map(Topic, words))


def _entries(text: str, separators: str) -> Iterator[str]:
    for separator in separators:
        text = text.replace(separator, "\n")
    yield from dict.fromkeys(entry.strip() for entry in text.splitlines() if entry.strip())


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or not url.isascii() or any(each.isspace() for each in url):
        raise ValueError("it must be https://host/path, or several with commas between")
    if parts.scheme == "http" and not _is_private(_host(url)):
        raise ValueError(
            f"http://{_host(url)} would be told in clear over the internet: use https://"
            " (http:// is for this machine, private addresses and names such as hooks.internal)"
        )
    return url


def _bytes_of(secret: str) -> int:
    """How many bytes a secret has; 0 if it is none."""
    prefix, _, text = secret.partition(SECRET_PREFIX)
    try:
        return 0 if prefix else len(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except (binascii.Error, ValueError):
        return 0


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").rstrip(".")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_private(host: str) -> bool:
    """Whether an address or a name can lead to nowhere but this machine or this network."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((*_PRIVATE, ".cluster.local"))
