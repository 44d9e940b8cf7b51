"""Whether the web process may listen where it is told to, asked before anything starts."""

from __future__ import annotations

import errno
import socket
import time
from typing import Any, Final

PATIENCE_SECONDS: Final = 1.0
"""How long a service that was killed may take to let go of its port."""
_LOOK_SECONDS: Final = 0.05


class AddressError(Exception):
    """An address nobody can listen on; the text is one line for people."""


def check_address(host: str, port: int, variable: str = "DISPATCHER_PORT") -> str:
    """Find the IP address of `host`, and try to listen there. `variable` says the port.

    The server's workers share their port with whoever asks (SO_REUSEPORT), so that a second
    service on it would start, and take half of the webhooks. This asks without sharing.

    Raises:
        AddressError: the host is unknown, or the port is taken or forbidden.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError):  # the latter of a name such as a..b
        raise AddressError(
            f"DISPATCHER_HOST={host!r} is not an address of this machine: set it to one,"
            " or to 0.0.0.0 for all"
        ) from None
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (error := _refusal(family, address)) is not None:
        if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
            raise AddressError(_words(host, port, variable, error))
        time.sleep(_LOOK_SECONDS)
    return str(address[0])


def from_here(host: str) -> str:
    """Where this machine reaches what listens at an address: at all of them, that is loopback."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound


def http_address(host: str, port: int) -> str:
    """Where something listens, as the beginning of a URL: `http://[::1]:8080`."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _refusal(family: int, address: Any) -> OSError | None:  # noqa: ANN401 - as getaddrinfo gives it
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(address)
            trial.listen()
        except OSError as error:
            return error
    return None


def _words(host: str, port: int, variable: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is in use: stop what listens there, or set {variable}"
            " to another"
        )
    if error.errno == errno.EACCES:
        return f"{variable}={port} needs rights this user lacks: set one from 1024 on"
    return f"cannot listen on {host} port {port}: {error.strerror}; set DISPATCHER_HOST"
