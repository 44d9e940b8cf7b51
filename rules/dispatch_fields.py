"""Reads what one agent is asked for with: the fields of `dispatch`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules import document
from rules.decision import Provider, RestartPolicy
from rules.dispatch import PRODUCTION, Dispatch
from rules.limits import (
    agent_fault,
    attributes_fault,
    deployment_fault,
    no_attributes,
    no_deployments,
    no_versions,
    object_fault,
)
from rules.payload import NO_PAYLOAD, compile_payload
from rules.problems import quoted
from rules.templates import has_template
from rules.weights import Sticky, Weights

if TYPE_CHECKING:
    from rules.compiling import Compiling
    from rules.document import Node
    from rules.problems import Mark
    from rules.templates import Template

DISPATCH_KEYS: Final = (
    "id",
    "agent",
    "deployment",
    "metadata",
    "attributes",
    "restart_policy",
    "provider",
    "version",
    "room",
)
_MAX_WEIGHT: Final = 1_000_000_000
_CALLERS_MOVE: Final = 3
"""From so many weights on there is an inner boundary, and moving it moves callers."""


def compile_dispatch(
    node: document.Mapping, compiling: Compiling, path: str, join_within: float | None
) -> Dispatch | None:
    """Compile one mapping of what to ask for; problems go to the report."""
    entries = compiling.known_keys(node, DISPATCH_KEYS, "dispatch")
    values = {key: value for key, (_, value) in entries.items()}
    if "agent" not in values:
        compiling.report.error(node.mark, "'dispatch' needs an 'agent'")
    agent = _agent(values["agent"], compiling) if "agent" in values else None
    deployment = (
        _deployment(values["deployment"], compiling) if "deployment" in values else PRODUCTION
    )
    metadata = (
        compile_payload(values["metadata"], compiling) if "metadata" in values else NO_PAYLOAD
    )
    attributes = _attributes(values["attributes"], compiling) if "attributes" in values else ()
    policy: str | None = RestartPolicy.ON_FAILURE
    if "restart_policy" in values:
        what = "dispatch.restart_policy"
        policy = compiling.choice(values["restart_policy"], RestartPolicy, what)
    provider = None
    if "provider" in values:
        word = compiling.choice(values["provider"], Provider, "dispatch.provider")
        provider = Provider(word) if word is not None else None
    version: Template | None = PRODUCTION
    if "version" in values:
        text = compiling.text(values["version"], "dispatch.version")
        version = compiling.template(text) if text is not None else None
    room: Template | None = None
    if "room" in values:
        text = compiling.text(values["room"], "dispatch.room")
        room = compiling.template(text) if text is not None else None
    if provider is not None:
        _refuse_unsupported(provider, values, compiling)
    if agent is None or deployment is None or attributes is None or policy is None:
        return None
    if version is None:
        return None
    return Dispatch(
        agent,
        deployment,
        metadata,
        attributes,
        RestartPolicy(policy),
        provider,
        version,
        room,
        join_within,
        path,
    )


def _refuse_unsupported(provider: Provider, values: dict[str, Node], compiling: Compiling) -> None:
    for key, unsupported in _UNSUPPORTED:
        fault = unsupported(provider)
        if fault and key in values and getattr(values[key], "value", None) != "":
            compiling.report.error(values[key].mark, fault)
    metadata = values.get("metadata")
    if isinstance(metadata, document.Scalar | document.Sequence):
        text = "[]" if isinstance(metadata, document.Sequence) else str(metadata.value)
        fault = None if has_template(text) else object_fault(provider, text)
        if fault:
            compiling.report.error(metadata.mark, fault)


_UNSUPPORTED: Final = (
    ("deployment", no_deployments),
    ("version", no_versions),
    ("attributes", no_attributes),
)


def _agent(node: Node, compiling: Compiling) -> Template | None:
    scalar = compiling.text(node, "dispatch.agent")
    if scalar is None:
        return None
    template = compiling.template(scalar)
    fault = agent_fault(template.constant) if template.constant is not None else None
    if fault:
        compiling.report.error(node.mark, fault)
    return template


def _deployment(node: Node, compiling: Compiling) -> Template | Weights | None:
    if isinstance(node, document.Mapping):
        return _weights(node, compiling)
    scalar = compiling.text(node, "dispatch.deployment")
    if scalar is None:
        return None
    template = compiling.template(scalar)
    fault = deployment_fault(template.constant) if template.constant is not None else None
    if fault:
        compiling.report.error(node.mark, fault)
    return template


def _weights(node: document.Mapping, compiling: Compiling) -> Weights | None:
    entries = compiling.known_keys(node, ("weights", "sticky"), "dispatch.deployment")
    sticky: str | None = Sticky.ROOM
    if "sticky" in entries:
        sticky = compiling.choice(entries["sticky"][1], Sticky, "dispatch.deployment.sticky")
    if "weights" not in entries:
        compiling.report.error(node.mark, "'dispatch.deployment' takes text, or 'weights'")
        return None
    weights = entries["weights"][1]
    if not isinstance(weights, document.Mapping) or not weights.entries:
        message = "'weights' takes a mapping of deployments to whole numbers"
        compiling.report.error(weights.mark, message)
        return None
    shares = tuple(
        (deployment, _weight(deployment, mark, value, compiling))
        for deployment, (mark, value) in weights.entries.items()
    )
    if not any(weight for _, weight in shares):
        compiling.report.error(weights.mark, "the weights sum to 0: some must be more")
        return None
    if len(shares) >= _CALLERS_MOVE:
        compiling.report.warning(
            weights.mark,
            f"{len(shares)} weights: moving an inner boundary moves callers between the deployments"
            " on both sides of it",
        )
    return Weights(shares, Sticky(sticky)) if sticky is not None else None


def _weight(deployment: str, mark: Mark, node: Node, compiling: Compiling) -> int:
    fault = deployment_fault(deployment)
    if has_template(deployment):
        fault = "weights are of deployments by name: no template can stand there"
    if fault:
        compiling.report.error(mark, fault)
    value = node.value if isinstance(node, document.Scalar) else None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_WEIGHT:
        return value
    message = f"a weight is a whole number from 0 to {_MAX_WEIGHT:,}"
    compiling.report.error(node.mark, message)
    return 1


def _attributes(node: Node, compiling: Compiling) -> tuple[tuple[str, Template], ...] | None:
    if not isinstance(node, document.Mapping):
        compiling.report.error(node.mark, "'dispatch.attributes' takes a mapping of texts")
        return None
    attributes: list[tuple[str, Template]] = []
    for key, (mark, value) in node.entries.items():
        if has_template(key):
            compiling.report.error(mark, "templates stand in values, not in keys")
        if isinstance(value, document.Scalar) and isinstance(value.value, str):
            attributes.append((key, compiling.template(value)))
        else:
            hint = f': quote it: "{value.text}"' if isinstance(value, document.Scalar) else ""
            compiling.report.error(
                value.mark, f"attributes are strings, and {quoted(key)} is none{hint}"
            )
    constant = {key: each.constant for key, each in attributes if each.constant is not None}
    fault = attributes_fault(constant)
    if fault:
        compiling.report.error(node.mark, fault)
    return tuple(attributes)
