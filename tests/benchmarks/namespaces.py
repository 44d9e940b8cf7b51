"""Two hosts on one machine: this network namespace and one of its own, with a cable between them.

What runs on the second reaches the first by the cable's addresses and by nothing else: loopback is
each host's own. Processors and disk they share.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final

from tests.benchmarks.grounds import Host

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST: Final = IPv4Address("198.18.0.0")
BLOCKS: Final = 2**15
"""198.18.0.0/15 is set aside for benchmarks (RFC 2544): nobody's network is there. Each process
that measures takes a block of four addresses."""
NEEDED: Final = "a second host needs Linux, iproute2, and root with CAP_NET_ADMIN, CAP_SYS_ADMIN"


class NoSecondHost(Exception):
    """There can be none here; the text is one line that says what is needed, and what was said."""


@contextmanager
def two_hosts() -> Iterator[tuple[Host, Host]]:
    """This one, by its end of the cable, and the other.

    Raises:
        NoSecondHost: this machine does not let us make one.
    """
    pid = os.getpid()
    there, near, far = f"lkd-bench-{pid}", f"lkda{pid}", f"lkdb{pid}"
    block = FIRST + 4 * (pid % BLOCKS)
    enter = ("ip", "netns", "exec", there)  # becomes what it starts, so that is what we stop
    with ExitStack() as stack:
        make("ip", "netns", "add", there)
        stack.callback(remove, "netns", there)
        make("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", there)
        stack.callback(remove, "link", near)  # its other end goes with it
        make("ip", "address", "add", f"{block + 1}/30", "dev", near)
        make("ip", "link", "set", near, "up")
        make(*enter, "ip", "address", "add", f"{block + 2}/30", "dev", far)
        make(*enter, "ip", "link", "set", far, "up")
        make(*enter, "ip", "link", "set", "lo", "up")
        yield Host(str(block + 1)), Host(str(block + 2), enter)


def make(*command: str) -> str:
    """Run a command of iproute2; what it prints.

    Raises:
        NoSecondHost: it is not there, or this machine does not let us.
    """
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except OSError as error:
        raise NoSecondHost(f"{NEEDED} ({command[0]}: {error.strerror})") from None
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.split())
        raise NoSecondHost(f"{NEEDED} ({' '.join(command)}: {said})") from None


def remove(kind: str, name: str) -> None:
    """Take away what `make` has made."""
    subprocess.run(["ip", kind, "delete", name], check=True)
