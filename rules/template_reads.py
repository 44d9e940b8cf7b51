"""Templates that only read fields, such as `{{ room.name }}`: what they read, without a parser.

A large set of rules has thousands of such templates, each different, and Jinja's parser would take
longer for them than all else in loading.
"""

from __future__ import annotations

import re
from typing import Final

_PATH: Final = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*"
_DEFAULT: Final = r"\| *default\('[^'\\\n]*'\) *"
_READ: Final = re.compile(rf"\{{\{{ *({_PATH}) *(?:{_DEFAULT})?\}}\}}")
_ONLY_READS: Final = re.compile(
    rf"(?:[^{{]|\{{(?![{{%#])|\{{\{{ *{_PATH} *(?:{_DEFAULT})?\}}\}})*+\Z"
)
_MOST: Final = 30
"""Reads, and names in one: what no compiler finds too much."""


def only_reads(source: str) -> list[tuple[str, ...]] | None:
    """The paths a template reads; None if it does anything but reading and `default('…')`."""
    if not _ONLY_READS.match(source):
        return None
    paths = [tuple(path.split(".")) for path in _READ.findall(source)]
    is_short = len(paths) <= _MOST and all(len(path) <= _MOST for path in paths)
    return paths if is_short else None
