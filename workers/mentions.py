"""Whether JSON holds a text as one of its strings, and JSON without it; JSON within texts too."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from workers.compact import compact
from workers.redaction import REDACTED

_PLAIN: Final = re.compile(r'[^"\\/\x00-\x1f\x7f]+')
"""What JSON holds as it is, or by its number: the rest may be written in more ways."""
_SEPARATORS: Final = b"\\u001f"
"""How claims part their words: the only escape that most documents have."""
_DEEPEST: Final = 8
"""JSON in a text of JSON in a text, and so on, is read this far."""


class Mention:
    """A text to be found in JSON.

    Args:
        text: of a participant's identity.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._plain = text.encode("utf-8", "surrogatepass") if _PLAIN.fullmatch(text) else None
        self._quoted = repr(text)

    def may_be_in(self, raw: bytes) -> bool:
        """Whether JSON need be read at all: quick, and never wrong when it says no."""
        if self._plain is None or self._plain in raw:
            return True
        return b"\\u" in raw.replace(_SEPARATORS, b"")  # any letter may stand as its number

    def is_in(self, value: Any) -> bool:  # noqa: ANN401 - any JSON
        """Whether it is one of the strings of a value, or a field's name."""
        return bool(self.without(value) != value)

    def without(self, value: Any, depth: int = 0) -> Any:  # noqa: ANN401 - any JSON
        """The value with `[redacted]` in its place."""
        if isinstance(value, str):
            return self._of_text(value, depth)
        if isinstance(value, Mapping):
            return {self._of_name(k): self.without(v, depth) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self.without(item, depth) for item in value]
        return value

    def out_of_words(self, words: str | None) -> str | None:
        """Words of ours without it, where they quote it."""
        if words is None or self._quoted[:-1] not in words:
            return words
        return words.replace(self._quoted, repr(REDACTED)).replace(self._quoted[:-1], REDACTED)

    def _of_name(self, name: str) -> str:
        return REDACTED if name == self.text else name

    def _of_text(self, text: str, depth: int) -> str:
        if text == self.text:
            return REDACTED
        if depth == _DEEPEST or not text.lstrip().startswith(("{", "[", '"')):
            return text
        try:
            inside = json.loads(text)
        except (ValueError, RecursionError):
            return text
        new = self.without(inside, depth + 1)
        return text if new == inside else compact(new)
