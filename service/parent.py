"""A process that must not outlive the one that started it.

A killed supervisor cannot stop its children, and a child that lives on holds the port or the data
directory its successor needs.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_LOOK_SECONDS: Final = 0.5
_libc: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(parent: int) -> None:
    """Have this process killed when the process `parent` ends, however it ends.

    On Linux the kernel does it, also after an exec, counted from the thread that started this
    process. Elsewhere a thread looks twice a second, which an exec ends.
    """
    if _libc is None:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
        return
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the call
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)
