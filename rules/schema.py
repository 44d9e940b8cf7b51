"""The JSON Schema of a rule file, by which editors complete and check it while it is written.

It is made of what the loader knows, and never refuses what the loader takes; the loader checks
more. Draft 7 is what yaml-language-server knows best.
"""

from __future__ import annotations

from typing import Any, Final

from rules.decision import Again, Once, Provider, RestartPolicy
from rules.defaults import EACH_ITS_OWN
from rules.event import EventName
from rules.ladder_fields import LADDER_KEYS, MAX_RUNGS, RUNG_KEYS
from rules.release import Leaving
from rules.schedule_checks import DAYS
from rules.schema_conditions import Schema, condition_definitions
from rules.weights import Sticky

_DAY: Final = "|".join(DAYS)
_DATE: Final = "[0-9]{4}-?[0-9]{2}-?[0-9]{2}|[0-9]{4}-?W[0-9]{2}-?[0-9]"
_DATES: Final = f"^({_DATE})(\\.\\.({_DATE})?)?$"
_HOURS: Final = "^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$"
_ID: Final = "^[a-z0-9][a-z0-9-]*$"


def schema() -> dict[str, Any]:
    """The schema, as JSON."""
    rule = _rule()
    defaults = {key: each for key, each in rule["properties"].items() if key not in EACH_ITS_OWN}
    defaults["dispatch"] = {"$ref": "#/definitions/dispatch_fields"}
    tables = "values by name, for conditions (`in: {table: numbers}`) and templates"
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "livekit-dispatcher rules",
        "description": "Which agent goes to which LiveKit room.",
        "type": "object",
        "properties": {
            "version": {"const": 1, "description": "of the rule language: 1"},
            "defaults": {
                "type": "object",
                "description": "what the rules of this file have where they do not say otherwise",
                "properties": defaults,
                "additionalProperties": False,
            },
            "tables": {
                "type": "object",
                "description": tables,
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
        "definitions": {
            **condition_definitions(),
            "duration": {
                "type": "string",
                "pattern": "^(0|[0-9]{1,9}(ms|s|m|h|d))$",
                "examples": ["250ms", "10s", "5m", "2h", "7d"],
            },
            "schedule": _schedule(),
            "release": _release(),
            "dispatch_fields": _dispatch(DISPATCH_PROPERTIES),
            "rung": _dispatch(
                {
                    **{key: DISPATCH_PROPERTIES[key] for key in RUNG_KEYS if key != "join_within"},
                    "join_within": LADDER["join_within"],
                }
            ),
            "dispatch_of_several": _dispatch({**DISPATCH_PROPERTIES, **LADDER}),
            "rule": rule,
        },
    }


def _said(description: str, **more: Any) -> Schema:  # noqa: ANN401 - any JSON
    return {"description": description, **more}


def _word(description: str, words: Any) -> Schema:  # noqa: ANN401 - an enum's class
    return _said(description, enum=[str(word) for word in words])


def _named(description: str, definition: str) -> Schema:
    return {**_said(description), "$ref": f"#/definitions/{definition}"}


def _word_or_words(words: Schema) -> Schema:
    """One or a list; editors complete what stands in an `anyOf`, and not behind an `else`."""
    return {"anyOf": [words, {"type": "array", "minItems": 1, "items": words}]}


DISPATCH_PROPERTIES: Final[dict[str, Schema]] = {
    "id": _said("in a list: what its claim is known by, instead of its place", pattern="^[a-z]"),
    "agent": _said("the name agents register with; may hold templates", type="string"),
    "deployment": {
        **_said('`""` is production; or weights, such as {weights: {"": 90, staging: 10}}'),
        "if": {"type": "object"},
        "then": {
            "properties": {
                "weights": {
                    "type": "object",
                    "minProperties": 1,
                    "additionalProperties": {"type": "integer", "minimum": 0},
                },
                "sticky": _word("who stays with a deployment", Sticky),
            },
            "required": ["weights"],
            "additionalProperties": False,
        },
        "else": {"type": "string", "maxLength": 65536},
    },
    "metadata": _said(
        "what the agent is told: text, or a mapping or list that becomes JSON; templates in leaves"
    ),
    "attributes": _said("texts by name", type="object", additionalProperties={"type": "string"}),
    "restart_policy": _word("when an agent is sent again after it has gone", RestartPolicy),
    "provider": _word("whose agents; the event's provider without it", Provider),
    "version": _said("VideoSDK's versionId", type="string"),
}
"""The fields of `dispatch`."""

LADDER: Final[dict[str, Schema]] = {
    "join_within": _named("how long the agent may take to join, from its acceptance", "duration"),
    "fallback": _said(
        "whom to ask for when it does not come: what differs from `dispatch`",
        type="array",
        minItems=1,
        maxItems=MAX_RUNGS,
        items={"$ref": "#/definitions/rung"},
    ),
    "release": _named("when to send the agent away", "release"),
}
"""What stands beside one dispatch, and inside each of several."""


def _dispatch(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _rule() -> Schema:
    events = {"enum": [str(name) for name in EventName]}
    beside = dict.fromkeys(LADDER_KEYS, False)
    return {
        "type": "object",
        "required": ["id", "on"],
        "properties": {
            "id": _said("unique over all files", type="string", pattern=_ID),
            "description": _said("for people", type="string"),
            "enabled": _said("`false` switches the rule off", type="boolean"),
            "on": {**_said("the event, or a list of events"), **_word_or_words(events)},
            "when": _named("all of it must hold", "when"),
            "unless": _named("the rule is out when all of it holds", "when"),
            "if": _said("a CEL expression that must be true", type="string"),
            "schedule": _named("days and hours outside which the rule is out", "schedule"),
            "once": _word("what it sends at most one live agent for", Once),
            "again": _word("whether another is sent after the first has gone", Again),
            "group": _said(
                "rules of a group share what `once` says: the first that can, dispatches",
                type="string",
                pattern=_ID,
            ),
            "limit": _said(
                "how many of its agents may be live at once, over all rooms",
                type="object",
                properties={
                    "active": _said("how many", type="integer", minimum=1),
                    "per": _said("counted for each text this renders to", type="string"),
                },
                required=["active"],
                additionalProperties=False,
            ),
            "after": _named("wait so long, then look again whether it is wanted", "duration"),
            "shadow": _said("`true`: decided and recorded, not sent", type="boolean"),
            "dispatch": {
                **_said("whom to send, or a list of them"),
                "if": {"type": "array"},
                "then": {
                    "type": "array",
                    "minItems": 1,
                    "items": {"$ref": "#/definitions/dispatch_of_several"},
                },
                "else": {"$ref": "#/definitions/dispatch_fields"},
            },
            **LADDER,
        },
        "additionalProperties": False,
        "if": {"properties": {"dispatch": {"type": "array"}}, "required": ["dispatch"]},
        "then": {"properties": beside},
    }


def _schedule() -> Schema:
    def texts(description: str, pattern: str) -> Schema:
        return _said(description) | _word_or_words({"type": "string", "pattern": pattern})

    one: Schema = {
        "type": "object",
        "minProperties": 1,
        "properties": {
            "timezone": _said("such as Europe/Madrid; UTC without it", type="string"),
            "days": texts("mon, tue, … or mon-fri", f"^({_DAY})(-({_DAY}))?$"),
            "hours": texts(
                "09:00-17:30; over midnight too", "^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$"
            ),
            "except": texts(
                "2026-12-25, or 2026-08-01..2026-08-15", f"^({_DATE})(\\.\\.({_DATE})?)?$"
            ),
        },
        "additionalProperties": False,
    }
    return {
        "if": {"type": "array"},
        "then": {"type": "array", "minItems": 1, "items": one},
        "else": one,
    }


def _release() -> Schema:
    words = {"enum": [str(word) for word in Leaving]}
    when = _said("who must have gone, or conditions on who is there")
    after = _named("how long it must have been so", "duration")
    full = {
        "type": "object",
        "properties": {
            "when": when | {"anyOf": [words, {"$ref": "#/definitions/presence"}]},
            "after": after,
        },
        "required": ["when"],
        "additionalProperties": False,
    }
    return {"anyOf": [words, full]}
