"""What every test may ask for: a real Valkey, emptied between tests, and a place for figures."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final, TypeAlias

import pytest
from redis import Redis

from tests.valkey import Valkey, running_valkey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


FIGURE: Final = "figure"
Figure: TypeAlias = "Callable[[str], None]"


# Else what tests start would ignore it too, where the run itself was started by `nohup`.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that it does not run alone at the end."""
    items.sort(key=lambda item: "simulation" not in item.path.parts)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured, whichever process has measured it."""
    passed_or_not = (r for key in ("passed", "failed") for r in terminalreporter.stats.get(key, ()))
    figures = [
        (report.nodeid, told)
        for report in passed_or_not
        for name, told in report.user_properties
        if name == FIGURE and report.when == "call"
    ]
    if figures:
        terminalreporter.section("figures")
    for _, told in sorted(figures):
        terminalreporter.line(told)


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    """Takes a line of what was measured, to be printed at the end of the run."""
    return lambda told: record_property(FIGURE, told)


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """One server for the whole run; ask for `redis` or `redis_url` to find it empty."""
    with running_valkey() as server:
        yield server


@pytest.fixture
def redis(valkey: Valkey) -> Iterator[Redis]:
    """A client of an empty server, answering bytes."""
    with Redis(unix_socket_path=str(valkey.socket), socket_timeout=10) as client:
        client.flushall()
        client.config_set("maxmemory", 0)
        yield client


@pytest.fixture
def redis_url(valkey: Valkey, redis: Redis) -> str:
    """REDIS_URL of an empty server."""
    return valkey.url
