"""`up`, `serve` and `worker`: the service itself."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click
import structlog
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from service.address import http_address
from service.admin_token import VARIABLE, with_admin_token
from service.cli.commands import Failure, example
from service.cli.environment import settings_with_provider
from service.cli.output import printable
from service.logs import configure_logs
from workers.connection import connect, unreachable
from workers.presence import at_work_here
from workers.schema import agree
from workers.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import redis

    from workers.settings import Settings

log = structlog.get_logger(__name__)


@click.command(
    epilog=example(
        "export LIVEKIT_URL=wss://… LIVEKIT_API_KEY=… LIVEKIT_API_SECRET=…", "dispatcher up"
    )
)
def up() -> None:
    """Run it all on this machine, against your LiveKit.

    One process tree holds the web process, a worker and, without REDIS_URL, an embedded Valkey.
    """
    from service.up import up as run  # noqa: PLC0415 - granian and all, only when it runs

    settings, more = with_admin_token(settings_with_provider())
    configure_logs("up", settings.secrets)
    if settings.redis_url is not None:
        _try_redis(settings)
    run(settings, {**os.environ, **more}, lambda: _tell_token(settings, more))


@click.command(
    epilog=example(
        "export DISPATCHER_ADMIN_TOKEN_FILE=/run/secrets/dispatcher",
        "REDIS_URL=redis://10.0.0.5/0 DISPATCHER_HOST=0.0.0.0 dispatcher serve",
    )
)
def serve() -> None:
    """Run one web process, which takes webhooks.

    For several machines on one Redis; `up` starts one of its own. It needs DISPATCHER_ADMIN_TOKEN,
    the same on all of them.
    """
    from service.serve import serve as run  # noqa: PLC0415

    settings = settings_with_provider()
    if settings.admin_token is None:
        raise SettingsError(
            "DISPATCHER_ADMIN_TOKEN is not set: set it or DISPATCHER_ADMIN_TOKEN_FILE, the same on"
            " all machines; `openssl rand -hex 32` prints one"
        )
    configure_logs("web", settings.secrets)
    _try_redis(settings)
    run(settings)


@click.command(epilog=example("REDIS_URL=redis://10.0.0.5/0 dispatcher worker --concurrency 512"))
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1024),
    default=256,
    show_default=True,
    help="Rooms worked on at once.",
)
@click.option(
    "--healthy",
    is_flag=True,
    help="Run none, but tell whether one on this host is at work: for health checks.",
)
def worker(concurrency: int, *, healthy: bool) -> None:
    """Run one worker, which decides and dispatches.

    For several machines on one Redis; `up` starts one of its own.
    """
    settings = settings_with_provider()
    if healthy:
        _tell_health(settings)
        return
    from workers.worker import run_worker  # noqa: PLC0415

    configure_logs("worker", settings.secrets)
    _try_redis(settings)
    run_worker(settings, concurrency)


def _tell_health(settings: Settings) -> None:
    """Say that a worker on this host has looked for work just now, or end with status 1."""
    try:
        with connect(settings) as client:
            found = at_work_here(client)
    except RedisError as error:
        raise Failure(unreachable(settings, error)) from None
    if not found:
        raise Failure("no worker on this host is at work: see its log")
    click.echo("at work")


def _tell_token(settings: Settings, more: Mapping[str, str]) -> None:
    """Show the token that was made here: to somebody who reads it now, never to a log."""
    if VARIABLE not in more:
        return
    if sys.stdout.isatty():
        dashboard = http_address(settings.host, settings.admin_port)
        click.echo(f"The dashboard at {dashboard}/ opens with the token")
        click.echo(f"  {settings.admin_token}")
        click.echo(f"which is kept in {printable(more[VARIABLE])}")
    else:
        log.info("admin_token_kept", file=more[VARIABLE])


def _try_redis(settings: Settings) -> None:
    """Refuse a Redis that will never do; wait for one that is only away."""
    try:
        with connect(settings) as client:
            client.ping()
            told = _version(client)
            if not too_old(told):
                agree(client)
    except (AuthenticationError, NoPermissionError) as error:
        raise Failure(unreachable(settings, error)) from None
    except RedisError as error:
        log.warning("redis_away", detail=unreachable(settings, error))
    else:
        if too_old(told):
            raise Failure(f"REDIS_URL leads to a Redis {told}: it must be 6.2 or later, or Valkey")


def _version(client: redis.Redis) -> str:
    """What a server says it is; `""` where it may not be asked."""
    try:
        return str(client.info("server").get("redis_version", ""))
    except ResponseError:
        return ""


def too_old(version: str) -> bool:
    """Whether a server's version lacks commands that are needed; one that is not told does not."""
    numbers = [int(n) for n in version.split(".")[:2] if n.isdecimal()]
    return bool(numbers) and numbers < [6, 2]
