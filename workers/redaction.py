"""What must not be kept or shown: paths of `DISPATCHER_REDACT`, and JSON without what they name.

Rules decide on true values. So it is done where something is written for people, never before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rules.metadata import json_object
from rules.names import (
    ATTRIBUTES,
    EGRESS_INFO,
    INGRESS_INFO,
    METADATA,
    PARTICIPANT,
    ROOM,
    TRACK,
    Kind,
    Name,
)
from rules.problems import nearest, quoted
from workers.compact import compact

REDACTED: Final = "[redacted]"
DISPATCH: Final = "dispatch"
_ROOTS: Final[Mapping[str, Name]] = {
    "room": ROOM,
    "participant": PARTICIPANT,
    "track": TRACK,
    "egress_info": EGRESS_INFO,
    "ingress_info": INGRESS_INFO,
    DISPATCH: Name(Kind.GROUP, {"metadata": METADATA, "attributes": ATTRIBUTES}),
}
_KNOWN_BY: Final = re.compile(r"sid|identity|room_name|egress_id|ingress_id|room_id")
"""Fields by which rooms and dispatches are told apart; `name` is one of a room's."""
_FREE: Final = frozenset({Kind.TEXT, Kind.METADATA, Kind.ATTRIBUTES, Kind.JSON})
_BETWEEN: Final = re.compile(r"[,\n]")
_COMBINES: Final = re.compile(r"(any|all)(\[[0-9]+\])?|not")


@dataclass(frozen=True, slots=True)
class RedactPath:
    """One path: `participant.attributes.sip.*`."""

    text: str
    root: str
    field: str
    rest: tuple[str, ...] = ()
    """The words behind the field; a last letter `*` stands for whatever follows."""

    @property
    def kind(self) -> Kind:
        """What sort of value its field is."""
        return _ROOTS[self.root].fields[self.field].kind


def parse_redactions(text: object) -> object:
    """Read paths with commas or line ends between them.

    Raises:
        ValueError: one of them names nothing that can be redacted.
    """
    if not isinstance(text, str):
        return text
    words = (word.strip() for word in _BETWEEN.split(text))
    return tuple(dict.fromkeys(_path(word) for word in words if word))


def without(part: Mapping[str, Any], path: RedactPath, taken: list[str]) -> Mapping[str, Any]:
    """A part of an event, or a dispatch, without what a path names; the same one if it has none.

    Args:
        part: such as an event's `participant`.
        path: a path below that.
        taken: takes the texts that were there.
    """
    value = part.get(path.field)
    if value in (None, "", REDACTED):
        return part
    if path.kind is Kind.ATTRIBUTES and isinstance(value, Mapping):
        new: Any = _attributes(value, ".".join(path.rest), taken)
    elif path.kind is Kind.METADATA and path.rest and isinstance(value, str):
        new = _metadata(value, path.rest, taken)
    else:
        new = _below(value, path.rest, taken)
    return part if new == value else {**part, path.field: new}


def touches(path: RedactPath, at: str) -> bool:
    """Whether a condition at this place of a rule, such as `when.room.metadata.lang`, reads what a
    path names, or something that holds it.
    """
    _, *words = at.split(".")
    asked = [word for word in words if not _COMBINES.fullmatch(word)]
    named = [path.root, path.field, *(w for w in path.rest if not _COMBINES.fullmatch(w))]
    if asked and asked[0] == "participants":
        asked[0] = "participant"
    return bool(asked) and all(_is_meant(n, a) for n, a in zip(named, asked, strict=False))


def _attributes(given: Mapping[str, Any], wanted: str, taken: list[str]) -> dict[str, Any]:
    return {
        key: _blank(value, taken) if not wanted or _is_meant(wanted, key) else value
        for key, value in given.items()
    }


def _metadata(text: str, words: tuple[str, ...], taken: list[str]) -> str:
    """Metadata without some fields. Text that is no JSON object goes whole: who knows what of it
    was meant.
    """
    fields = json_object(text)
    if not fields:
        return text if not text.strip(" \t\r\n{}") else str(_blank(text, taken))
    try:
        new = _below(fields, words, taken)
        kept = text if new == fields else compact(new)
    except RecursionError:  # it is nested more deeply than anybody means
        return str(_blank(text, taken))
    if kept != text:
        taken.append(text)
    return kept


def _below(value: Any, words: tuple[str, ...], taken: list[str]) -> Any:  # noqa: ANN401 - any JSON
    """JSON without what stands under these words; a field's name may hold dots itself."""
    if not words:
        return _blank(value, taken)
    if isinstance(value, list):
        return [_below(item, words, taken) for item in value]
    if not isinstance(value, Mapping):  # all that stands there is meant, whatever it is
        return _blank(value, taken) if words == ("*",) else value
    new = dict(value)
    for key in value:
        for count in range(1, len(words) + 1):
            if _is_meant(".".join(words[:count]), key):
                new[key] = _below(new[key], words[count:], taken)
    return new


def _blank(value: Any, taken: list[str]) -> Any:  # noqa: ANN401 - any JSON
    """The shape of a value, with nothing in it."""
    if isinstance(value, Mapping):
        return {key: _blank(item, taken) for key, item in value.items()}
    if isinstance(value, list):
        return [_blank(item, taken) for item in value]
    if value in (None, "", REDACTED):
        return value
    if not isinstance(value, bool):
        taken.append(str(value))
    return REDACTED


def _is_meant(wanted: str, key: str) -> bool:
    return key.startswith(wanted[:-1]) if wanted.endswith("*") else key == wanted


def _path(word: str) -> RedactPath:
    """Read a path.

    Raises:
        ValueError: it names nothing that can be redacted.
    """
    root, _, behind = word.partition(".")
    if root not in _ROOTS:
        known = ", ".join(_ROOTS)
        raise ValueError(f"{quoted(word)}: a path begins with one of {known}{_meant(root)}")
    field, dot, deeper = behind.partition(".")
    name = _ROOTS[root].fields.get(field)
    if name is None:
        hint = nearest(field, _ROOTS[root].fields, root)
        raise ValueError(f"{quoted(word)} names no field of '{root}'{hint}")
    if _KNOWN_BY.fullmatch(field) or (root, field) == ("room", "name"):
        raise ValueError(
            f"{quoted(word)} cannot be redacted: rooms and dispatches are told apart by it;"
            " `dispatcher forget` removes somebody from history"
        )
    if name.kind not in _FREE or name.constants:
        raise ValueError(f"{quoted(word)} cannot be redacted: it is no text of anybody's own")
    rest = tuple(deeper.split(".")) if dot else ()
    if not all(rest) or any("*" in part[:-1] for part in rest):
        raise ValueError(f"{quoted(word)}: a '*' stands at the end of a name, between dots is one")
    if rest and name.kind is Kind.TEXT:
        raise ValueError(f"{quoted(word)}: '{root}.{field}' is text and has no fields")
    return RedactPath(word, root, field, rest)


def _meant(root: str) -> str:
    return nearest(root, _ROOTS)
