"""Defaults: what the rules of a file have where they do not say otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules import document
from rules.ladder_fields import LADDER_KEYS
from rules.problems import nearest, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rules.document import Node
    from rules.problems import Report

EACH_ITS_OWN: Final = frozenset({"id", "on", "when", "unless", "if"})


def read_defaults(node: Node, keys: Iterable[str], report: Report) -> document.Mapping | None:
    """A file's `defaults`; None if they are none, which the report tells."""
    if not isinstance(node, document.Mapping):
        report.error(node.mark, "'defaults' takes a mapping of what rules may have")
        return None
    known = [key for key in keys if key not in EACH_ITS_OWN]
    for key, (mark, _) in node.entries.items():
        if key in EACH_ITS_OWN:
            report.error(mark, f"'defaults.{key}': each rule has its own '{key}'")
        elif key not in known:
            told = quoted(f"defaults.{key}")
            report.error(mark, f"unknown field {told}{nearest(key, known, 'defaults')}")
    kept = {key: entry for key, entry in node.entries.items() if key in known}
    return document.Mapping(node.mark, kept)


def with_defaults(rule: document.Mapping, defaults: document.Mapping) -> document.Mapping:
    """A rule with what it does not say itself: key by key, and so within `dispatch`.

    What stands beside one dispatch stands inside the entries of a list of them, and so do its
    defaults.
    """
    entries = {**defaults.entries, **rule.entries}
    if "dispatch" not in entries:
        return document.Mapping(rule.mark, entries)
    mark, own = entries["dispatch"]
    if "dispatch" in rule.entries and "dispatch" in defaults.entries:
        own = _dispatch_with(own, defaults.entries["dispatch"][1])
    if isinstance(own, document.Sequence):
        moved = [key for key in LADDER_KEYS if key in entries and key not in rule.entries]
        inside = {key: entries.pop(key) for key in moved}
        own = _dispatch_with(own, document.Mapping(defaults.mark, inside))
    entries["dispatch"] = (mark, own)
    return document.Mapping(rule.mark, entries)


def _dispatch_with(own: Node, common: Node) -> Node:
    if isinstance(own, document.Sequence):
        return document.Sequence(own.mark, [_dispatch_with(item, common) for item in own.items])
    if isinstance(own, document.Mapping) and isinstance(common, document.Mapping):
        return document.Mapping(own.mark, {**common.entries, **own.entries})
    return own
