"""Asking the rules what they would do, for the API and for the command line."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from rules.event import EventName, read_event
from rules.problems import nearest, quoted
from rules.protocol import snake_case
from service.json_limits import read_json
from service.question import Question
from workers.foresight import foresee
from workers.join_token import (
    KINDS,
    Asked,
    BadToken,
    issue,
    permission_of,
    plans_at_once,
    room_agent,
)
from workers.whereabouts import WhichServer, server_of_room

if TYPE_CHECKING:
    from collections.abc import Mapping

    import redis

    from rules.event import Event
    from rules.ruleset import Ruleset
    from service.question import AskedToken
    from workers.foresight import Foreseen
    from workers.settings import Server, Settings

_TEXTS: Final = ("identity", "name", "metadata")


class BadQuestion(ValueError):
    """It cannot be answered; the text says what to ask instead."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the rules would do."""

    found: Foreseen
    agents: tuple[dict[str, Any], ...]
    """Those that would be sent at once; with a token, as it carries them."""
    token: str | None


def read_question(given: bytes | Mapping[str, Any]) -> Question:
    """Read a question, as JSON or as what JSON says.

    Raises:
        BadQuestion: it is not one.
    """
    try:
        if isinstance(given, bytes):
            read_json(given)
            return Question.model_validate_json(given)
        return Question.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(each) for each in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        raise BadQuestion(f"{quoted(where)}: {said}") from None
    except ValueError as error:
        raise BadQuestion(f"the body cannot be read: {error}") from None


def ask(redis: redis.Redis, settings: Settings, ruleset: Ruleset, question: Question) -> Told:
    """Ask the rules, and make the token that is wanted.

    Raises:
        BadQuestion: it cannot be answered.
        RedisError: Redis could not be reached.
    """
    asked = _asked(question)
    server = _server(redis, settings, question)
    event = _event(asked, question, server)
    if question.token is not None and server is not None:
        return _with_token(redis, settings, ruleset, server, question.token, event)
    server_id = "" if server is None else server.id
    found = foresee(redis, ruleset, server_id, event, providers=settings.providers)
    agents = tuple(room_agent(plan, plan.attributes) for plan in plans_at_once(found))
    return Told(found, agents, None)


def _with_token(
    redis: redis.Redis,
    settings: Settings,
    ruleset: Ruleset,
    server: Server,
    token: AskedToken,
    event: Event,
) -> Told:
    asked = Asked(ttl=token.lifetime, grants=token.grants)
    try:
        issued = issue(
            redis, ruleset, server, event, asked, settings.providers, dry_run=settings.dry_run
        )
    except BadToken as error:
        raise BadQuestion(str(error)) from None
    return Told(issued.found, issued.agents, issued.token)


def _asked(question: Question) -> dict[str, Any]:
    """What is asked about, as a webhook that came now would tell it."""
    if question.event not in set(EventName):
        hint = nearest(question.event, map(str, EventName))
        raise BadQuestion(f"'event': there is no event {quoted(question.event)}{hint}")
    if question.token is not None and question.event != EventName.PARTICIPANT_JOINED:
        raise BadQuestion("'token': it is for somebody who joins: leave 'event' out")
    body: dict[str, Any] = {"event": question.event, "id": "asked", "created_at": time.time()}
    body["room"] = question.room.model_dump()
    caller = _caller(question)
    if caller is not None:
        body["participant"] = caller
    return body


def _event(asked: Mapping[str, Any], question: Question, server: Server | None) -> Event:
    """The same, as rules read it. Its key is the one that signs a token, and that listings are
    asked with, unless the question names another of that server.
    """
    key = "" if server is None else server.api_key
    try:
        return read_event(asked, project=question.project or key)
    except (ValueError, RecursionError) as error:
        raise BadQuestion(f"it is not an event: {error}") from None


def _caller(question: Question) -> dict[str, Any] | None:
    """Who joins: the rules are asked about whom the token is for."""
    token = question.token
    if token is None:
        return question.participant
    caller = {"kind": KINDS[0], **(question.participant or {})}
    for name in (*_TEXTS, "attributes"):
        said = getattr(token, name)
        if said is not None and caller.setdefault(name, said) != said:
            raise BadQuestion(
                f"'token.{name}' is {quoted(said)} and 'participant.{name}' is"
                f" {quoted(caller[name])}: the rules are asked about whoever joins, say it once"
            )
    for name in _TEXTS:
        if not isinstance(caller.get(name, ""), str):
            raise BadQuestion(f"'participant.{name}' must be a string")
    if not caller.get("identity"):
        raise BadQuestion("'token.identity': a token is for somebody, say here or in 'participant'")
    if not _are_attributes(caller.get("attributes", {})):
        raise BadQuestion("'participant.attributes' must be an object of strings")
    if caller["kind"] not in KINDS:
        kinds = " and ".join(KINDS)
        raise BadQuestion(f"'participant.kind': a join token is for {kinds} only")
    granted = permission_of(token.grants)
    _check_permission(caller.get("permission"), granted)
    return {**caller, "permission": granted}


def _check_permission(said: object, granted: Mapping[str, Any]) -> None:
    """Refuse a permission that the token does not give, or withholds."""
    if said is None:
        return
    if not isinstance(said, dict):
        raise BadQuestion("'participant.permission' must be an object")
    for key, value in said.items():
        name = snake_case(key)
        if name not in granted:
            hint = nearest(name, granted)
            raise BadQuestion(f"'participant.permission': there is no {quoted(key)}{hint}")
        if value is not None and _comparable(value) != _comparable(granted[name]):
            raise BadQuestion(
                f"'participant.permission.{name}' is {quoted(value)} and the token gives"
                f" {quoted(granted[name])}: say in 'token' what it grants"
            )


def _comparable(value: object) -> str:
    """The same text for the same: true is not 1, and of sources the order says nothing."""
    return json.dumps(sorted(map(str, value)) if isinstance(value, list) else value)


def _are_attributes(given: object) -> bool:
    if not isinstance(given, dict):
        return False
    return all(isinstance(text, str) for text in (*given, *given.values()))


def _server(redis: redis.Redis, settings: Settings, question: Question) -> Server | None:
    """The server whose room is meant; None where none is configured, and no token is wanted."""
    if not settings.servers and question.project is None and question.token is None:
        return None
    try:
        return server_of_room(redis, settings, question.room.name, question.project)
    except WhichServer as error:
        raise BadQuestion(str(error)) from None
