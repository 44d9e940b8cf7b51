"""An event as somebody edits it: what the rules in force would make of it, and a test of that."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ruamel.yaml import YAML

from rules.decision import Outcome, Provider, Reason
from rules.event import Event, EventName, read_event
from rules.problems import nearest
from rules.replay import Replay
from rules.session import Session
from workers import keys
from workers.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    import redis

    from rules.decision import Decision, Plan
    from rules.ruleset import Ruleset

_MOST_CHARACTERS: Final = 512 * 1024
_NOT_IN_TESTS: Final = ("created_at", "id")


class NotAnEvent(ValueError):
    """It cannot be explained; the text says why."""


@dataclass(frozen=True, slots=True)
class Tried:
    """An event, and what every rule says of it now. Nothing was dispatched."""

    event: Event
    body: Mapping[str, Any]
    decisions: tuple[Decision, ...]

    @property
    def decided(self) -> list[dict[str, Any]]:
        """As history shows decisions, each with the plans it would carry out."""
        return [
            {"rule": d.rule, "outcome": d.outcome.value, "reason": d.reason.value, "at": d.at,
             "detail": d.detail, "dispatches": [], "plans": [_plan(plan) for plan in d.plans]}
            for d in self.decisions
            if d.reason not in (Reason.EVENT_TYPE, Reason.DISABLED)
        ]  # fmt: skip


def tried(text: str, ruleset: Ruleset, redis: redis.Redis, server_id: str | None) -> Tried:
    """Explain an event.

    Args:
        text: its JSON.
        ruleset: by these rules.
        redis: where rooms are known.
        server_id: of the server on which its room is as it is known now; None: as if nothing had
            come before it.

    Raises:
        NotAnEvent: it is none.
        RedisError: Redis could not be reached.
    """
    event, body = _read(text)
    replay = Replay(ruleset, providers=frozenset({Provider.LIVEKIT}))
    live: Mapping[str, str] = {}
    if server_id is not None:
        key = keys.ROOM + keys.room_key(server_id, event.room_name)
        record = _record(redis.hget(key, "record"))
        if record.session is not None and record.session.sid == event.room_sid:
            replay.knows(event.room_name, record.session)
            live = record.live_claims
    else:
        replay.knows(event.room_name, Session(event.room_sid))
    played = replay.play(event, live)
    return Tried(played.event, body, tuple(played.decisions))


def rule_test(outcome: Tried, ruleset: Ruleset) -> str:
    """A `*.test.yaml` that expects of this event what the rules make of it now."""
    event = outcome.event
    told = {name: v for name, v in outcome.body.items() if name not in _NOT_IN_TESTS}
    when = datetime.fromtimestamp(event.at, UTC).isoformat(timespec="milliseconds")
    room = event.room_name or "no room"
    expected = [
        {"rule": d.rule, **_plan(plan)}
        for d in outcome.decisions
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
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # its default is None
    yaml.allow_unicode = True
    out = io.StringIO()
    yaml.dump(document, out)
    return f"# Put this beside the rules and run: dispatcher rules test\n{out.getvalue()}"


def _read(text: str) -> tuple[Event, Mapping[str, Any]]:
    if len(text) > _MOST_CHARACTERS:
        raise NotAnEvent("It is too long to be a webhook.")
    try:
        body = json.loads(text)
    except ValueError as error:
        raise NotAnEvent(f"It is not JSON: {error}.") from None
    except RecursionError:
        raise NotAnEvent("It is nested too deeply.") from None
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


def _record(text: bytes | str | None) -> Record:
    try:
        return Record.from_json(text or b"")
    except (ValueError, LookupError, TypeError):  # another version's
        return Record()


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "agent": plan.agent,
        "deployment": plan.deployment,
        "metadata": plan.metadata,
        "attributes": dict(plan.attributes),
    }
