"""What an event carries, as templates see it: fields that know their path, and metadata that is
both its raw text and the fields of its JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, time, timedelta
from typing import Any, Final

from jinja2 import StrictUndefined, Undefined
from jinja2.exceptions import UndefinedError

from rules.metadata import json_object
from rules.template_budget import worked

MAPPING_METHODS: Final = frozenset({"get", "items", "keys", "values"})
"""What a template may call on fields, where no field has that name."""


class Missing(StrictUndefined):
    """Something the event does not carry. It may only be asked about or given a default.

    A field of it is missing too, so that `room.metadata.customer.name | default('you')` works
    without a customer.
    """

    __slots__ = ()

    def below(self, key: str) -> Missing:
        """A field of something missing."""
        return Missing(name=f"{self._undefined_name}.{key}")

    @property
    def _undefined_message(self) -> str:
        name: object = self._undefined_name  # Jinja's own may be whatever is between brackets
        told = name if isinstance(name, str) else key_text(name)
        return self._undefined_hint or f"'{told}' is absent"

    def _fail_with_undefined_error(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401, ARG002 - Jinja's signature
        raise UndefinedError(self._undefined_message)

    def __repr__(self) -> str:
        """Fail like everything else: a list that holds it is not to be printed."""
        raise UndefinedError(self._undefined_message)


class Fields(Mapping[str, Any]):
    """A mapping of an event that remembers its path, for messages."""

    __slots__ = ("path", "plain")

    def __init__(self, plain: Mapping[str, Any], path: str) -> None:
        self.plain = plain
        self.path = path

    def read(self, key: object) -> Any:  # noqa: ANN401 - any JSON
        """A field; `Missing` if there is none or it is null."""
        value = self.plain.get(key) if isinstance(key, str) else None
        if value is None:
            return Missing(name=f"{self.path}.{key_text(key)}" if self.path else key_text(key))
        return Fields(value, f"{self.path}.{key}") if isinstance(value, Mapping) else value

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - any JSON
        """A field, or the default; `Missing` where there is neither."""
        found = self.read(key)
        return found if default is None or not isinstance(found, Missing) else default

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - any JSON
        return self.plain[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.plain)

    def __len__(self) -> int:
        return len(self.plain)

    def __str__(self) -> str:
        return str(self.plain)

    __repr__ = __str__


class MetadataText(str):
    """Metadata: prints as its raw text, and has the fields of the JSON object it holds."""

    __slots__ = ("fields",)
    fields: Fields

    @classmethod
    def at(cls, path: str, text: str) -> MetadataText:
        """Metadata found at a path."""
        metadata = cls(text)
        metadata.fields = Fields(json_object(text), path)
        return metadata


def or_missing(value: Any, name: str) -> Any:  # noqa: ANN401 - any JSON
    """The value; JSON's null is absent wherever it stands."""
    return Missing(name=name) if value is None else value


def spoken(value: Any) -> Any:  # noqa: ANN401 - whatever a template has made
    """The value, if it may become part of a text.

    Raises:
        UndefinedError: it is nothing, or Python's own: a method that was not called, a generator.
        SecurityError: it would be huge.
    """
    if isinstance(value, Fields):
        return worked(value)
    if isinstance(value, _CONTAINERS):
        _each_spoken(worked(value))
        return value
    if isinstance(value, _SPOKEN):
        return value
    if value is None:
        msg = "it is nothing: give it a default"
    elif callable(value):
        name = getattr(value, "__name__", "it")
        msg = f"'{name}' is a method here and no field: read a field of that name with [...]"
    else:
        msg = f"a {type(value).__name__} is no text: put '| list' behind it"
    raise UndefinedError(msg)


def _each_spoken(values: Any) -> None:  # noqa: ANN401 - as above
    """Look into lists and mappings; JSON's null may stand there, and is printed as `None`."""
    for value in values.values() if isinstance(values, dict) else values:
        if value is not None and not isinstance(value, str | int | float):
            spoken(value)


_LONGEST_KEY: Final = 60
_CONTAINERS: Final = (list, tuple, dict)
_SPOKEN: Final = (str, int, float, date, time, timedelta, Undefined)


def key_text(key: object) -> str:
    """What is between brackets, for a message: short, and nothing of Python's."""
    if isinstance(key, str):
        return key if len(key) <= _LONGEST_KEY else f"{key[:_LONGEST_KEY]}…"
    return str(key) if isinstance(key, int | float) else "…"


def fields_of(value: object) -> Fields | None:
    """The readable fields of a value; None if it is nothing that has fields."""
    if isinstance(value, MetadataText):
        return value.fields
    if isinstance(value, Fields):
        return value
    return Fields(value, "") if isinstance(value, Mapping) else None


def event_fields(part: Mapping[str, Any], path: str, metadata: tuple[str, ...]) -> Fields:
    """A part of an event, with the texts under the given keys readable as metadata."""
    texts = {
        key: MetadataText.at(f"{path}.{key}", part[key])
        for key in metadata
        if isinstance(part.get(key), str)
    }
    return Fields({**part, **texts}, path)
