"""Sizes as people write them: `256MB`, `1.5GB`, `512MiB`."""

from __future__ import annotations

import re
from typing import Final

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMGT]?)(i?)B?")
_POWERS: Final = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4}


def parse_size(text: str) -> int:
    """Bytes of a size. `MB` are millions, `MiB` are 1,048,576.

    Raises:
        ValueError: it is not a size, or not a whole number of bytes.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None or (found[3] and not found[2]):
        raise ValueError("it must be a size such as 256MB or 1GiB")
    size = float(found[1]) * (1024 if found[3] else 1000) ** _POWERS[found[2]]
    if not size.is_integer() or not size:
        raise ValueError("it must be a whole number of bytes, and more than none")
    return int(size)
