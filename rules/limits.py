"""What providers take in a dispatch, checked before they are asked."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from rules.decision import Provider
from rules.metadata import json_object
from rules.problems import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_DEPLOYMENT_BYTES: Final = 63
MAX_METADATA_BYTES: Final = 512 * 1024
MAX_ATTRIBUTES_BYTES: Final = 64 * 1024
"""Keys and values together."""


def agent_fault(agent: str) -> str | None:
    """What is wrong with an agent's name; None if nothing is."""
    if not agent.strip():
        return "the agent's name is empty"
    if agent != agent.strip():
        return f"the agent's name {quoted(agent)} begins or ends with a space"
    if any(map(_is_control, agent)):
        return f"the agent's name {quoted(agent)} holds a control character"
    return None


def deployment_fault(deployment: str) -> str | None:
    """What is wrong with a deployment's name; None if nothing is. `""` is production."""
    size = _bytes(deployment)
    if size > MAX_DEPLOYMENT_BYTES:
        return f"a deployment has at most {MAX_DEPLOYMENT_BYTES} bytes, this one has {size}"
    if "_" in deployment:
        return f"the deployment {quoted(deployment)} holds '_', which LiveKit refuses"
    if any(character.isspace() or _is_control(character) for character in deployment):
        return f"the deployment {quoted(deployment)} holds whitespace or a control character"
    return None


def no_deployments(provider: Provider) -> str | None:
    """What to say of a deployment that this provider cannot send agents to; None if it can."""
    if provider is Provider.LIVEKIT:
        return None
    return f"{provider} has no deployments; its 'version' may be what is meant"


def no_versions(provider: Provider) -> str | None:
    """What to say of a version of an agent where this provider has none; None if it has them."""
    if provider is Provider.VIDEOSDK:
        return None
    return f"{provider} has no versions of agents; its 'deployment' may be what is meant"


def no_attributes(provider: Provider) -> str | None:
    """What to say of attributes where this provider takes none; None if it does."""
    if provider is Provider.LIVEKIT:
        return None
    return f"{provider} takes no attributes; its 'metadata' may be what is meant"


def object_fault(provider: Provider, metadata: str) -> str | None:
    """What is wrong with metadata where this provider takes a JSON object only; None if nothing."""
    is_empty = "".join(metadata.split()) in ("", "{}")
    if provider is Provider.LIVEKIT or is_empty or json_object(metadata):
        return None
    return f"{provider} takes metadata that is a mapping, such as {{lang: es}}"


def metadata_fault(metadata: str) -> str | None:
    """Whether metadata is too large, in words."""
    size = _bytes(metadata)
    if size <= MAX_METADATA_BYTES:
        return None
    return f"the metadata has {size:,} bytes, {MAX_METADATA_BYTES:,} are allowed"


def attributes_fault(attributes: Mapping[str, str]) -> str | None:
    """Whether attributes are too large, in words."""
    size = sum(_bytes(key) + _bytes(value) for key, value in attributes.items())
    if size <= MAX_ATTRIBUTES_BYTES:
        return None
    return f"the attributes have {size:,} bytes, {MAX_ATTRIBUTES_BYTES:,} are allowed"


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _is_control(character: str) -> bool:
    return unicodedata.category(character) == "Cc"
