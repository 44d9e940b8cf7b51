"""The JSON Schema of `dispatch`, and of what follows when the agent does not come or is to go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rules.decision import Provider, RestartPolicy
from rules.ladder_fields import MAX_RUNGS, RUNG_KEYS
from rules.notify import NOTIFY
from rules.release import Leaving
from rules.weights import Sticky

if TYPE_CHECKING:
    from rules.schema_conditions import Schema

ID: Final = "^[a-z0-9][a-z0-9-]*$"
ID_TOLD: Final = "lowercase letters, digits and '-', such as es-1"


def said(description: str, **more: Any) -> Schema:  # noqa: ANN401 - any JSON
    """A schema with what an editor shows over the field."""
    return {"description": description, **more}


def word(description: str, words: Any) -> Schema:  # noqa: ANN401 - an enum's class
    """One of an enum's words."""
    return said(description, enum=[str(each) for each in words])


def named(description: str, definition: str) -> Schema:
    """What stands under a name among the definitions."""
    return said(description) | {"$ref": f"#/definitions/{definition}"}


def one_or_list(one: Schema, several: Schema) -> Schema:
    """One, or a list whose items are of another sort."""
    return {
        "if": {"type": "array"},
        "then": {"minItems": 1, "items": several},
        "else": one,
    }


_WEIGHTS: Final[Schema] = {
    "title": "weights",
    "properties": {
        "weights": said(
            'shares by deployment, in whole numbers: {"": 90, staging: 10}',
            type="object",
            minProperties=1,
            additionalProperties={"type": "integer", "minimum": 0},
        ),
        "sticky": word("who stays with a deployment: the room (default) or participant", Sticky),
    },
    "required": ["weights"],
    "additionalProperties": False,
}

DISPATCH_PROPERTIES: Final[dict[str, Schema]] = {
    "id": said(
        "in a list: what its claim is known by, instead of its place, such as notes",
        type="string",
        pattern="^[a-z][a-z0-9-]*$",
        errorMessage=f"an id here begins with a letter, and has {ID_TOLD}",
    ),
    "agent": said(
        "the name that agents register with: greeter, 'greeter-{{ room.metadata.lang }}'",
        type="string",
    ),
    "deployment": {
        **said('"" is production; or weights: {weights: {"": 90, staging: 10}}'),
        "type": ["string", "object"],
        "errorMessage": 'a deployment is text, or weights such as {weights: {"": 90, staging: 10}}',
        "if": {"type": "string"},
        "else": _WEIGHTS,
    },
    "metadata": said(
        "what the agent is told: text, or a mapping or list that becomes JSON, with templates in"
        " its leaves: {customer: '{{ participant.identity }}'}",
        type=["string", "object", "array"],
        errorMessage="metadata is text (quote numbers, true and false), a mapping or a list",
    ),
    "attributes": said(
        "texts by name, with templates: {source: rules}",
        type="object",
        additionalProperties={
            "type": "string",
            "errorMessage": "attributes are texts: quote numbers, true and false",
        },
    ),
    "restart_policy": word(
        "when an agent is sent again: on_failure (default), never, or always, also when it ended"
        " by itself",
        RestartPolicy,
    ),
    "provider": word("whose agents; where the event came from without it", Provider),
    "version": said("VideoSDK's versionId", type="string"),
    "room": said(
        "where the agent is sent if its provider is not the event's (VideoSDK's meetingId):"
        " '{{ room.name }}'",
        type="string",
    ),
}
"""The fields of `dispatch`."""

LADDER: Final[dict[str, Schema]] = {
    "join_within": named(
        "how long the agent may take to join, from its acceptance: 8s", "duration"
    ),
    "fallback": said(
        "whom to ask for next when it does not come, by what differs from dispatch:"
        " [{deployment: ''}, {agent: voicemail, join_within: 20s}]; last, whom to tell:"
        " {notify: {message: 'no agent for {{ room.name }}'}}",
        type="array",
        minItems=1,
        maxItems=MAX_RUNGS,
        items={"$ref": "#/definitions/rung"},
    ),
    "release": named(
        "when to send the agent away: last_human_left, {when: {humans: {lt: 2}}, after: 30s}",
        "release",
    ),
}
"""What stands beside one dispatch, and inside each of several."""


def dispatch_definitions() -> dict[str, Schema]:
    """Definitions by name: what `dispatch` holds, alone or in a list, and what follows from it."""
    rung = {key: {**DISPATCH_PROPERTIES, **LADDER}[key] for key in RUNG_KEYS}
    rung[NOTIFY] = _NOTIFY
    return {
        "duration": {
            "type": "string",
            "pattern": "^(0|[0-9]{1,9}(ms|s|m|h|d))$",
            "errorMessage": "a duration is a number and its unit: 250ms, 10s, 5m, 2h or 7d",
            "examples": ["250ms", "10s", "5m", "2h", "7d"],
        },
        "dispatch": {"properties": DISPATCH_PROPERTIES, "additionalProperties": False},
        "dispatch_of_several": _mapping({**DISPATCH_PROPERTIES, **LADDER}),
        "rung": {
            **_mapping(rung),
            "minProperties": 1,
            "if": {"required": [NOTIFY]},
            "then": {"maxProperties": 1},
        },
        "release": _release(),
    }


_NOTIFY: Final[Schema] = {
    **said(
        "told where no agent has come, wherever DISPATCHER_NOTIFY_URL says; it is the last entry:"
        " {message: 'no agent for {{ room.name }}', data: {queue: support}}"
    ),
    "type": "object",
    "properties": {
        "message": said("for people: 'no agent for {{ room.name }}'", type="string"),
        "data": said(
            "for programs: a mapping with templates in its leaves: {caller:"
            " '{{ participant.identity }}'}",
            type="object",
        ),
    },
    "minProperties": 1,
    "additionalProperties": False,
}


def _mapping(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _release() -> Schema:
    words = [str(each) for each in Leaving]

    def word_or(mapping: Schema, told: str) -> Schema:
        return {
            "type": ["string", "object"],
            "errorMessage": f"this is one of {', '.join(words)}, or {told}",
            "anyOf": [{"enum": words}, {}],  # editors complete no single words behind an `else`
            "if": {"type": "object"},
            "then": mapping,
            "else": {"enum": words},
        }

    when = word_or({"$ref": "#/definitions/presence"}, "conditions such as {humans: {lt: 2}}")
    mapping = {
        "title": "release",
        "properties": {
            "when": {**said("who must have gone, or conditions: {humans: {lt: 2}}"), **when},
            "after": named("how long it must have been so without a break: 30s", "duration"),
        },
        "required": ["when"],
        "additionalProperties": False,
    }
    return word_or(mapping, "a mapping of 'when' and 'after'")
