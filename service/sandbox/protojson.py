"""Protobuf messages as JSON, byte for byte the way livekit-server writes it.

Go's protojson keeps the order of the `.proto` file and puts a space after each comma. Webhooks use
camelCase and leave zero values out; Twirp's JSON answers use snake_case and write them all.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import MessageToDict

if TYPE_CHECKING:
    from google._upb._message import Descriptor as UpbDescriptor
    from google.protobuf.descriptor import Descriptor
    from google.protobuf.message import Message


def webhook_json(message: Message) -> bytes:
    """A message as it stands in a webhook's body."""
    return _encode(_ordered(MessageToDict(message), message.DESCRIPTOR, zeros=False))


def twirp_json(message: Message) -> bytes:
    """A message as it stands in the answer to a call made in JSON."""
    fields = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return _encode(_ordered(fields, message.DESCRIPTOR, zeros=True))


def plain(message: Message) -> dict[str, Any]:
    """A message as a dictionary in the protocol's own snake_case, zero values left out."""
    return MessageToDict(message, preserving_proto_field_name=True)


def _encode(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(", ", ":")).encode()


def _ordered(
    given: dict[str, Any], descriptor: Descriptor | UpbDescriptor, *, zeros: bool
) -> dict[str, Any]:
    """In the order of declaration; with `zeros`, messages that are not set are null."""
    ordered: dict[str, Any] = {}
    for field in descriptor.fields:
        name = field.name if zeros else field.json_name
        inner = field.message_type
        if name not in given:
            if zeros and inner is not None:
                ordered[name] = None
            continue
        value = given[name]
        if inner is not None:
            if inner.GetOptions().map_entry:
                value = dict(sorted(value.items()))
            elif isinstance(value, list):
                value = [_ordered(item, inner, zeros=zeros) for item in value]
            elif isinstance(value, dict):
                value = _ordered(value, inner, zeros=zeros)
        ordered[name] = value
    return ordered
