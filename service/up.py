"""`dispatcher up`: the whole service on this machine, as one process tree."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import structlog

from rules.loader import load
from rules.problems import RuleErrors
from service import embedded
from service.address import check_address
from service.lock import locked
from service.logs import configure_logs
from service.programs import programs
from service.supervisor import Supervisor

if TYPE_CHECKING:
    from workers.settings import Settings

log = structlog.get_logger(__name__)


def up(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        AddressError, DataError: it cannot run here.
    """
    check_address(settings.host, settings.port)
    with contextlib.ExitStack() as held:
        if settings.redis_url is None:
            embedded.prepare(settings.data)
            held.enter_context(locked(settings.data))
            held.callback(embedded.tidy, settings.data)
        children = programs(settings, dict(os.environ))
        configure_logs("up", settings.secrets)
        _tell_of_rules(settings)
        Supervisor(children).run(
            started=f"post webhooks to http://{settings.host}:{settings.port}/webhooks/livekit"
        )


def _tell_of_rules(settings: Settings) -> None:
    """Say at once what is wrong with the rules; webhooks are kept until they load."""
    try:
        load(settings.rules)
    except RuleErrors as errors:
        for problem in errors.problems:
            log.error("rules_do_not_load", problem=str(problem))  # noqa: TRY400 - for people
