"""An event as somebody edits it: what the rules in force would make of it, and a test of that."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ruamel.yaml import YAML

from rules.decision import Outcome, Reason
from rules.event import Event, EventName, read_event
from rules.problems import nearest
from rules.replay import Replay
from rules.session import Session
from service.json_limits import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rules.decision import Decision, Plan
    from rules.ruleset import Ruleset
    from workers.redacting import Redaction

_MOST_CHARACTERS: Final = 512 * 1024
_BREAKS: Final = re.compile("[\x85\u2028\u2029]")
"""Line breaks to some readers of YAML: they are not written as they are."""
_NOT_IN_TESTS: Final = ("created_at", "id")


class NotAnEvent(ValueError):
    """It cannot be explained; the text says why."""


def read(text: str) -> tuple[Event, Mapping[str, Any]]:
    """An event as somebody has written it, and the JSON it is.

    Raises:
        NotAnEvent: it is none.
    """
    if len(text) > _MOST_CHARACTERS:
        raise NotAnEvent("It is too long to be a webhook.")
    try:
        body = read_json(text)
    except ValueError as error:
        raise NotAnEvent(f"It cannot be read: {error}.") from None
    if not isinstance(body, dict):
        raise NotAnEvent("An event is a JSON object, such as the payload above.")
    try:
        event = read_event(body, fallback_id="tried")
        datetime.fromtimestamp(event.at, UTC)
    except (ValueError, RecursionError, OverflowError, OSError) as error:
        raise NotAnEvent(f"It is not an event: {error}.") from None
    if event.name not in set(EventName):
        hint = nearest(event.name, map(str, EventName))
        raise NotAnEvent(f"There is no event “{event.name}”{hint}.")
    if not event.at:
        event = replace(event, at=datetime.now(UTC).timestamp())
    return event, body


def told(decisions: Sequence[Decision], event: Event, redaction: Redaction) -> list[dict[str, Any]]:
    """Decisions on an event as history shows them, each with what would be dispatched."""
    return [
        {"rule": d.rule, "outcome": d.outcome.value, "reason": d.reason.value, "at": d.at,
         "detail": d.detail, "dispatches": [],
         "plans": [redaction.dispatch(_plan(plan)) for plan in d.plans]}
        for d in redaction.decisions(event.to_json(), decisions)
        if d.reason not in (Reason.EVENT_TYPE, Reason.DISABLED)
    ]  # fmt: skip


def rule_test(event: Event, body: Mapping[str, Any], ruleset: Ruleset) -> str:
    """A `*.test.yaml` that expects of this event what the rules make of it now, by themselves."""
    replay = Replay(ruleset)
    replay.knows(event.room_name, Session(event.room_sid))
    decisions = replay.play(event).decisions
    told = {name: v for name, v in body.items() if name not in _NOT_IN_TESTS}
    when = datetime.fromtimestamp(event.at, UTC).isoformat(timespec="milliseconds")
    room = event.room_name or "no room"
    expected = [
        {"rule": d.rule, **_plan(plan)}
        for d in decisions
        if d.outcome is Outcome.DISPATCH
        for plan in d.plans
    ]
    document = {
        "rules": [Path(file.path).name for file in ruleset.files],
        "tests": [{
            "name": f"{event.name} in {room}",
            "at": when.replace("+00:00", "Z"),
            "event": told,
            "expect": [{k: v for k, v in each.items() if v not in ("", {})} for each in expected],
        }],
    }  # fmt: skip
    text = _yaml(document, readable=True)
    if _BREAKS.search(text):
        text = _yaml(document, readable=False)
    return f"# Put this beside the rules and run: dispatcher rules test\n{text}"


def _yaml(document: Mapping[str, Any], *, readable: bool) -> str:
    """A document as YAML; all but ASCII escaped unless it is to be `readable`."""
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # its default is None
    yaml.allow_unicode = readable
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "agent": plan.agent,
        "deployment": plan.deployment,
        "metadata": plan.metadata,
        "attributes": dict(plan.attributes),
    }
