"""Rules of many tenants, and events to decide by them: what is measured and what is compared.

A rule asks five things; its rooms it names to the letter or by how they begin. The same is written
for the engines it is compared with.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rules.event import read_event
from rules.files import RuleFile
from rules.loader import load_files

if TYPE_CHECKING:
    from rules.event import Event
    from rules.ruleset import Ruleset

LANGUAGES = ("es", "ca", "gl")
PLANS = ("pro", "team")
SEATS = 2


@dataclass(frozen=True)
class Tenant:
    """One rule, whatever it is written in."""

    number: int

    @property
    def rule(self) -> str:
        """The id of its rule."""
        return f"tenant-{self.number}"

    @property
    def by_prefix(self) -> bool:
        """Whether it names its rooms by how they begin; else it has one room."""
        return self.number % 2 == 1

    @property
    def room(self) -> str:
        """The name of its room, or what its rooms begin with."""
        return f"tenant-{self.number}-" if self.by_prefix else f"tenant-{self.number}"

    @property
    def yaml(self) -> str:
        """Its rule in our language."""
        name = f"{self.room}*" if self.by_prefix else self.room
        return f"""
  - id: {self.rule}
    on: participant_joined
    when:
      room:
        name: "{name}"
        max_participants: {{gte: {SEATS}}}
        metadata: {{lang: [{", ".join(LANGUAGES)}]}}
      participant:
        kind: STANDARD
        attributes: {{plan: [{", ".join(PLANS)}]}}
    dispatch: {{agent: greeter}}"""


def tenants(count: int) -> list[Tenant]:
    """The first tenants."""
    return [Tenant(number) for number in range(count)]


def rules_of(many: list[Tenant]) -> RuleFile:
    """Their rule file."""
    return RuleFile("rules.yaml", "version: 1\nrules:" + "".join(each.yaml for each in many))


def loaded(count: int) -> Ruleset:
    """Rules of so many tenants."""
    return load_files([rules_of(tenants(count))])


def bodies() -> list[dict[str, Any]]:
    """Webhooks' JSON: rooms of the first ten tenants and of nobody, callers of all sorts."""
    rooms = ("tenant-7-a", "tenant-6", "tenant-1-b", "tenant-4", "elsewhere-9", "tenant-9")
    callers = (
        ({"lang": "es"}, "STANDARD", {"plan": "pro"}),
        ({"lang": "en"}, "STANDARD", {"plan": "pro"}),
        ({"lang": "gl"}, "SIP", {"plan": "team"}),
        ({"lang": "ca"}, "STANDARD", {"plan": "free"}),
        ({}, "STANDARD", {"plan": "team"}),
        ({"lang": "ca"}, "STANDARD", {}),
    )
    return [
        {
            "event": "participant_joined",
            "id": f"EV_{room}_{number}",
            "createdAt": "1770000000",
            "room": {
                "sid": f"RM_{room}",
                "name": room,
                "maxParticipants": 8 if number else 2,
                "metadata": json.dumps(metadata),
            },
            "participant": {
                "sid": f"PA_{number}",
                "identity": f"caller-{number}",
                "kind": kind,
                "attributes": attributes,
            },
        }
        for room in rooms
        for number, (metadata, kind, attributes) in enumerate(callers)
    ]


def events() -> list[Event]:
    """The same, read."""
    return [read_event(body, project="devkey") for body in bodies()]
