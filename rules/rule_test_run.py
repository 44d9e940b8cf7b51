"""Runs rule tests, and tells how what came differs from what was expected."""

from __future__ import annotations

import json
import re
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rules.decision import Reason
from rules.metadata import json_object
from rules.problems import quoted
from rules.replay import Replay, Sent
from rules.storyline import read_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rules.decision import Decision
    from rules.rule_tests import RuleTest
    from rules.ruleset import Ruleset

_WORD: Final = re.compile(r"[A-Za-z_][\w.*/-]*( [\w.*/-]+)*\Z")
_NO_WORDS: Final = ("true", "false", "null")
"""What is no text in YAML unless it is quoted."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a test; it passed if nothing differs."""

    test: RuleTest
    differences: tuple[str, ...] = ()
    """Lines: `-` before what was expected, `+` before what came, indented below why."""

    @property
    def passed(self) -> bool:
        """Whether all came as expected."""
        return not self.differences


class _Last(NamedTuple):
    """What a rule decided last, and when."""

    decision: Decision
    at: float


def run_test(ruleset: Ruleset, test: RuleTest) -> Result:
    """Run one test."""
    replay = Replay(ruleset)
    last: dict[str, _Last] = {}
    for event in test.events:
        for decision in replay.play(event).decisions:
            # What is about other events tells nothing once a rule was about one.
            if decision.reason is not Reason.EVENT_TYPE or decision.rule not in last:
                last[decision.rule] = _Last(decision, event.at)
    replay.run_out()
    came = [sent for sent in replay.sent if sent.was_sent]
    missing, surplus = _unmatched(test.expect, came) if test.expect is not None else ([], [])
    lines: list[str] = []
    for expected in missing:
        nearest = _nearest(expected, surplus)
        if nearest is None:
            lines += [f"- {_shown(expected)}", *_why_not(expected, last, replay.sent)]
            continue
        surplus.remove(nearest)
        lines += _compared(expected, nearest)
    lines += [f"+ {_shown(told(sent))}" for sent in surplus]
    lines += _reasons(test, ruleset, last, replay.sent)
    return Result(test, tuple(lines))


def told(sent: Sent) -> dict[str, Any]:
    """A dispatch as tests and differences tell it; what is empty is left out."""
    plan = sent.plan
    every = {
        "rule": plan.rule,
        "room": sent.event.room_name,
        "agent": plan.agent,
        "deployment": plan.deployment,
        "metadata": readable(plan.metadata),
        "attributes": dict(plan.attributes),
    }
    return {key: value for key, value in every.items() if value}


def _unmatched(
    expect: Sequence[Mapping[str, Any]], came: Sequence[Sent]
) -> tuple[list[Mapping[str, Any]], list[Sent]]:
    """What is left over when as many as possible are paired: each with one that it fits."""
    fits = [[n for n, sent in enumerate(came) if _fits(wanted, sent)] for wanted in expect]
    pairs = _Pairs(fits)
    missing = [each for wanted, each in enumerate(expect) if not pairs.find(wanted)]
    return missing, [sent for n, sent in enumerate(came) if n not in pairs.taken]


class _Pairs:
    """Pairs what was expected with what came, and pairs others anew where that makes room."""

    def __init__(self, fits: Sequence[Sequence[int]]) -> None:
        self._fits = fits
        self._held: dict[int, int] = {}
        self._dead: set[int] = set()
        """From these nothing free is reached any more."""
        self.taken: dict[int, int] = {}
        """Of what came, and what was expected that holds it."""

    def find(self, wanted: int) -> bool:
        """Find a partner for what was expected."""
        reached: dict[int, int] = {}
        asking = deque([wanted])
        while asking:
            one = asking.popleft()
            for n in self._fits[one]:
                if n in reached or n in self._dead:
                    continue
                reached[n] = one
                if n not in self.taken:
                    self._move(n, reached)
                    return True
                asking.append(self.taken[n])
        self._dead |= reached.keys()
        return False

    def _move(self, free: int, reached: Mapping[int, int]) -> None:
        """Let each on the way take the next: what it held until then is for the one before it."""
        at: int | None = free
        while at is not None:
            one = reached[at]
            before = self._held.get(one)
            self._held[one], self.taken[at] = at, one
            at = before


def _fits(expected: Mapping[str, Any], sent: Sent) -> bool:
    return all(_is_as_wanted(key, wanted, sent)[0] for key, wanted in expected.items())


def _differing(expected: Mapping[str, Any], sent: Sent) -> dict[str, tuple[Any, Any]]:
    """What was expected and what came, where they differ."""
    found: dict[str, tuple[Any, Any]] = {}
    for key, wanted in expected.items():
        holds, value = _is_as_wanted(key, wanted, sent)
        if not holds:
            found[key] = (wanted, value)
    return found


