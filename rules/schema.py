"""The JSON Schema of a rule file, by which editors complete and check it while it is written.

It is made of what the loader knows, and never refuses what the loader takes, but for mistakes in
defaults that no rule takes, which the loader does not read. The loader checks more. Draft 7 is what
yaml-language-server knows best; `errorMessage` and `doNotSuggest` are its own, and mean nothing
elsewhere.
"""

from __future__ import annotations

from typing import Any, Final

from rules.decision import Again, Once
from rules.defaults import EACH_ITS_OWN
from rules.event import EventName
from rules.ladder_fields import LADDER_KEYS
from rules.loader import VERSION
from rules.schedule_checks import DAYS
from rules.schema_conditions import Schema, condition_definitions
from rules.schema_dispatch import (
    ID,
    ID_TOLD,
    LADDER,
    dispatch_definitions,
    named,
    one_or_list,
    said,
    word,
)

_DAY: Final = "|".join(DAYS)
_DATE: Final = "[0-9]{4}-?[0-9]{2}-?[0-9]{2}|[0-9]{4}-?W[0-9]{2}(-?[0-9])?"


def schema() -> dict[str, Any]:
    """The schema, as JSON."""
    rule = _rule()
    defaults = {key: each for key, each in rule["properties"].items() if key not in EACH_ITS_OWN}
    several = {"$ref": "#/definitions/dispatch_of_several"}  # their ladders may stand in it
    defaults["dispatch"] = {
        **said("what each dispatch has where it does not say otherwise, field by field"),
        "type": ["object", "array"],
        **one_or_list(several, several),
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "livekit-dispatcher rules",
        "description": "Which agent goes to which LiveKit room.",
        "type": "object",
        "properties": {
            "version": {"const": VERSION, "description": f"of the rule language: {VERSION}"},
            "defaults": {
                "type": "object",
                "description": "what the rules of this file have where they do not say otherwise:"
                " {join_within: 15s}",
                "properties": defaults,
                "additionalProperties": False,
            },
            "tables": {
                "type": "object",
                "description": "values by name, for conditions (in: {table: numbers}) and"
                " templates: {numbers: {'+34910000001': {agent: sales}}}",
                "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
                "additionalProperties": {"type": "object"},
            },
            "rules": {
                "type": "array",
                "description": "asked in this order for every event",
                "items": {"$ref": "#/definitions/rule"},
            },
        },
        "patternProperties": {"^x-": {"description": "yours: for anchors"}},
        "additionalProperties": False,
        "required": ["version"],
        "anyOf": [{"required": ["rules"]}, {"required": ["tables"]}],
        "allOf": _what_defaults_leave_out(),
        "definitions": {
            **condition_definitions(),
            **dispatch_definitions(),
            "schedule": _schedule(),
            "agents_are": _agents_are(),
            "rule": rule,
        },
    }


def _what_defaults_leave_out() -> list[Schema]:
    """Every rule needs an agent, of its own or of the file's `defaults`."""

    def unless_defaults_have(dispatch: Schema, rule: Schema) -> Schema:
        defaults = {"required": ["dispatch"], "properties": {"dispatch": dispatch}}
        return {
            "if": {"required": ["defaults"], "properties": {"defaults": defaults}},
            "else": {"properties": {"rules": {"doNotSuggest": True, "items": rule}}},
        }

    agent: Schema = {"required": ["agent"]}
    an_agent = {"if": {"type": "object"}, "then": agent}
    return [
        unless_defaults_have(an_agent, {"required": ["dispatch"]}),
        unless_defaults_have(
            {"type": "object", **agent},
            {"properties": {"dispatch": {"doNotSuggest": True, **one_or_list(agent, agent)}}},
        ),
    ]


def _agents_are() -> Schema:
    text: Schema = {"type": "string"}
    texts = one_or_list(text, text)
    return {
        "type": "object",
        "minProperties": 1,
        "errorMessage": "this takes a mapping such as {identity: 'agent-*'}",
        "properties": {
            "identity": said("its participantId: 'agent-*'", **texts),
            "name": said("its participantName: [Greeter, 'Bot *']", **texts),
        },
        "additionalProperties": False,
    }


