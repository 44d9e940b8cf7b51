"""The JSON Schema of conditions, made of the names and operators that the loader knows."""

from __future__ import annotations

from typing import Any, Final

from rules.names import CONDITION_NAMES, PRESENCE_NAMES, Kind, Name
from rules.operators import NUMBER_OPERATORS, TEXT_OPERATORS, fits

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_COMBINED: Final[Schema] = {"type": "array", "minItems": 1, "items": {"type": "object"}}
_OPERATORS: Final = {
    "equals": "is exactly this; `*` is a plain character here",
    "equals_ignore_case": "is this, in upper or lower case",
    "prefix": "starts with it",
    "suffix": "ends with it",
    "contains": "contains it",
    "glob": "matches it, `*` being any run of characters",
    "regex": "matches this RE2 expression from beginning to end",
    "in": "is one of these constants, or of the keys of a table: `{table: numbers}`",
    "not": "does not match this",
    "exists": "is there (`true`), is absent (`false`)",
    "gt": "is more",
    "gte": "is at least",
    "lt": "is less",
    "lte": "is at most",
}
_ALLOWED: Final = {
    Kind.TEXT: ("string",),
    Kind.NUMBER: ("number",),
    Kind.BOOLEAN: ("boolean",),
    Kind.NAMES: ("string", "number"),
}
_COMBINATORS: Final[Schema] = {
    "any": {**_COMBINED, "description": "one of these mappings of fields holds"},
    "all": {**_COMBINED, "description": "all of these mappings of fields hold"},
    "not": {"description": "this does not hold"},
    "exists": {"type": "boolean", "description": _OPERATORS["exists"]},
    "field": {
        "type": "object",
        "minProperties": 1,
        "description": "fields that are called like an operator",
    },
}


def condition_definitions() -> dict[str, Schema]:
    """Definitions by name: `when` for `when` and `unless`, `presence` for `release`, and theirs."""
    definitions: dict[str, Schema] = {}
    definitions["when"] = _group(CONDITION_NAMES, definitions)
    definitions["presence"] = _group(PRESENCE_NAMES, definitions)
    return definitions


def _group(group: Name, definitions: dict[str, Schema]) -> Schema:
    """A mapping of the fields of a group, or combinators."""
    properties = {key: _value(name, definitions) for key, name in group.fields.items()}
    return {
        "type": "object",
        "minProperties": 1,
        "properties": {**_COMBINATORS, **properties},
        "additionalProperties": False,
    }


def _value(name: Name, definitions: dict[str, Schema]) -> Schema:
    """What may stand behind a name."""
    match name.kind:
        case Kind.GROUP:
            return _one_or_several(_group(name, definitions))
        case Kind.ATTRIBUTES:
            return _one_or_several(
                {
                    "type": "object",
                    "minProperties": 1,
                    "properties": _COMBINATORS,
                    "additionalProperties": _defined(Name(Kind.TEXT), definitions),
                    "description": "whole keys, dots included; values are text: quote true and 7",
                }
            )
        case Kind.METADATA:
            told = "its raw text, or a mapping of the fields of its JSON"
            return {"type": ["string", "array", "object"], "description": told}
        case Kind.JSON:
            return {"description": "JSON of any shape"}
        case _:
            return _defined(name, definitions)


def _one_or_several(one: Schema) -> Schema:
    return {
        "type": ["object", "array"],
        "if": {"type": "array"},
        "then": {"minItems": 1, "items": {"type": ["object", "array"]}},
        "else": one,
    }


def _defined(name: Name, definitions: dict[str, Schema]) -> Schema:
    """A value by reference, so that it is written once for each kind and each set of constants."""
    key = "_".join((name.kind.name.lower(), *name.constants[:1])).lower()
    if key not in definitions:
        definitions[key] = {}  # it may hold itself
        definitions[key] = _scalar(name, {"$ref": f"#/definitions/{key}"})
    return {"$ref": f"#/definitions/{key}"}


def _scalar(name: Name, itself: Schema) -> Schema:
    value: Schema = {
        "type": [*_ALLOWED[name.kind], "array", "object"],
        "if": {"type": "object"},
        "then": {
            "minProperties": 1,
            "properties": _operators(name, itself),
            "additionalProperties": False,
        },
        "else": {"minItems": 1, "items": itself},
    }
    if name.constants:  # for completion; LiveKit may have learned others
        value["anyOf"] = [{"enum": list(name.constants)}, {}]
    return value


def _operators(name: Name, itself: Schema) -> Schema:
    constant = {"type": list(_ALLOWED[name.kind])}
    table = {"type": "object", "properties": {"table": _TEXT}, "required": ["table"]}
    takes: dict[str, Schema] = {
        "equals": constant,
        "in": {"anyOf": [{"type": "array", "minItems": 1, "items": constant}, table]},
        "not": itself,
        "exists": {"type": "boolean"},
        **dict.fromkeys(TEXT_OPERATORS, _TEXT),
        **{operator: {"type": "number"} for operator in NUMBER_OPERATORS},
    }
    return {
        operator: {**takes[operator], "description": told}
        for operator, told in _OPERATORS.items()
        if fits(operator, name.kind)
    }
