"""A YAML text as events of a parser: a fast one's where both read the same, else an exact one's.

libyaml is written in C and some forty times as fast as ruamel.yaml's parser, which is Python. But
it reads YAML 1.1, and ruamel.yaml 1.2. Compared on millions of texts, they read alike but for a few
things that a text or an event shows: where libyaml meets one of those, or cannot go on, ruamel.yaml
reads the text and has the last word. So libyaml alone never refuses a text.

What YAML 1.2 allows and ruamel.yaml refuses is read by libyaml: a tab between words or at the end
of a line, a blank line at the start of a text of several lines, and `['':]`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml
from ruamel.yaml import YAML
from ruamel.yaml import events as exact
from ruamel.yaml.error import MarkedYAMLError, YAMLError

if TYPE_CHECKING:
    from collections.abc import Iterator

ALIAS: Final = (yaml.AliasEvent, exact.AliasEvent)
SCALAR: Final = (yaml.ScalarEvent, exact.ScalarEvent)
MAPPING_START: Final = (yaml.MappingStartEvent, exact.MappingStartEvent)
MAPPING_END: Final = (yaml.MappingEndEvent, exact.MappingEndEvent)
SEQUENCE_END: Final = (yaml.SequenceEndEvent, exact.SequenceEndEvent)
DOCUMENT_START: Final = (yaml.DocumentStartEvent, exact.DocumentStartEvent)

_LIBYAML: Final[Any] = getattr(yaml, "CBaseLoader", None)
"""Absent where PyYAML was built without it."""

_RARE: Final = re.compile("\ufeff|\r(?!\n)|^(?:%|\\.\\.\\.)", re.MULTILINE)
"""A lone carriage return, the byte order mark, directives, and ends of documents."""

_NAME: Final = re.compile(r"(?:[*&][A-Za-z0-9_-]+|!!(?:str|int|float|bool|null))(?=[ \n\r,\]}]|\Z)")
"""An alias, an anchor or a tag, with nothing behind it that might belong to its name."""

_BLOCK: Final = re.compile(r"(?:[&!]\S+[ \r\n]+)?[|>][-+0-9]{0,2} *(?: #[^\r\n]*)?(?:\r?\n|\Z)")
"""How a text of several lines begins."""

_ITEM: Final = re.compile(r" *- +")


_IN_RULES: Final = [("mapping", False), ("list", False)]
"""What is around a rule, and whether in flow style."""


class Unlike(Exception):
    """The fast parser might read this otherwise than the exact one, or not at all."""


def fast_events(text: str) -> Iterator[Any]:
    """Events of libyaml; those before an exception are as the exact parser has them.

    Raises:
        Unlike: the exact parser has to read this.
        YAMLError: it is not YAML; the exact parser's error.
    """
    if _LIBYAML is None or _RARE.search(text):
        raise Unlike
    try:
        yield from _checked(text)
    except yaml.MarkedYAMLError as refused:
        _refuse(text, refused)
        raise Unlike from None
    except (yaml.YAMLError, UnicodeEncodeError):
        raise Unlike from None


def exact_events(text: str) -> Iterator[Any]:
    """Events of ruamel.yaml.

    Raises:
        YAMLError: it is not YAML.
    """
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except YAMLError:
        raise
    except Exception as error:  # it fails on odd text in ways of its own
        raise YAMLError(f"{type(error).__name__}: {error}"[:200]) from error


def _checked(text: str) -> Iterator[Any]:
    at_root = True
    for event in _libyaml_events(text):
        if isinstance(event, yaml.NodeEvent):
            if at_root and not isinstance(event, yaml.CollectionStartEvent):
                raise Unlike
            at_root = False
            if not _is_read_alike(event, text):
                raise Unlike
        yield event


def _is_read_alike(event: Any, text: str) -> bool:  # noqa: ANN401 - PyYAML's types know less
    start: int = event.start_mark.index
    is_tagged = not isinstance(event, yaml.AliasEvent) and event.tag is not None
    if is_tagged and event.anchor is not None:
        return False
    if (is_tagged or event.anchor is not None) and not _NAME.match(text, start):
        return False
    is_block = isinstance(event, yaml.ScalarEvent) and event.style in ("|", ">")
    return not is_block or _BLOCK.match(text, start) is not None


def _refuse(text: str, refused: yaml.MarkedYAMLError) -> None:
    """Raise the exact parser's error, if it refuses a text where libyaml did, or before."""
    try:
        for _ in exact_events(_near_the_mistake(text)):
            pass
    except MarkedYAMLError as error:
        at = error.problem_mark
        if at and refused.problem_mark and at.line <= refused.problem_mark.line:
            raise


def _near_the_mistake(text: str) -> str:
    """The text without its rules, but for the last two that libyaml came to; they keep their lines.

    The exact parser finds the same mistake in it, at the same place, and in a large file within
    moments instead of many seconds. Nothing, if it has no list of rules.
    """
    before, last = 0, 0
    outer: list[tuple[str, bool]] = []
    try:
        for event in _libyaml_events(text):
            if outer == _IN_RULES and not isinstance(event, yaml.SequenceEndEvent):
                start: Any = event.start_mark
                begin = start.index - start.column
                if _ITEM.fullmatch(text, begin, start.index):
                    before, last = last, begin
            if isinstance(event, yaml.CollectionStartEvent):
                kind = "list" if isinstance(event, yaml.SequenceStartEvent) else "mapping"
                outer.append((kind, bool(event.flow_style)))
            elif isinstance(event, yaml.CollectionEndEvent):
                outer.pop()
    except yaml.YAMLError:
        pass
    return "rules:" + "\n" * text.count("\n", 0, before) + text[before:] if before else ""


def _libyaml_events(text: str) -> Iterator[Any]:
    return yaml.parse(text, Loader=_LIBYAML)
