"""VideoSDK's answers as it documents them, read into the events' own names.

What is documented: https://docs.videosdk.live/api-reference/realtime-communication/ (there
`fetch-sessions`, `fetch-active-participants`, `webhook-verification`). What is not as documented
raises `ValueError`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from rules.event import whole_participant, whole_room

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rules.event import Fields

_PEM: Final = "-----BEGIN "


def read_object(text: str) -> Mapping[str, Any]:
    """An answer in JSON.

    Raises:
        ValueError: it is no JSON object.
    """
    try:
        answer = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(answer, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - bad input
    return answer


def words_of(text: str) -> str:
    """What an answer says to people, `""` if nothing: `message` and `error`, its own and those of
    its `data`.
    """
    try:
        answer = read_object(text)
    except ValueError:
        return ""
    data = answer.get("data")
    parts = [answer, data] if isinstance(data, Mapping) else [answer]
    told = [part.get(name) for part in parts for name in ("message", "error")]
    return "; ".join(dict.fromkeys(each for each in told if isinstance(each, str) and each))


def is_sent(text: str) -> bool | None:
    """What the answer to a dispatch says of it; None: nothing.

    Raises:
        ValueError: it is no JSON object.
    """
    data = read_object(text).get("data")
    success = data.get("success") if isinstance(data, Mapping) else None
    return success if isinstance(success, bool) else None


def last_page(answer: Mapping[str, Any]) -> int | None:
    """The number of the last page, where the answer has pages."""
    info = answer.get("pageInfo")
    last = info.get("lastPage") if isinstance(info, Mapping) else None
    return last if isinstance(last, int) else None


def going_on(answer: Mapping[str, Any]) -> list[Fields]:
    """The sessions of a page that have no end, as rooms.

    Raises:
        ValueError: it is no list of sessions.
    """
    return [_room(each) for each in _objects(answer, "data") if not each.get("end")]


def by_meeting(rooms: Iterable[Fields]) -> dict[str, Fields]:
    """The rooms by name; of several of one name, that which began last."""
    ordered = sorted(rooms, key=lambda room: int(room["creation_time"]))
    return {str(room["name"]): room for room in ordered}


def present(answer: Mapping[str, Any], session: str) -> list[Fields]:
    """The participants of a page of a session's active ones.

    VideoSDK documents two shapes of this answer: `data` is the session with its `participants`, or
    a list that holds that session beside `pageInfo`.

    Raises:
        ValueError: it is neither.
    """
    data = answer.get("data")
    sessions = [data] if isinstance(data, Mapping) else _objects(answer, "data")
    return [
        whole_participant(_participant(each))
        for found in sessions
        if _id(found) in ("", session)
        for each in _objects(found, "participants")
        if not _has_left(each)
    ]


def public_key(text: str) -> str:
    """The PEM of the key that signs webhooks.

    Documented is only that a GET answers it. The vendor's samples read it from `publicKey`;
    `data`, and a text that is nothing but the PEM, are understood as well.

    Raises:
        ValueError: there is no PEM.
    """
    if text.lstrip().startswith(_PEM):
        return text.strip()
    answer = read_object(text)
    for name in ("publicKey", "data"):
        given = answer.get(name)
        if isinstance(given, Mapping):
            given = given.get("publicKey")
        if isinstance(given, str) and given.lstrip().startswith(_PEM):
            return given.strip()
    raise ValueError("there is no public key in PEM")


def _room(session: Mapping[str, Any]) -> Fields:
    name, sid = session.get("roomId"), _id(session)
    if not (isinstance(name, str) and name and sid):
        raise ValueError("a session has no id or no roomId")
    return whole_room({"sid": sid, "name": name, "creation_time": _seconds(session.get("start"))})


def _participant(given: Mapping[str, Any]) -> dict[str, Any]:
    identity = given.get("participantId")
    if not (isinstance(identity, str) and identity):
        raise ValueError("a participant has no participantId")
    name, stays = given.get("name"), _stays(given)
    return {
        "sid": identity,
        "identity": identity,
        "name": name if isinstance(name, str) else "",
        "state": "ACTIVE",
        "joined_at": _seconds(stays[-1].get("start")) if stays else 0,
    }


def _has_left(participant: Mapping[str, Any]) -> bool:
    stays = _stays(participant)
    return bool(stays and stays[-1].get("end"))


def _stays(participant: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """When it was there, from the first time to the last."""
    return _objects(participant, "timelog") if participant.get("timelog") else []


def _id(session: Mapping[str, Any]) -> str:
    return str(session.get("id") or session.get("_id") or "")


def _objects(given: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = given.get(name)
    if not (isinstance(found, list) and all(isinstance(each, Mapping) for each in found)):
        raise ValueError(f"{name!r} is not a list of objects")
    return found


def _seconds(text: object) -> int:
    """Unix seconds of a time such as `2023-07-24T08:28:09.215Z`; 0 if it is none."""
    try:
        return int(datetime.fromisoformat(str(text)).timestamp())
    except (ValueError, OverflowError):
        return 0
