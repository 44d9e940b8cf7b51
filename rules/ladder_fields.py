"""Reads a rule's `dispatch`, one or a list of them, with what belongs to each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rules import document
from rules.dispatch_fields import DISPATCH_KEYS, compile_dispatch
from rules.ladder import Ladder
from rules.notify import NOTIFY, Notify, compile_notify
from rules.release import NEVER, compile_release

if TYPE_CHECKING:
    from rules.compiling import Compiling
    from rules.dispatch import Dispatch
    from rules.document import Entries, Node

LADDER_KEYS: Final[tuple[str, ...]] = ("join_within", "fallback", "release")
"""They stand beside `dispatch`, or inside the entries of a list of dispatches."""

MAX_RUNGS: Final = 16
_ID: Final = re.compile(r"[a-z][a-z0-9-]*\Z")


def compile_ladders(rule: Entries, on: tuple[str, ...], compiling: Compiling) -> tuple[Ladder, ...]:
    """Compile `dispatch` of a rule's entries; problems go to the report."""
    node = rule["dispatch"][1]
    if not isinstance(node, document.Sequence):
        beside = {key: entry for key, entry in rule.items() if key in LADDER_KEYS}
        _refuse_inside(node, compiling)
        ladder = _ladder(node, beside, on, compiling, "0", "dispatch")
        return (ladder,) if ladder is not None else ()
    if not node.items:
        compiling.report.error(node.mark, "'dispatch' is an empty list: name an agent")
    for key in LADDER_KEYS:
        if key in rule:
            told = f"'{key}' stands inside the entries of a list of dispatches, not beside it"
            compiling.report.error(rule[key][0], told)
    ladders: dict[str, Ladder] = {}
    for index, item in enumerate(node.items):
        inside: Entries = {}
        if isinstance(item, document.Mapping):
            inside = {key: entry for key, entry in item.entries.items() if key in LADDER_KEYS}
        ladder = _ladder(item, inside, on, compiling, str(index), f"dispatch[{index}]")
        if ladder is None:
            continue
        if ladder.position in ladders:
            told = f"the id '{ladder.position}' is taken by another dispatch of this rule"
            compiling.report.error(item.mark, told)
        ladders[ladder.position] = ladder
    return tuple(ladders.values())


def _refuse_inside(node: Node, compiling: Compiling) -> None:
    if not isinstance(node, document.Mapping):
        return
    for key in LADDER_KEYS:
        if key in node.entries:
            told = f"'{key}' stands beside 'dispatch', not inside it"
            compiling.report.error(node.entries[key][0], told)


def _ladder(
    node: Node,
    entries: Entries,
    on: tuple[str, ...],
    compiling: Compiling,
    position: str,
    path: str,
) -> Ladder | None:
    if not isinstance(node, document.Mapping):
        compiling.report.error(node.mark, "'dispatch' takes a mapping, such as {agent: greeter}")
        return None
    own = {key: entry for key, entry in node.entries.items() if key not in LADDER_KEYS}
    before = len(compiling.templates)
    within = _join_within(entries, compiling)
    first = compile_dispatch(document.Mapping(node.mark, own), compiling, path, within)
    fallback: tuple[Dispatch, ...] = ()
    notify: Notify | None = None
    if "fallback" in entries:
        at = "fallback" if path == "dispatch" else f"{path}.fallback"
        fallback, notify = _fallback(entries["fallback"][1], own, compiling, at, within)
    release = NEVER
    if "release" in entries:
        release = compile_release(entries["release"][1], on, "release", compiling)
    if "id" in own:
        position = _position(own["id"][1], compiling)
    if first is None:
        return None
    reads_presence = any(each.reads_presence for each, _ in compiling.templates[before:])
    return Ladder(first, fallback, notify, release, position, reads_presence)


def _join_within(entries: Entries, compiling: Compiling) -> float | None:
    if "join_within" not in entries:
        return None
    node = entries["join_within"][1]
    seconds = compiling.duration(node, "join_within")
    if seconds == 0:
        compiling.report.error(node.mark, "'join_within' is more than 0: agents take time to join")
    return seconds


def _fallback(
    node: Node, own: Entries, compiling: Compiling, path: str, within: float | None
) -> tuple[tuple[Dispatch, ...], Notify | None]:
    if not isinstance(node, document.Sequence) or not node.items:
        told = (
            "'fallback' takes a list of what differs from 'dispatch', such as [{deployment: \"\"}]"
        )
        compiling.report.error(node.mark, told)
        return (), None
    if len(node.items) > MAX_RUNGS:
        compiling.report.error(node.mark, f"'fallback' has more than {MAX_RUNGS} entries")
        return (), None
    common = {key: entry for key, entry in own.items() if key != "id"}
    rungs: list[Dispatch] = []
    notify: Notify | None = None
    is_endless = within is None
    before = document.plain(document.Mapping(node.mark, common))
    for index, item in enumerate(node.items):
        if not isinstance(item, document.Mapping) or not item.entries:
            told = "a fallback is a mapping of what differs from 'dispatch', such as {agent: b}"
            compiling.report.error(item.mark, told)
            continue
        changed = compiling.known_keys(item, (*RUNG_KEYS, NOTIFY), "fallback")
        if NOTIFY in changed:
            is_last = index == len(node.items) - 1
            at = f"{path}[{index}]"
            notify = compile_notify(changed, compiling, at, is_last=is_last, is_endless=is_endless)
            continue
        rung = {**common, **{key: changed[key] for key in changed if key != "join_within"}}
        asked = document.plain(document.Mapping(item.mark, rung))
        if asked == before:
            told = "this fallback asks for the same as what comes before it"
            compiling.report.warning(item.mark, told)
        before = asked
        own_within = _join_within(changed, compiling)
        is_endless = is_endless or ("join_within" not in changed and within is None)
        compiled = compile_dispatch(
            document.Mapping(item.mark, rung),
            compiling,
            f"{path}[{index}]",
            own_within if own_within is not None else within,
        )
        if compiled is not None:
            rungs.append(compiled)
    return tuple(rungs), notify


def _position(node: Node, compiling: Compiling) -> str:
    value = node.value if isinstance(node, document.Scalar) else None
    if isinstance(value, str) and _ID.match(value):
        return value
    told = "the id of a dispatch begins with a letter, and has lowercase letters, digits and '-'"
    compiling.report.error(node.mark, told)
    return ""


RUNG_KEYS: Final = (*(key for key in DISPATCH_KEYS if key != "id"), "join_within")
