"""`agents`: which agents are deployed, as far as can be told, and how they stand."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from service.cli.commands import example
from service.cli.environment import reached_redis
from service.cli.output import json_option, printable
from service.cli.watching import Seen, show, watch_option
from workers.deployed import deployed
from workers.rules_in_force import kept
from workers.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis

_COLUMNS = (
    "AGENT", "DEPLOYMENT", "STATUS", "CALLS", "WAITING", "PEAK", "TODAY", "JOINED", "P50", "P95",
    "LOAD", "SEEN", "RULES",
)  # fmt: skip


@click.command(epilog=example("dispatcher agents --watch"))
@json_option
@watch_option
def agents(*, as_json: bool, watch: bool) -> None:
    """List deployed agents, those that are failing first.

    LiveKit does not tell which there are. These are named by the rules in force, were dispatched,
    or answer at DISPATCHER_AGENT_WORKERS; or they are in rooms and nobody here has sent them.
    JOINED is the share of their last dispatches that got one, P50 and P95 how long it took.
    """
    settings = load_settings()
    server_ids = list(settings.places)
    with reached_redis(settings) as redis:
        show(lambda: _listed(redis, server_ids), as_json=as_json, watch=watch)


def _listed(redis: redis.Redis, server_ids: Sequence[str]) -> Seen:
    known = deployed(redis, kept(redis), server_ids)
    rows = known.agents
    warnings = [
        f"{_name(row)}: {printable(warning)}" for row in rows for warning in row["warnings"]
    ]
    warnings += [
        f"no worker has answered at {each['url']} yet: {printable(each['error'])}"
        for each in known.unanswered
    ]
    heading = "\n".join(f"{click.style('warning:', fg='yellow')} {each}" for each in warnings)
    empty = "no agent is known: no rule names one, and none was seen"
    return Seen(asdict(known), _COLUMNS, [_row(r) for r in rows], empty, heading)


def _name(row: dict[str, Any]) -> str:
    deployment = f" ({printable(row['deployment'])})" if row["deployment"] else ""
    return f"{printable(row['agent']) or 'agents without a name'}{deployment}"


def _row(row: dict[str, Any]) -> list[str]:
    share, load = row["success_rate"], row["load"]
    deployment = "not known" if row["deployment"] is None else printable(row["deployment"])
    seen = (row["last_seen"] or "never").partition(".")[0] + ("Z" if row["last_seen"] else "")
    return [
        printable(row["agent"]), deployment, row["status"],
        *(str(row[name]) for name in ("sessions", "waiting", "peak", "today")),
        "" if share is None else f"{share:.0%}",
        _ms(row["join_p50_ms"]), _ms(row["join_p95_ms"]),
        "" if load is None else f"{load:.2f}",
        seen, ", ".join(row["rules"]),
    ]  # fmt: skip


def _ms(value: int | None) -> str:
    return "" if value is None else f"{value} ms"
