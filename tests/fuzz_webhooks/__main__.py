"""Run a campaign and tell what came of it; status 1 where something was wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from redis import Redis

from service.logs import configure_logs
from tests.fuzz_webhooks.campaign import Told, deliveries
from tests.fuzz_webhooks.in_process import InProcess, run_all
from tests.fuzz_webhooks.on_the_wire import OnTheWire
from tests.service.conftest import RULES
from tests.service.served import Served, children
from tests.service.signed import ADMIN_TOKEN, KEY, SECRET
from tests.service.videosdk import PINNED
from tests.valkey import running_valkey
from workers.settings import load_settings

if TYPE_CHECKING:
    from workers.settings import Settings

WARM: Final = 20_000
"""Deliveries before memory is first looked at, or a third of all."""
MOST_GROWTH: Final = 32
"""MiB."""
_MIB: Final = 1024 * 1024


@click.command()
@click.argument("count", type=click.IntRange(min=100))
@click.option("--seed", default=1, show_default=True)
@click.option("--wire", default=0.05, show_default=True, help="The share that goes over a socket.")
def main(*, count: int, seed: int, wire: float) -> None:
    """Post COUNT deliveries, most of them bad, and tell of the answers as JSON."""
    on_wire = int(count * wire)
    with tempfile.TemporaryDirectory(prefix="lkd-") as home:
        told = {
            "in_process": in_process(Path(home), count - on_wire, seed),
            "wire": over_the_wire(Path(home), on_wire, seed + 1),
        }
    click.echo(json.dumps(told, indent=2))
    sys.exit(1 if any(each["faults"] for each in told.values()) else 0)


def in_process(home: Path, count: int, seed: int) -> dict[str, Any]:
    """Through the front and the application in this process."""
    with running_valkey() as valkey, Redis(unix_socket_path=str(valkey.socket)) as redis:
        settings = _settings(home, valkey.url)
        with (home / "log").open("w") as log:
            configure_logs("web", settings.secrets, log, is_bounded=True)
            house, seen = InProcess(settings), Told()
            first = 0

            def tell(delivery: Any, status: int, content: bytes) -> None:
                nonlocal first
                seen.answered(delivery, status, content)
                if seen.count == min(WARM, count // 3):
                    first = _rss(os.getpid())
                if seen.count % 20_000 == 0:
                    redis.flushall()  # what was accepted nobody takes out
                    _progress(seen)

            run_all(house, deliveries(count, seed), tell)
            log_bytes = log.tell()
            configure_logs("web")
    return _shown(seen, first, _rss(os.getpid())) | {"log_bytes": log_bytes}


def over_the_wire(home: Path, count: int, seed: int) -> dict[str, Any]:
    """To a `dispatcher serve` of its own."""
    house, seen, first = Served(home, RULES), Told(), 0
    house.environ |= PINNED
    wire = OnTheWire(house.port)
    try:
        house.start_valkey()
        [web] = children(house.start().pid)
        for delivery in deliveries(count, seed):
            seen.answered(delivery, *wire.post(delivery))
            if seen.count == min(WARM, count // 3):
                first = _rss(web)
        last = _rss(web)
        log_bytes = len(house.log)
    finally:
        wire.close()
        house.stop()
    return _shown(seen, first, last) | {"log_bytes": log_bytes}


def _rss(pid: int) -> int:
    """Bytes of memory that a process has in use."""
    ps = ["ps", "-o", "rss=", "-p", str(pid)]
    return 1024 * int(subprocess.run(ps, capture_output=True, check=True, text=True).stdout)


def _settings(home: Path, redis_url: str) -> Settings:
    (home / "rules.yaml").write_text(RULES)
    return load_settings(
        {
            "LIVEKIT_URL": "ws://127.0.0.1:7880",
            "LIVEKIT_API_KEY": KEY,
            "LIVEKIT_API_SECRET": SECRET,
            "REDIS_URL": redis_url,
            "DISPATCHER_RULES": str(home / "rules.yaml"),
            "DISPATCHER_DATA": str(home / "data"),
            "DISPATCHER_ADMIN_TOKEN": ADMIN_TOKEN,
            **PINNED,
        }
    )


def _shown(seen: Told, first: int, last: int) -> dict[str, Any]:
    seconds, grown = seen.seconds, (last - first) / _MIB
    if grown > MOST_GROWTH:
        seen.faults.append(f"memory has grown by {grown:.0f} MiB")
    return {
        "deliveries": seen.count,
        "seconds": round(seconds, 1),
        "a_second": round(seen.count / seconds) if seconds else 0,
        "statuses": {str(status): n for status, n in sorted(seen.statuses.items())},
        "accepted_rightly": seen.accepted,
        "rss_mib_after_warming": round(first / _MIB, 1),
        "rss_mib_at_the_end": round(last / _MIB, 1),
        "faults": seen.faults,
    }


def _progress(seen: Told) -> None:
    rss = _rss(os.getpid()) / _MIB
    click.echo(f"{seen.count} in {seen.seconds:.0f} s, {rss:.1f} MiB", err=True)


if __name__ == "__main__":
    main()
