"""The names of the rule language as CEL's type checker knows them.

CEL checks types against protobuf messages, so each group of names becomes one. What is JSON of a
shape unknown here is `google.protobuf.Value`, of which everything may be asked.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from cel_expr_python import cel
from google.protobuf import descriptor_pb2, descriptor_pool, struct_pb2

from rules.names import CONDITION_NAMES, Kind, Name

if TYPE_CHECKING:
    from collections.abc import Mapping

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS: Final = {
    Kind.TEXT: _Field.TYPE_STRING,
    Kind.NUMBER: _Field.TYPE_INT64,
    Kind.BOOLEAN: _Field.TYPE_BOOL,
}
_VARIABLES: Final = {Kind.TEXT: cel.Type.STRING, Kind.NAMES: cel.Type.List(cel.Type.STRING)}


@cache
def checking_environment() -> cel.Env:
    """Compiles expressions against the names and their types."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    file = descriptor_pb2.FileDescriptorProto(
        name="names.proto", syntax="proto3", dependency=["google/protobuf/struct.proto"]
    )
    for name, group in groups().items():
        _add_message(file.message_type.add(name=name), group)
    pool.AddSerializedFile(file.SerializeToString())
    variables = {key: _variable(key, name) for key, name in CONDITION_NAMES.fields.items()}
    return cel.NewEnv(pool, variables=variables)


@cache
def evaluating_environment() -> cel.Env:
    """Compiles the same expressions for plain dictionaries, as they are evaluated."""
    return cel.NewEnv(variables=dict.fromkeys(CONDITION_NAMES.fields, cel.Type.DYN))


@cache
def groups() -> Mapping[str, Name]:
    """Every group of names by what it is called in messages, such as `room`."""
    found: dict[str, Name] = {}
    for key, name in CONDITION_NAMES.fields.items():
        if name.kind is Kind.GROUP and not name.many:
            _collect(key, name, found)
    return found


def _collect(called: str, group: Name, into: dict[str, Name]) -> None:
    into[called] = group
    for key, name in group.fields.items():
        if name.kind is Kind.GROUP:
            _collect(f"{called}_{key}", name, into)


def _variable(key: str, name: Name) -> cel.Type:
    if name.kind is not Kind.GROUP:
        return _VARIABLES[name.kind]
    if name.many:  # `participants` are each what `participant` is
        return cel.Type.List(cel.Type(key.removesuffix("s")))
    return cel.Type(key)


def _add_message(message: descriptor_pb2.DescriptorProto, group: Name) -> None:
    for number, (key, name) in enumerate(group.fields.items(), start=1):
        field = message.field.add(name=key, number=number, label=_Field.LABEL_OPTIONAL)
        if name.many and name.kind is not Kind.JSON:
            field.label = _Field.LABEL_REPEATED
        if name.kind in _SCALARS:
            field.type = _SCALARS[name.kind]
            continue
        field.type = _Field.TYPE_MESSAGE
        if name.kind is Kind.GROUP:
            field.type_name = f".{message.name}_{key}"
        elif name.kind is Kind.ATTRIBUTES:
            field.label = _Field.LABEL_REPEATED
            field.type_name = f".{message.name}.{_add_texts(message, key)}"
        else:
            field.type_name = ".google.protobuf.Value"


def _add_texts(message: descriptor_pb2.DescriptorProto, key: str) -> str:
    """A map of texts, which protobuf writes as a repeated message of this name."""
    entry = message.nested_type.add(name=f"{key.title().replace('_', '')}Entry")
    entry.options.map_entry = True
    for number, part in enumerate(("key", "value"), start=1):
        entry.field.add(
            name=part, number=number, type=_Field.TYPE_STRING, label=_Field.LABEL_OPTIONAL
        )
    return entry.name
