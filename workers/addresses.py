"""Addresses of workers' HTTP servers, as DISPATCHER_AGENT_WORKERS has them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from rules.limits import deployment_fault


@dataclass(frozen=True, slots=True)
class WorkerAddress:
    """Where a worker's HTTP server is, and the deployment it is of."""

    url: str
    """Without a slash at its end."""
    deployment: str = ""
    """`""` is production."""


def parse_addresses(text: object) -> object:
    """Read `URL` or `deployment@URL`, with commas or on lines of their own.

    Raises:
        ValueError: one of them is not that; or one URL is given two deployments.
    """
    if not isinstance(text, str):
        return text
    found: dict[str, WorkerAddress] = {}
    for entry in text.replace(",", "\n").splitlines():
        if entry.strip():
            address = _address(entry.strip())
            if found.setdefault(address.url, address) != address:
                raise ValueError(f"{address.url} is given two deployments")
    return tuple(found.values())


def _address(entry: str) -> WorkerAddress:
    before, scheme, rest = entry.partition("://")
    deployment, at, scheme_name = before.rpartition("@")
    url = scheme_name + scheme + rest.rstrip("/")
    try:
        parts = urlsplit(url)
        is_plain = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_plain = False
    if not is_plain or "@" in rest or parts.query or parts.fragment:
        raise ValueError(f"{entry!r} must be http://host:port or deployment@http://host:port")
    fault = deployment_fault(deployment) if at else None
    if fault is not None:
        raise ValueError(f"{entry!r}: {fault}")
    return WorkerAddress(url, deployment)
