"""Dispatching by hand, and removing: what is ordered is stored, and a worker carries it out."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import structlog
from flask import Blueprint, Response, request
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from redis.exceptions import RedisError

from rules.decision import RestartPolicy
from rules.problems import quoted
from service import problems
from service.api.described import STORE, Described, answer, described
from service.api.models import Accepted, Dispatch
from service.api.query import ProjectQuery, read_query
from service.audit import about
from service.bodies import json_body
from service.json_limits import read_json
from service.problems import Problem
from workers.orders import BadOrder, KeyUsed, Orders
from workers.states import lives
from workers.whereabouts import WhichServer, place_of_room, server_of_room

if TYPE_CHECKING:
    import redis

    from workers.redacting import Redaction
    from workers.settings import Server, Settings

_KEY: Final = re.compile(r"[ -~]{1,255}")

log = structlog.get_logger(__name__)


class DispatchOrder(BaseModel):
    """The body of `POST /api/v1/dispatches`: which agent to send where."""

    model_config = ConfigDict(extra="forbid", strict=True)

    room: str = Field(min_length=1, description="Name of the room, which must be there.")
    agent: str = Field(min_length=1, description="Name that the agent's worker registered with.")
    deployment: str = Field("", description='"" is production.')
    metadata: str | dict[str, JsonValue] = Field(
        "", description="As the agent reads it; an object is sent as JSON."
    )
    attributes: dict[str, str] = Field(default_factory=dict)
    restart_policy: RestartPolicy = RestartPolicy.ON_FAILURE
    project: str | None = Field(
        None, description="API key of the room's LiveKit server, where there are several."
    )

    @property
    def metadata_text(self) -> str:
        """What the agent reads."""
        if isinstance(self.metadata, str):
            return self.metadata
        return json.dumps(self.metadata, ensure_ascii=False, separators=(",", ":"))


def orders(settings: Settings, redis: redis.Redis) -> Blueprint:
    """The routes that order something about agents."""
    routes = Blueprint("orders", __name__)

    @routes.errorhandler(RedisError)
    def not_stored(error: RedisError) -> Response:
        log.error("order_not_stored", error=str(error))
        return Problem(
            problems.STORE_UNREACHABLE,
            "Redis cannot be reached. The order may not be stored: give it again, with the same"
            " Idempotency-Key.",
            headers={"Retry-After": "1"},
        ).response()

    @routes.post("/dispatches")
    @described(
        Described(
            Dispatch,
            202,
            body=DispatchOrder,
            problems=(
                problems.BAD_BODY,
                problems.BAD_HEADER,
                problems.ALREADY_OVER,
                problems.KEY_USED,
                problems.TOO_LARGE,
                problems.NOT_JSON,
                *STORE,
            ),
            headers=(("Idempotency-Key", "The same order with the same key is one, for a day."),),
        )
    )
    def create() -> Response:
        """Dispatch an agent by hand.

        202: the order is stored. The dispatch is at `Location`; whether LiveKit has accepted it is
        seen there. With an `Idempotency-Key`, the same order given again within a day is the same
        dispatch.
        """
        order = _read(json_body())
        about(room=order.room, agent=order.agent)
        try:
            server = server_of_room(redis, settings, order.room, order.project)
        except WhichServer as error:
            raise Problem(problems.BAD_BODY, f"{error}.") from None
        dispatch_id = _ordered(redis, settings.redaction, server, order)
        about(dispatch=dispatch_id)
        found = Orders(redis).known(dispatch_id)
        if found is None:
            raise Problem(
                problems.ALREADY_OVER,
                f"This Idempotency-Key was used for {dispatch_id}, which is over and no longer"
                " kept: take a new key.",
            )
        log.info("dispatch_ordered", room=order.room, agent=order.agent, dispatch=dispatch_id)
        location = {"Location": f"{request.path}/{dispatch_id}"}
        return answer(Dispatch.model_validate(found), 202, location)

    @routes.delete("/dispatches/<dispatch_id>")
    @described(
        Described(Dispatch, 202, problems=(problems.NOT_FOUND, problems.ALREADY_OVER, *STORE))
    )
    def delete(dispatch_id: str) -> Response:
        """Delete a dispatch and remove its agent. Its rule sends none again in this session.

        202: the order is stored. 409: it is over already.
        """
        found = Orders(redis).known(dispatch_id)
        if found is None:
            raise Problem(problems.NOT_FOUND, f"There is no dispatch {quoted(dispatch_id)}.")
        if not lives(found["state"], found["ended_at"]):
            raise Problem(
                problems.ALREADY_OVER, f"The dispatch {dispatch_id} is over: {found['state']}."
            )
        server_ids = list(settings.places)
        Orders(redis).remove_wherever(server_ids, found["room"], dispatch_id)
        log.info("removal_ordered", room=found["room"], dispatch=dispatch_id)
        return answer(Dispatch.model_validate(found), 202)

    @routes.delete("/rooms/<room:name>/agents/<room:identity>")
    @described(Described(Accepted, 202, query=ProjectQuery, problems=(problems.BAD_QUERY, *STORE)))
    def remove(name: str, identity: str) -> Response:
        """Remove an agent from a room, whoever sent it. One of ours goes with its dispatch.

        202: the order is stored. It is looked first whether somebody of this identity is there,
        and an agent.
        """
        project = read_query(ProjectQuery).project
        try:
            place = place_of_room(redis, settings, name, project)
        except WhichServer as error:
            raise Problem(problems.BAD_QUERY, f"{error}.") from None
        Orders(redis).remove_agent(place, name, identity)
        log.info("removal_ordered", room=name, identity=identity)
        return answer(Accepted(), 202)

    return routes


def _ordered(redis: redis.Redis, redaction: Redaction, server: Server, order: DispatchOrder) -> str:
    """Our id of the dispatch that was ordered, now or before."""
    try:
        return Orders(redis, redaction).dispatch(
            server.id,
            order.room,
            order.agent,
            order.deployment,
            order.metadata_text,
            order.attributes,
            order.restart_policy.value,
            key=_idempotency_key(),
        )
    except BadOrder as error:
        raise Problem(problems.BAD_BODY, f"'{error.field}': {error}.") from None
    except KeyUsed as error:
        raise Problem(
            problems.KEY_USED,
            "This Idempotency-Key was used within the last day for another order, which is"
            f" {error.dispatch_id}: take a new key.",
        ) from None


def _read(body: bytes) -> DispatchOrder:
    try:
        read_json(body)
        return DispatchOrder.model_validate_json(body)
    except ValidationError as error:
        told: dict[str, None] = {}  # in order, each once
        for each in error.errors(include_input=False, include_url=False):
            where = f"{quoted(str(each['loc'][0]))}: " if each["loc"] else ""
            told[f"{where}{each['msg']}"] = None
        raise Problem(problems.BAD_BODY, f"{'; '.join(list(told)[:5])}.") from None
    except ValueError as error:
        raise Problem(problems.BAD_BODY, f"The body cannot be read: {error}.") from None


def _idempotency_key() -> str:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return ""
    if not _KEY.fullmatch(key):
        raise Problem(
            problems.BAD_HEADER, "An Idempotency-Key has 1 to 255 printable characters of ASCII."
        )
    return key
