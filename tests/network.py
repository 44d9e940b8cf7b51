"""Hosts on one machine, each a network namespace with a cable to one switch.

What runs on a host reaches the others by their addresses alone: loopback is each host's own. We are
on the switch too. Processors and disks they share.
"""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Final

from tests.benchmarks.grounds import Host
from tests.benchmarks.namespaces import BLOCKS, FIRST, make, remove

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

SIZE: Final = 32
"""Addresses in the block of each process that has a network."""
NOBODY: Final = "02:00:00:00:00:01"
"""An Ethernet address that no host here has: what is sent there is lost without a word."""


@dataclass
class Network:
    """The hosts, while they are there."""

    hosts: Mapping[str, Host]
    _names: Mapping[str, tuple[str, str]]
    """By host: its namespace, and its end at the switch."""
    _cuts: set[tuple[str, str]] = field(default_factory=set)

    def cut(self, some: Iterable[str], others: Sequence[str]) -> None:
        """Lose every packet between these hosts and the others; nobody is told."""
        for one, other in product(some, others):
            self._cuts |= {(one, other), (other, one)}
            for at, to in ((one, other), (other, one)):
                self._neighbour("replace", at, to, "lladdr", NOBODY, "nud", "permanent")

    def mend(self) -> None:
        """Have every cut end."""
        for at, to in self._cuts:
            self._neighbour("delete", at, to)
        self._cuts.clear()

    def unplug(self, name: str) -> None:
        """Take a host off the switch, and end all that runs on it as a loss of power does."""
        make("ip", "link", "set", self._names[name][1], "down")
        for pid in self.pids(name):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def plug(self, name: str) -> None:
        """Put it back."""
        make("ip", "link", "set", self._names[name][1], "up")

    def pids(self, name: str) -> list[int]:
        """What runs on a host."""
        told = make("ip", "netns", "pids", self._names[name][0])
        return [int(pid) for pid in told.split()]

    def _neighbour(self, verb: str, at: str, to: str, *more: str) -> None:
        place, address = self._names[at][0], self.hosts[to].address
        make("ip", "-n", place, "neighbour", verb, address, *more, "dev", "eth0")


@contextmanager
def network(*names: str) -> Iterator[Network]:
    """Hosts of these names; whatever runs on them at the end is killed.

    Raises:
        NoSecondHost: this machine does not let us make one.
    """
    pid = os.getpid()
    block = FIRST + SIZE * (pid % (4 * BLOCKS // SIZE))
    switch = f"lkdsw{pid}"
    hosts: dict[str, Host] = {}
    made: dict[str, tuple[str, str]] = {}
    with ExitStack() as stack:
        make("ip", "link", "add", switch, "type", "bridge")
        stack.callback(remove, "link", switch)
        make("ip", "address", "add", f"{block + 1}/27", "dev", switch)
        make("ip", "link", "set", switch, "up")
        for number, name in enumerate(names, start=2):
            there, near = f"lkd-{pid}-{name}", f"lkdn{pid}-{number}"
            enter = ("ip", "netns", "exec", there)  # becomes what it starts
            made[name] = there, near
            hosts[name] = Host(str(block + number), enter)
            make("ip", "netns", "add", there)
            stack.callback(remove, "netns", there)
            make("ip", "link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", there)
            stack.callback(remove, "link", near)  # its other end goes with it
            make("ip", "link", "set", near, "master", switch, "up")
            make("ip", "-n", there, "address", "add", f"{block + number}/27", "dev", "eth0")
            make("ip", "-n", there, "link", "set", "eth0", "up")
            make("ip", "-n", there, "link", "set", "lo", "up")
        made_network = Network(hosts, made)
        stack.callback(_end, made_network)
        yield made_network


def _end(network: Network) -> None:
    """A namespace lives as long as a process in it."""
    for name in network.hosts:
        for pid in network.pids(name):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
