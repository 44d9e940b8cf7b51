"""How processes log: one line an event on stderr, JSON unless somebody is reading it live.

A line that cannot be written is lost, and raises nothing where it was logged.
Our own code logs through structlog, libraries through `logging`; both come out alike. What the
settings call secret is struck out of every line, whoever logged it.
"""

from __future__ import annotations

import base64
import json
import logging
import sys
from typing import TYPE_CHECKING, Any, Final, TextIO, cast
from urllib.parse import quote, quote_plus

import structlog

from rules.problems import printable
from service.log_bounds import LogBounds
from service.log_stream import LogStream
from service.request_name import add_request_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from structlog.typing import EventDict, Processor, WrappedLogger

_SHORTEST: Final = 6
"""Secrets shorter than this would strike out words; they protect nothing anyway."""


def configure_logs(
    process: str,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
    *,
    is_bounded: bool = False,
) -> None:
    """Set up logging for this process.

    Args:
        process: what it is (`web`, `worker`, `valkey`), the `process` of every line.
        secrets: texts that must never be written.
        stream: where lines go; stderr unless told otherwise.
        is_bounded: whether a flood of warnings of one kind is cut short; for processes that
            strangers reach.
    """
    stream = cast("TextIO", LogStream(stream or sys.stderr))
    shared: list[Processor] = [
        add_request_id,
        structlog.processors.add_log_level,
        _stamp(stream),
        _Named(process),
    ]
    last = _Struck(_renderer(stream), secrets)
    bounds = [LogBounds()] if is_bounded else []
    structlog.configure(
        processors=[*shared, *bounds, last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    for bound in bounds:
        handler.addFilter(bound.filter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _stamp(stream: TextIO) -> Processor:
    if stream.isatty():
        return structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
    return structlog.processors.TimeStamper(fmt="iso", utc=True)


def _renderer(stream: TextIO) -> Processor:
    if stream.isatty():
        # The richer formatters show the variables of every frame, secrets among them.
        plain = structlog.dev.plain_traceback
        return _Printed(structlog.dev.ConsoleRenderer(pad_event_to=0, exception_formatter=plain))
    return _Json()


class _Printed:
    """Renders for a terminal, which must obey nothing that stands in a line.

    Rooms and people have names that strangers chose.
    """

    def __init__(self, render: Processor) -> None:
        self._render = render

    def __call__(self, logger: WrappedLogger, name: str, event: EventDict) -> Any:  # noqa: ANN401 - what a renderer gives
        for key, value in event.items():
            if isinstance(value, str) and key != "exception":
                event[key] = printable(value)
        return self._render(logger, name, event)


class _Json:
    """Exceptions as text, then JSON; what JSON cannot hold as its text."""

    def __init__(self) -> None:
        self._render = structlog.processors.JSONRenderer(default=str)

    def __call__(self, logger: WrappedLogger, name: str, event: EventDict) -> str | bytes:
        return self._render(logger, name, structlog.processors.format_exc_info(logger, name, event))


class _Named:
    """Adds which process it is."""

    def __init__(self, process: str) -> None:
        self._process = process

    def __call__(self, _logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        event.setdefault("process", self._process)
        return event


def forms(secret: str) -> set[str]:
    """A secret as it may stand in a line: as it is, in JSON or a Python string, in a URL or form,
    in Basic authentication's base64 as a password alone.
    """
    as_json = {json.dumps(secret, ensure_ascii=plain)[1:-1] for plain in (True, False)}
    in_urls = {quote(secret), quote(secret, safe=""), quote_plus(secret)}
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    found = {secret, *as_json, repr(secret)[1:-1], *in_urls, encoded}
    # A text within a text, as an exception's in a line of JSON, is escaped twice.
    return found | {json.dumps(each)[1:-1] for each in found}


class _Struck:
    """Renders a line and strikes out what is secret."""

    def __init__(self, render: Processor, secrets: Iterable[str]) -> None:
        self._render = render
        told = {form for secret in secrets if len(secret) >= _SHORTEST for form in forms(secret)}
        # The longest first: a shorter one may be a part of it.
        self._secrets = tuple(sorted(told, key=len, reverse=True))

    def __call__(self, logger: WrappedLogger, name: str, event: EventDict) -> Any:  # noqa: ANN401 - what a renderer gives
        line = self._render(logger, name, event)
        text = line.decode() if isinstance(line, bytes) else str(line)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text
