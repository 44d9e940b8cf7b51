"""The JSON Schema of conditions, made of the names and operators that the loader knows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from rules.names import CONDITION_NAMES, JSON, PRESENCE_NAMES, Kind, Name
from rules.operators import NUMBER_OPERATORS, OPERATORS, TEXT_OPERATORS, fits
from rules.schema_names import told_of

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_NUMBER: Final[Schema] = {"type": "number"}
_OPERATORS_TOLD: Final = {
    "equals": "is exactly this; * is a plain character here",
    "equals_ignore_case": "is this, in upper or lower case",
    "prefix": "starts with it: {prefix: support-}",
    "suffix": "ends with it: {suffix: -test}",
    "contains": "contains it",
    "glob": "matches it, * being any run of characters",
    "regex": "matches this RE2 expression from beginning to end: {regex: 'call-[0-9]+'}",
    "in": "is one of these constants, or of the keys of a table: {in: {table: numbers}}",
    "not": "does not match this: {not: free}",
    "exists": "is there (true), is absent (false)",
    "gt": "is more: {gt: 2}",
    "gte": "is at least: {gte: 2}",
    "lt": "is less: {lt: 2}",
    "lte": "is at most: {lte: 2}",
}
_ALLOWED: Final = {
    Kind.TEXT: ("string",),
    Kind.NUMBER: ("number",),
    Kind.BOOLEAN: ("boolean",),
    Kind.NAMES: ("string", "number"),
    Kind.METADATA: ("string",),
    Kind.JSON: ("string", "number", "boolean"),
    Kind.GROUP: (),
    Kind.ATTRIBUTES: (),
}
"""Types of constants; lists and mappings may stand behind every name."""
_TAKES: Final = {
    Kind.TEXT: "text (quote numbers, true and false), a list, or operators such as {prefix: a}",
    Kind.NUMBER: "a number without quotes, a list, or operators such as {gte: 2}",
    Kind.BOOLEAN: "true or false",
    Kind.NAMES: "a name, how many there are, a list, or operators such as {gte: 1}",
    Kind.METADATA: "text (quote numbers, true and false), operators, or the fields of its JSON",
    Kind.JSON: "a constant, a list, operators, or a mapping of fields",
    Kind.GROUP: "a mapping of fields",
    Kind.ATTRIBUTES: "a mapping of texts by name",
}
"""In words, for who has written something else."""


def condition_definitions() -> dict[str, Schema]:
    """Definitions by name: `when` for `when` and `unless`, `presence` for `release`, and theirs."""
    conditions = _Conditions()
    for key, names in (("when", CONDITION_NAMES), ("presence", PRESENCE_NAMES)):
        fields = conditions.value(f"{key}_or_list", names, "")
        told = "this takes a mapping of fields, such as room: {name: 'support-*'}"
        conditions.definitions[key] = {
            "type": "object",
            "errorMessage": told,
            "allOf": [fields["else"]],
        }
        conditions.definitions[f"{key}_or_list"] = fields
    return conditions.definitions


class _Conditions:
    """Definitions as they are found to be needed: one for each kind, enum and group of names."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}
        self._defined: list[tuple[Name, str]] = []

    def value(self, key: str, name: Name, dotted: str) -> Schema:
        """The definition of what may stand behind a name; `key` is what it is known by."""
        itself = _ref(key)
        value: Schema = {
            "type": [*_ALLOWED[name.kind], "array", "object"],
            "errorMessage": f"this takes {_TAKES[name.kind]}",
        }
        return {
            **value,
            **_known_constants(name),
            "if": {"type": ["array", *_ALLOWED[name.kind]]},
            "then": {"minItems": 1, "items": itself},
            "else": {"minProperties": 1, **self._mapping(name, dotted, itself)},
        }

    def _mapping(self, name: Name, dotted: str, itself: Schema) -> Schema:
        """Operators, and where there are fields, these and combinators."""
        operators = _operators(name, itself)
        match name.kind:
            case Kind.GROUP:
                fields: Schema = {
                    "properties": {
                        key: self._field(f"{dotted}.{key}" if dotted else key, child)
                        for key, child in name.fields.items()
                    },
                    "additionalProperties": False,
                }
            case Kind.ATTRIBUTES:
                fields = {"additionalProperties": self._reference(Name(Kind.TEXT), "")}
            case Kind.METADATA | Kind.JSON:
                fields = {"additionalProperties": self._reference(JSON, "")}
            case _:
                return {"properties": operators, "additionalProperties": False}
        free = {} if name.kind is Kind.GROUP else fields
        properties = {**fields.get("properties", {}), **_combinators(free, itself), **operators}
        return {**fields, "properties": properties}

    def _field(self, dotted: str, name: Name) -> Schema:
        return {"description": told_of(dotted), **self._reference(name, dotted)}

    def _reference(self, name: Name, dotted: str) -> Schema:
        one = replace(name, many=False)
        for known, key in self._defined:
            if known == one:
                return _ref(key)
        is_of_its_own = one.constants or one.kind in (Kind.GROUP, Kind.ATTRIBUTES)
        key = dotted if is_of_its_own else one.kind.name.lower()
        self._defined.append((one, key))  # it may hold itself
        self.definitions[key] = self.value(key, one, dotted)
        return _ref(key)


def _ref(key: str) -> Schema:
    return {"$ref": f"#/definitions/{key}"}


def _combinators(free: Schema, itself: Schema) -> Schema:
    several = {"type": "array", "minItems": 1, "items": itself}
    return {
        "any": {"description": "one of these mappings of fields holds", **several},
        "all": {"description": "all of these mappings of fields hold", **several},
        "field": {
            "description": "fields that are called like an operator, or like any, all, not, field",
            "type": "object",
            "minProperties": 1,
            **free,
        },
    }


def _known_constants(name: Name) -> Schema:
    """For completion; LiveKit may have learned others."""
    return {"anyOf": [{"enum": list(name.constants)}, {}]} if name.constants else {}


def _operators(name: Name, itself: Schema) -> Schema:
    constant = {"type": list(_ALLOWED[name.kind]), **_known_constants(name)}
    table = {
        "properties": {"table": {"description": "a table of any file: numbers", **_TEXT}},
        "required": ["table"],
        "additionalProperties": False,
    }
    takes: dict[str, Schema] = {
        "equals": constant,
        "in": {
            "type": ["array", "object"],
            "errorMessage": "'in' takes a list of constants, or {table: its name}",
            "if": {"type": "array"},
            "then": {"minItems": 1, "items": constant},
            "else": table,
        },
        "not": itself,
        "exists": {"type": "boolean"},
        **dict.fromkeys(TEXT_OPERATORS, _TEXT),
        **dict.fromkeys(NUMBER_OPERATORS, _NUMBER),
    }
    return {
        operator: {"description": _OPERATORS_TOLD[operator], **takes[operator]}
        for operator in OPERATORS
        if fits(operator, name.kind)
    }
