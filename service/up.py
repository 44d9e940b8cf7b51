"""`dispatcher up`: the whole service on this machine, as one process tree."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from service import embedded
from service.address import check_address, http_address
from service.lock import locked
from service.programs import programs
from service.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workers.settings import Settings


def up(settings: Settings, environ: Mapping[str, str], tell: Callable[[], None]) -> None:
    """Run until SIGTERM or SIGINT.

    Args:
        settings: what `environ` says.
        environ: the children's whole environment.
        tell: called when nothing speaks against running here.

    Raises:
        AddressError, DataError: it cannot run here.
    """
    check_address(settings.host, settings.port)
    if settings.admin_port != settings.port:
        check_address(settings.host, settings.admin_port, "DISPATCHER_ADMIN_PORT")
    address = http_address(settings.host, settings.port)
    dashboard = f"{http_address(settings.host, settings.admin_port)}/"
    with contextlib.ExitStack() as held:
        if settings.redis_url is None:
            embedded.prepare(settings.data)
            held.enter_context(locked(settings.data))
            held.callback(embedded.tidy, settings.data)
        children = programs(settings, environ)
        tell()
        names = ["livekit"] if settings.servers else []
        names += ["videosdk"] if settings.videosdk is not None else []
        urls = " and ".join(f"{address}/webhooks/{name}" for name in names)
        Supervisor(children).run(
            started=f"post webhooks to {urls}; the dashboard is at {dashboard}"
        )
