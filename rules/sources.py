"""Whose events a rule reads, and whether it says what it must of VideoSDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules.decision import Provider
from rules.dispatch import PRODUCTION
from rules.document import Mapping, Scalar, Sequence
from rules.event import VIDEOSDK
from rules.limits import no_attributes, no_deployments, no_versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rules.agents_are import AgentsAre
    from rules.compiling import Compiling
    from rules.dispatch import Dispatch
    from rules.document import Entries, Node
    from rules.ladder import Ladder

EVERY: Final = frozenset(str(provider) for provider in Provider)


def _sources(when: Node | None, agents_are: AgentsAre) -> frozenset[str]:
    """Whose events can fulfil a rule.

    VideoSDK's only if the rule says who is an agent there.
    """
    named = _named(when)
    return (named if named is not None else EVERY) - (set() if agents_are else {VIDEOSDK})


def need_what_videosdk_does_not_tell(
    entries: Entries, agents_are: AgentsAre, ladders: Iterable[Ladder], compiling: Compiling
) -> None:
    """Refuse a rule that leaves open who is an agent, or which room it sends an agent to."""
    report = compiling.report
    when = entries["when"][1] if "when" in entries else None
    named = _named(when)
    if not agents_are and named == frozenset({VIDEOSDK}):
        told = (
            "VideoSDK does not tell who is an agent: say it in 'agents_are', such as"
            " {identity: 'agent-*'}"
        )
        report.error(entries["when"][1].mark, told)
    read = _sources(when, agents_are)
    for ladder in ladders:
        for rung in (ladder.first, *ladder.fallback):
            _rung(rung, read, agents_are, entries, compiling)


def _rung(
    rung: Dispatch,
    read: frozenset[str],
    agents_are: AgentsAre,
    entries: Entries,
    compiling: Compiling,
) -> None:
    mark = entries["dispatch"][1].mark
    whose = {str(rung.provider)} if rung.provider is not None else read
    if rung.provider is None and len(whose) == 1:  # where it stands, it was checked already
        for key, fault in _unsupported(rung, Provider(*whose)):
            compiling.report.error(mark, f"'{rung.path}.{key}': {fault}")
    if rung.provider is Provider.VIDEOSDK and not agents_are:
        told = (
            f"'{rung.path}.provider: videosdk': VideoSDK does not tell who is an agent: say how"
            " yours are called in 'agents_are', such as {identity: 'agent-*'}"
        )
        compiling.report.error(mark, told)
        return
    if rung.provider is None or rung.room is not None:
        return
    foreign = sorted(read - {rung.provider})
    if foreign:
        told = (
            f"'{rung.path}' sends an agent of {rung.provider} on an event of {foreign[0]}: say"
            " into which room by 'room', such as '{{ room.name }}'; or take events of"
            f" {rung.provider} only, by 'when: {{source: {rung.provider}}}'"
        )
        compiling.report.error(mark, told)


def _unsupported(rung: Dispatch, provider: Provider) -> Iterator[tuple[str, str]]:
    """What a rung asks for that its provider does not have."""
    for key, is_asked, fault in (
        ("deployment", rung.deployment != PRODUCTION, no_deployments(provider)),
        ("version", rung.version != PRODUCTION, no_versions(provider)),
        ("attributes", bool(rung.attributes), no_attributes(provider)),
    ):
        if is_asked and fault is not None:
            yield key, fault


def _named(when: Node | None) -> frozenset[str] | None:
    """The sources that `when` names to the letter; None if it names none."""
    if not isinstance(when, Mapping) or "source" not in when.entries:
        return None
    return _literals(when.entries["source"][1])


def _literals(node: Node) -> frozenset[str] | None:
    if isinstance(node, Scalar):
        return frozenset({node.value}) if node.value in EVERY else None
    if isinstance(node, Sequence):
        each = [_literals(item) for item in node.items]
        found = [one for one in each if one is not None]
        return frozenset().union(*found) if len(found) == len(each) else None
    for operator in ("equals", "in"):
        if operator in node.entries:
            return _literals(node.entries[operator][1])
    return None
