"""Join tokens: what they let a caller do, and the agents that come with the caller.

Made with livekit-api, whose tokens every LiveKit SDK knows. A token's holder can read all of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.json_format import ParseDict, ParseError
from livekit.api import AccessToken, VideoGrants
from livekit.protocol.room import RoomConfiguration

from rules.decision import Outcome, RestartPolicy
from rules.protocol import PERMISSION_DEFAULTS
from workers import by_token
from workers.foresight import foresee

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import redis

    from rules.decision import Plan, Provider
    from rules.event import Event
    from rules.ruleset import Ruleset
    from workers.foresight import Foreseen
    from workers.servers import Server

DEFAULT_TTL: Final = timedelta(minutes=10)
LONGEST_TTL: Final = timedelta(days=7)
KINDS: Final = ("STANDARD", "SIP")
"""Who joins with a token: a person, or a person's phone."""
_OF_ROOM: Final = ("metadata", "empty_timeout", "departure_timeout", "max_participants")
"""What a token can give the room that it opens."""


class BadToken(ValueError):
    """LiveKit would refuse it; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The token that is asked for, but for who joins: that is the event's participant."""

    ttl: timedelta = DEFAULT_TTL
    grants: Mapping[str, Any] = field(default_factory=dict)
    """Names and values of `livekit.api.VideoGrants`."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A token, what it carries, and why."""

    token: str
    agents: tuple[dict[str, Any], ...]
    found: Foreseen


def issue(
    redis: redis.Redis,
    ruleset: Ruleset,
    server: Server,
    event: Event,
    asked: Asked,
    providers: frozenset[Provider],
    *,
    dry_run: bool = False,
) -> Issued:
    """A token for whoever joins by this event, with the agents that the rules send then.

    Those of another provider come by the webhook; `providers` are those that can be called. In a
    dry run the token carries no agent.

    Raises:
        BadToken: LiveKit would refuse it.
        RedisError: Redis could not be reached; there is no token then.
    """
    found = foresee(redis, ruleset, server.id, event, providers=providers)
    plans = plans_at_once(found)
    agents = tuple(room_agent(plan, by_token.marked(plan, found.event)) for plan in plans)
    carried = () if dry_run else agents
    token = _signed(server, event, carried, asked)
    if carried:
        by_token.note(redis, server.id, event.room_name, asked.ttl.total_seconds())
    return Issued(token, agents, found)


def plans_at_once(found: Foreseen) -> list[Plan]:
    """The agents of a decision that LiveKit would send at once."""
    decided = (d for d in found.decisions if d.outcome is Outcome.DISPATCH)
    return [plan for each in decided for plan in each.plans if by_token.sent_by_token(plan)]


def permission_of(grants: Mapping[str, Any]) -> dict[str, Any]:
    """What webhooks tell as the permission of somebody who joins with a token of these grants.

    As livekit-server derives it: `VideoGrant.ToPermission` in livekit/protocol, auth/grants.go.
    What is not granted here, such as `agent` and `recorder`, is false.

    Args:
        grants: as in `Asked`.
    """
    signed = VideoGrants(**grants)
    return {
        **PERMISSION_DEFAULTS,
        "can_subscribe": signed.can_subscribe,
        "can_publish": signed.can_publish,
        "can_publish_data": signed.can_publish_data,
        "can_publish_sources": [each.upper() for each in signed.can_publish_sources or ()],
        "can_update_metadata": bool(signed.can_update_own_metadata),
        "can_subscribe_metrics": bool(signed.can_subscribe_metrics),
        "hidden": bool(signed.hidden),
    }


def room_agent(plan: Plan, attributes: Mapping[str, str]) -> dict[str, Any]:
    """A plan as JSON of LiveKit's `RoomAgentDispatch`."""
    never = plan.restart_policy is RestartPolicy.NEVER
    return {
        "agentName": plan.agent,
        "metadata": plan.metadata,
        "deployment": plan.deployment,
        "attributes": dict(attributes),
        "restartPolicy": "JRP_NEVER" if never else "JRP_ON_FAILURE",  # LiveKit knows no `always`
    }


def _signed(server: Server, event: Event, agents: Sequence[Mapping[str, Any]], asked: Asked) -> str:
    caller = event.participant or {}
    token = (
        AccessToken(server.api_key, server.api_secret)
        .with_identity(str(caller.get("identity") or ""))
        .with_name(str(caller.get("name") or ""))
        .with_metadata(str(caller.get("metadata") or ""))
        .with_attributes(dict(caller.get("attributes") or {}))
        .with_grants(VideoGrants(room_join=True, room=event.room_name, **asked.grants))
        .with_ttl(asked.ttl)
    )
    if caller.get("kind") == "SIP":
        token = token.with_kind("sip")
    config = {name: value for name in _OF_ROOM if (value := (event.room or {}).get(name))}
    if agents or config:
        token = token.with_room_config(_room_configuration({**config, "agents": list(agents)}))
    return token.to_jwt()


def _room_configuration(given: dict[str, Any]) -> RoomConfiguration:
    try:
        return ParseDict(given, RoomConfiguration())
    except (ParseError, ValueError) as error:
        raise BadToken(f"LiveKit would not take the room: {error}") from None
