"""Two hosts: both take part, nothing is left of them, and a line says where they cannot be."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks import measures
from tests.benchmarks.hosts import hosts
from tests.benchmarks.houses import ours
from tests.benchmarks.namespaces import NoSecondHost, two_hosts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.grounds import Host


def namespaces() -> set[str]:
    return {path.name for path in Path("/run/netns").glob("*")}


@contextmanager
def two_hosts_or_skip() -> Iterator[tuple[Host, Host]]:
    try:
        with two_hosts() as both:
            yield both
    except NoSecondHost as missing:
        pytest.skip(str(missing))


def test_every_webhook_becomes_one_dispatch_on_two_hosts() -> None:
    with two_hosts_or_skip() as both, ours(hosts=both) as house:
        run = measures.throughput(house, 300)
        assert run.cpu["web-2"] > 0
        assert run.cpu["worker-2"] > 0
        house.stop_workers()
        assert measures.accepted(house, 12).accepted_per_second > 0


def test_nothing_is_left_of_the_second_host_after_an_error() -> None:
    before = namespaces(), socket.if_nameindex()

    def fail() -> None:
        with two_hosts_or_skip():
            assert len(namespaces() - before[0]) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (namespaces(), socket.if_nameindex()) == before


def test_what_a_second_host_needs_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert hosts(1) == []
    [line] = capsys.readouterr().err.splitlines()
    assert "needs Linux, iproute2, and root" in line
