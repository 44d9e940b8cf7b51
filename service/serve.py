"""The web process: the application under granian, on threads behind an asynchronous front.

granian's main process starts one worker process, starts it again when it dies, and takes the
signals. The worker holds the application and must not outlive the main process.
"""

from __future__ import annotations

import os
import resource
import signal
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog
from granian.constants import HTTPModes, Interfaces, RuntimeModes
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from service.address import check_address
from service.bodies import MOST_BYTES
from service.dashboard.live import PATH as LIVE
from service.front import Front
from service.heads import HEAD_BUFFER
from service.logs import configure_logs
from service.parent import die_with_parent
from service.videosdk_webhooks import PATH as VIDEOSDK
from service.web import create_app
from service.webhooks import PATH as LIVEKIT
from workers.stop_signals import stop_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workers.settings import Settings

THREADS: Final = 64
"""Requests but webhooks worked on at once, each of them whole: what they wait for is Redis."""
CONNECTIONS: Final = 16_384
"""Connections open at once, idle ones too: at this many nobody else is let in. granian ends those
that began a request and do not go on, and keeps those that never said a word."""
FILES: Final = CONNECTIONS + 1024
"""Files that may have to be open for that."""
HEADER_MILLISECONDS: Final = 10_000
STOP_SECONDS: Final = 5

_KEPT: Final = frozenset({"HOME", "LANG", "PATH", "TMPDIR", "TZ"})
_KEPT_BEGINNINGS: Final = ("LC_", "PYTHON", "SSL_CERT_")

log = structlog.get_logger(__name__)


def serve(settings: Settings) -> None:
    """Serve until one of `stop_signals`.

    Raises:
        AddressError: nobody can listen where the settings say.
        SystemExit: with status 1, when the worker process could not be kept alive.
    """
    address = check_address(settings.host, settings.port)
    if settings.admin_port != settings.port:
        check_address(settings.host, settings.admin_port, "DISPATCHER_ADMIN_PORT")
    configure_logs("web", settings.secrets, is_bounded=True)
    forget_environment()
    _allow_files()
    server = Server(
        "service.web",
        address=address,
        port=settings.port,
        interface=Interfaces.RSGI,
        runtime_mode=RuntimeModes.st,
        backpressure=CONNECTIONS,
        http=HTTPModes.http1,  # HTTP/2 would let one connection hold streams without number
        http1_settings=HTTP1Settings(
            header_read_timeout=HEADER_MILLISECONDS, max_buffer_size=HEAD_BUFFER
        ),
        websockets=False,
        respawn_failed_workers=True,
        respawn_interval=0,
        workers_kill_timeout=STOP_SECONDS,
        log_level=LogLevels.error,
        log_dictconfig={
            "formatters": {},
            "handlers": {},
            "loggers": {"_granian": {"propagate": True}},
        },
    )
    ports = {"port": settings.port, "admin_port": settings.admin_port}
    server.on_startup(partial(_end_on, stop_signals(), server.signal_handler_interrupt))
    server.on_startup(lambda: log.info("web_started", host=address, **ports))
    loader: Callable[..., Any] = partial(_load, settings, address, os.getpid())
    server.serve(target_loader=loader, wrap_loader=False)
    log.info("web_stopped")


def forget_environment() -> None:
    """Remove from the environment all that only the settings needed.

    WSGI servers copy it into every request's `environ`, and libraries print it when they fail.
    """
    for name in list(os.environ):
        if name not in _KEPT and not name.startswith(_KEPT_BEGINNINGS):
            del os.environ[name]


def _allow_files() -> None:
    """Lift the limit of open files as far as this user may: a connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FILES:
        most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _end_on(numbers: Sequence[signal.Signals], end: Callable[..., None]) -> None:
    """Have the main process end on these; to granian, SIGHUP says to begin anew."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in numbers:
        signal.signal(number, end)


def _load(settings: Settings, address: str, main: int) -> Front:
    """In the worker process: tie it to the main process, and build the application."""
    if os.getpid() != main:
        die_with_parent(main)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the main process tells it to end
    configure_logs("web", settings.secrets, is_bounded=True)
    return Front(
        create_app(settings),
        threads=THREADS,
        most_bytes=MOST_BYTES,
        on_loop={"/healthz", LIVEKIT, VIDEOSDK, LIVE},
        admin=(address, settings.admin_port) if settings.admin_port != settings.port else None,
    )
