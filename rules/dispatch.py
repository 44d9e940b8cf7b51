"""The `dispatch` of a rule: which agent, in which deployment, told what; compiled and rendered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rules.decision import Claim, Plan, Reason, RestartPolicy
from rules.limits import agent_fault, attributes_fault, deployment_fault, metadata_fault
from rules.payload import NO_PAYLOAD, LeafError, Payload
from rules.templates import Context, RenderingError, Template, TooLongError
from rules.weights import Sticky, Weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules.event import Event

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
    """A dispatch as the rule states it."""

    agent: Template
    deployment: Template | Weights = PRODUCTION
    metadata: Payload = NO_PAYLOAD
    attributes: tuple[tuple[str, Template], ...] = ()
    restart_policy: RestartPolicy = RestartPolicy.ON_FAILURE
    reads_presence: bool = False
    """Whether its templates read who is in the room."""
    position: str = ""
    """Which of its rule's dispatches it is, in their claims: its id, or else its index."""
    path: str = "dispatch"
    """Where it stands in its rule."""

    def plan(self, claim: Claim, event: Event, context: Context) -> Plan:
        """Render everything.

        Raises:
            DispatchError: something is absent, or LiveKit would not take it.
        """
        try:
            return self._plan(claim, event, context)
        except DispatchError as error:
            at = self.path + error.at.removeprefix("dispatch")
            raise DispatchError(error.reason, at, error.detail) from error

    def _plan(self, claim: Claim, event: Event, context: Context) -> Plan:
        agent = _rendered(self.agent, context, "agent")
        _refuse(agent_fault(agent), Reason.INVALID_AGENT, "agent")
        deployment = self._deployment(claim.owner, event, context)
        _refuse(deployment_fault(deployment), Reason.INVALID_DEPLOYMENT, "deployment")
        metadata = self._metadata(context)
        _refuse(metadata_fault(metadata), Reason.METADATA_TOO_LARGE, "metadata")
        attributes = self._attributes(context)
        _refuse(attributes_fault(attributes), Reason.METADATA_TOO_LARGE, "attributes")
        return Plan(claim, agent, deployment, metadata, attributes, self.restart_policy)

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
    if fault is not None:
        raise DispatchError(reason, f"dispatch.{part}", fault)
