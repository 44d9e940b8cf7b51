"""The `dispatch` of a rule: which agent, in which deployment, told what; compiled and rendered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rules.decision import Provider, Reason, RestartPolicy, Rung
from rules.limits import (
    agent_fault,
    attributes_fault,
    deployment_fault,
    metadata_fault,
    no_attributes,
    no_deployments,
    no_versions,
    object_fault,
)
from rules.payload import NO_PAYLOAD, LeafError, Payload
from rules.templates import Context, RenderingError, Template, TooLongError
from rules.weights import Sticky, Weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules.event import Event

_BY_SOURCE: Final = {provider.value: provider for provider in Provider}
PRODUCTION: Final = Template("", constant="")


class DispatchError(Exception):
    """A dispatch that cannot be made of this event: the reason, and the path of what failed."""

    def __init__(self, reason: Reason, at: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.at = at
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One agent to ask for, as the rule states it."""

    agent: Template
    deployment: Template | Weights = PRODUCTION
    metadata: Payload = NO_PAYLOAD
    attributes: tuple[tuple[str, Template], ...] = ()
    restart_policy: RestartPolicy = RestartPolicy.ON_FAILURE
    provider: Provider | None = None
    """None is where the event came from."""
    version: Template = PRODUCTION
    room: Template | None = None
    """Where it is sent if that is not where the event came from; VideoSDK's meetingId."""
    join_within: float | None = None
    """Seconds."""
    path: str = "dispatch"
    """Where it stands in its rule."""

    def render(self, rule: str, event: Event, context: Context) -> Rung:
        """Render everything.

        Raises:
            DispatchError: something is absent, or the provider would not take it.
        """
        try:
            return self._render(rule, event, context)
        except DispatchError as error:
            at = self.path + error.at.removeprefix("dispatch")
            raise DispatchError(error.reason, at, error.detail) from error

    def _render(self, rule: str, event: Event, context: Context) -> Rung:
        agent = _rendered(self.agent, context, "agent")
        _refuse(agent_fault(agent), Reason.INVALID_AGENT, "agent")
        deployment = self._deployment(rule, event, context)
        _refuse(deployment_fault(deployment), Reason.INVALID_DEPLOYMENT, "deployment")
        metadata = self._metadata(context)
        _refuse(metadata_fault(metadata), Reason.METADATA_TOO_LARGE, "metadata")
        attributes = self._attributes(context)
        _refuse(attributes_fault(attributes), Reason.METADATA_TOO_LARGE, "attributes")
        provider = self.provider or _BY_SOURCE.get(event.source, Provider.LIVEKIT)
        version = _rendered(self.version, context, "version")
        room = self._room(provider, event, context)
        _refuse(deployment and no_deployments(provider), Reason.UNSUPPORTED, "deployment")
        _refuse(version and no_versions(provider), Reason.UNSUPPORTED, "version")
        _refuse(no_attributes(provider) if attributes else None, Reason.UNSUPPORTED, "attributes")
        _refuse(object_fault(provider, metadata), Reason.UNSUPPORTED, "metadata")
        return Rung(
            agent=agent,
            deployment=deployment,
            metadata=metadata,
            attributes=attributes,
            restart_policy=self.restart_policy,
            provider=provider,
            version=version,
            room=room,
            join_within=self.join_within,
        )

    def _deployment(self, rule: str, event: Event, context: Context) -> str:
        if isinstance(self.deployment, Template):
            return _rendered(self.deployment, context, "deployment")
        if self.deployment.sticky is Sticky.ROOM:
            return self.deployment.choose(rule, event.room_name)
        identity = (event.participant or {}).get("identity")
        if not identity:
            detail = "'sticky: participant' needs a participant, and this event has none"
            raise DispatchError(Reason.INVALID_DEPLOYMENT, "dispatch.deployment.sticky", detail)
        return self.deployment.choose(rule, str(identity))

    def _room(self, provider: Provider, event: Event, context: Context) -> str:
        """The room it is sent to; `""` is the event's."""
        if self.room is None or _BY_SOURCE.get(event.source) is provider:
            return ""
        room = _rendered(self.room, context, "room")
        if not room.strip():
            raise DispatchError(Reason.TEMPLATE_ERROR, "dispatch.room", "the room's name is empty")
        return room

    def _metadata(self, context: Context) -> str:
        try:
            return self.metadata.render(context)
        except LeafError as error:
            reason = Reason.METADATA_TOO_LARGE if error.too_long else Reason.TEMPLATE_ERROR
            raise DispatchError(reason, error.at, str(error)) from error
        except (ValueError, RecursionError) as error:
            raise DispatchError(Reason.TEMPLATE_ERROR, "dispatch.metadata", str(error)) from error

    def _attributes(self, context: Context) -> Mapping[str, str]:
        return {
            key: _rendered(template, context, f"attributes.{key}")
            for key, template in self.attributes
        }


def _rendered(template: Template, context: Context, part: str) -> str:
    try:
        return template.render(context)
    except RenderingError as error:
        is_long = isinstance(error, TooLongError) and part.startswith("attributes")
        reason = Reason.METADATA_TOO_LARGE if is_long else Reason.TEMPLATE_ERROR
        raise DispatchError(reason, f"dispatch.{part}", str(error)) from error


def _refuse(fault: str | None, reason: Reason, part: str) -> None:
    if fault:
        raise DispatchError(reason, f"dispatch.{part}", fault)