def _rule() -> Schema:
    event = {"enum": [str(name) for name in EventName]}
    return {
        "type": "object",
        "required": ["id", "on"],
        "properties": {
            "id": said(
                "unique over all files, such as support-es",
                type="string",
                pattern=ID,
                errorMessage=f"an id has {ID_TOLD}",
            ),
            "description": said("for people", type="string"),
            "enabled": said("false switches the rule off", type="boolean"),
            "on": said("the event, or a list of events: [participant_joined]")
            # editors complete single words that stand in an anyOf
            | {"anyOf": [event, {"type": "array", "minItems": 1, "items": event}]},
            "when": named(
                "all of it must hold: {room: {name: 'support-*'}, humans: {gte: 1}}", "when"
            ),
            "unless": named(
                "the rule is out when all of it holds:"
                " {participant: {attributes: {do-not-record: 'true'}}}",
                "when",
            ),
            "if": said(
                "a CEL expression that must be true:"
                " participant.attributes.lang != room.metadata.lang",
                type="string",
            ),
            "schedule": named(
                "days and hours outside which the rule is out:"
                " {timezone: Europe/Madrid, days: [mon-fri], hours: 09:00-17:30}",
                "schedule",
            ),
            "agents_are": named(
                "how VideoSDK's agents are told from people: {identity: 'agent-*'}", "agents_are"
            ),
            "once": word(
                "what it sends at most one live agent for: room (default), participant or event",
                Once,
            ),
            "again": word(
                "whether another is sent after the first has gone: when_gone (default) or never",
                Again,
            ),
            "group": said(
                "rules of a group share what once says: the first that can, dispatches",
                type="string",
                pattern=ID,
                errorMessage=f"a group's name has {ID_TOLD}",
            ),
            "limit": said(
                "how many of its agents may be live at once, over all rooms:"
                " {active: 20, per: '{{ room.metadata.tenant }}'}",
                title="limit",
                type="object",
                properties={
                    "active": said("how many", type="integer", minimum=1),
                    "per": said("counted for each text this renders to", type="string"),
                },
                required=["active"],
                additionalProperties=False,
            ),
            "after": named("wait so long, then look again whether it is wanted: 2s", "duration"),
            "shadow": said("true: decided and recorded, not sent", type="boolean"),
            "dispatch": {
                **said("whom to send: {agent: greeter}, or a list of them"),
                "type": ["object", "array"],
                "errorMessage": "'dispatch' takes a mapping such as {agent: greeter}, or a list",
                **one_or_list(
                    {"$ref": "#/definitions/dispatch"},
                    {"$ref": "#/definitions/dispatch_of_several"},
                ),
            },
            **LADDER,
        },
        "additionalProperties": False,
        "if": {"properties": {"dispatch": {"type": "array"}}, "required": ["dispatch"]},
        "then": {"properties": {key: _inside_a_list(key) for key in LADDER_KEYS}},
    }


def _inside_a_list(key: str) -> Schema:
    """What stands beside a list of dispatches: nothing, and why.

    Editors say more of a type that is wrong than of a `false`, and take no empty `enum`.
    """
    told = f"'{key}' stands inside the entries of a list of dispatches, not beside it"
    return {"type": "null", "errorMessage": told, "doNotSuggest": True}


def _schedule() -> Schema:
    def texts(description: str, pattern: str, told: str, *examples: str) -> Schema:
        text = {
            "type": "string",
            "pattern": pattern,
            "errorMessage": told,
            "examples": list(examples),
        }
        return {
            **said(description),
            "type": ["string", "array"],
            "errorMessage": told,
            "anyOf": [{"examples": list(examples)}, {}],  # completed, as it is not behind an `else`
            **one_or_list(text, text),
        }

    one: Schema = {
        "type": "object",
        "minProperties": 1,
        "properties": {
            "timezone": said("such as Europe/Madrid; UTC without it", type="string"),
            "days": texts(
                "mon, tue, … or mon-fri; every day without it",
                f"^({_DAY})(-({_DAY}))?$",
                f"a day is one of {', '.join(DAYS)}, or several are mon-fri",
                *DAYS,
                "mon-fri",
            ),
            "hours": texts(
                "09:00-17:30, the end not in it; 22:00-06:00 goes over midnight",
                "^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$",
                "hours are written like 09:00-17:30",
                "09:00-17:30",
                "22:00-06:00",
            ),
            "except": texts(
                "days left out: 2026-12-25, or 2026-08-01..2026-08-15",
                f"^({_DATE})(\\.\\.({_DATE}))?$",
                "dates are written like 2026-12-25, or 2026-08-01..2026-08-15",
                "2026-12-25",
                "2026-08-01..2026-08-15",
            ),
        },
        "additionalProperties": False,
    }
    return {"type": ["object", "array"], **one_or_list(one, one)}