def _is_as_wanted(key: str, wanted: Any, sent: Sent) -> tuple[bool, Any]:  # noqa: ANN401 - any JSON
    value = _field(sent, key)
    if key == "metadata" and not isinstance(wanted, str):
        value = json.loads(value) if _is_json(value) else value
    return _holds(key, wanted, value), value


def _holds(key: str, wanted: Any, value: Any) -> bool:  # noqa: ANN401 - any JSON
    if key == "at":
        return bool(abs(read_time(wanted) - value) < 0.001)  # noqa: PLR2004 - a millisecond
    return _contains(wanted, value)


def _contains(wanted: Any, value: Any) -> bool:  # noqa: ANN401 - any JSON
    """Whether a value is what is wanted; of mappings, whether it has that at least."""
    if isinstance(wanted, dict) and isinstance(value, dict):
        return all(key in value and _contains(item, value[key]) for key, item in wanted.items())
    if isinstance(wanted, list) and isinstance(value, list):
        alike = zip(wanted, value, strict=False)
        return len(wanted) == len(value) and all(_contains(*pair) for pair in alike)
    if isinstance(wanted, bool) or isinstance(value, bool):
        return wanted is value
    return bool(wanted == value)


def _field(sent: Sent, key: str) -> Any:  # noqa: ANN401 - any JSON
    match key:
        case "room":
            return sent.event.room_name
        case "subject":
            return sent.plan.claim.subject
        case "at":
            return sent.at
        case "attributes":
            return dict(sent.plan.attributes)
        case "notify":
            notice = sent.plan.notice
            return notice and {"message": notice.message, "data": json_object(notice.data)}
        case _:
            value = getattr(sent.plan, key)
            return value.value if hasattr(value, "value") else value


def _nearest(expected: Mapping[str, Any], surplus: Sequence[Sent]) -> Sent | None:
    """The dispatch that was most likely meant: of the same rule, or else of the same agent."""
    alike = [
        sent
        for sent in surplus
        if expected.get("rule", sent.plan.rule) == sent.plan.rule
        or expected.get("agent") == sent.plan.agent
    ]
    return min(alike, key=lambda sent: len(_differing(expected, sent)), default=None)


def _compared(expected: Mapping[str, Any], sent: Sent) -> list[str]:
    differing = _differing(expected, sent)
    about = {"rule": sent.plan.rule, "agent": sent.plan.agent}
    same = {key: value for key, value in about.items() if key not in differing}
    lines = [f"  {_shown(same)}"] if same else []
    for key, (wanted, value) in differing.items():
        came = _time(value) if key == "at" else value
        lines += [f"- {key}: {_shown(wanted)}", f"+ {key}: {_shown(came)}"]
    return lines


def _why_not(
    expected: Mapping[str, Any], last: Mapping[str, _Last], sent: Sequence[Sent]
) -> list[str]:
    rule = expected.get("rule")
    if rule is None:
        return []
    found = last.get(str(rule))
    if found is None:
        return [f"    there is no rule {quoted(rule)}"]
    reason, at, detail = _reason(found, sent)
    return [f"    {': '.join(filter(None, (reason, at, detail)))}"]


def _reason(last: _Last, sent: Sequence[Sent]) -> tuple[str, str | None, str | None]:
    """What a rule came to at last: of its decision, or of a dispatch that waited in vain."""
    decision = last.decision
    waited = next((s for s in reversed(sent) if s.plan.rule == decision.rule), None)
    if waited is not None and waited.refusal is not None and waited.at >= last.at:
        return waited.refusal.reason.value, waited.refusal.at, waited.refusal.detail
    return decision.reason.value, decision.at, decision.detail


def _reasons(
    test: RuleTest, ruleset: Ruleset, last: Mapping[str, _Last], sent: Sequence[Sent]
) -> list[str]:
    lines: list[str] = []
    known = {rule.id for rule in ruleset.rules}
    for rule, wanted in test.reasons.items():
        if rule not in known:
            lines.append(f"    there is no rule {quoted(rule)}")
        elif rule in last:
            reason, at, detail = _reason(last[rule], sent)
            if reason != wanted:
                lines += [f"- {rule}: {wanted}", f"+ {rule}: {reason}"]
                lines += [f"    {': '.join(filter(None, (at, detail)))}"] if at or detail else []
    return lines


def _time(at: float) -> str:
    """A time as tests write it."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def readable(metadata: str) -> Any:  # noqa: ANN401 - any JSON
    """Metadata as the JSON object it holds, or else as the text it is."""
    return json_object(metadata) or metadata


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _shown(value: Any) -> str:  # noqa: ANN401 - any JSON
    """A value as it is written in a test."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    is_word = isinstance(value, str) and _WORD.match(value) and value.lower() not in _NO_WORDS
    return value if is_word else json.dumps(value, ensure_ascii=False)
