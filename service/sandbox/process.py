"""A stand-in as a process of its own: it listens until it is told to end."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Protocol

import click

from service.sandbox.threads import Startable


class Server(Startable, Protocol):
    """A stand-in that knows where it listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Its address."""


def serve(server: Server) -> None:
    """Run it, and print its address as the first line, until SIGINT or SIGTERM.

    Raises:
        ClickException: its port is taken.
    """
    try:
        asyncio.run(_serve(server))
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        told = f"cannot listen on {server.host}:{server.port}: {why}"
        raise click.ClickException(told) from error


async def _serve(server: Server) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    await server.start()
    try:
        click.echo(server.url)
        await ended.wait()
    finally:
        await server.stop()
