"""Reading VideoSDK's sessions and participants, in every shape they may come in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from service.sandbox.videosdk import Shape
from tests.workers.providers.answering import answering
from workers.errors import Refused, Unclear

if TYPE_CHECKING:
    from tests.workers.providers.subjects import VideoSdkSubject
    from workers.providers.base import Snapshot

PEM = "-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----"
START = "2023-07-24T08:28:09.215Z"


def session(name: str = "m", sid: str = "s-1", **fields: Any) -> dict[str, Any]:
    return {"id": sid, "roomId": name, "start": START, "end": None, **fields}


def person(identity: str, *ends: str | None) -> dict[str, Any]:
    return {
        "participantId": identity,
        "name": identity.title(),
        "timelog": [{"start": START, "end": end} for end in ends],
    }


def people_of(answer: Any) -> list[dict[str, Any]]:
    """Who is in the session `s-1` by what is answered on every page."""

    def listed(snapshot: Snapshot) -> list[dict[str, Any]]:
        return [dict(each) for each in snapshot.participants]

    with answering(lambda _path: (200, answer)) as server:
        room = {"name": "m", "sid": "s-1"}
        return listed(server.ask(lambda provider: provider.people(room)))


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("count", [0, 1, 19, 20, 21, 60])
def test_everybody_is_found_in_both_shapes(
    videosdk: VideoSdkSubject, shape: Shape, count: int
) -> None:
    videosdk.sandbox.answer_as(shape=shape)
    for number in range(count):
        videosdk.join(f"guest-{number}")
    if not count:
        videosdk.join("ana")
        room = videosdk.ask(lambda provider: provider.rooms())[videosdk.room]
        videosdk.leave("ana")
        seen = videosdk.ask(lambda provider: provider.people(room))
    else:
        seen = videosdk.ask(lambda provider: provider.snapshot(videosdk.room))
    assert len({p["identity"] for p in seen.participants}) == len(seen.participants) == count


def test_a_page_that_never_changes_is_read_once_more_and_no_longer() -> None:
    everybody = [person(f"guest-{number}", None) for number in range(30)]
    with answering(lambda _path: (200, {"data": session(participants=everybody)})) as server:
        seen = server.ask(lambda provider: provider.people({"name": "m", "sid": "s-1"}))
    assert len(seen.participants) == 30
    assert len(server.asked) == 2


def test_who_has_left_is_not_there_and_who_is_back_is() -> None:
    people = [person("gone", START), person("back", START, None), person("quiet")]
    found = people_of({"data": [session(_id="s-1", participants=people)], "pageInfo": {}})
    assert {p["identity"]: p["joined_at"] for p in found} == {"back": 1690187289, "quiet": 0}


def test_another_session_in_the_answer_is_left_out() -> None:
    sessions = [session(sid=i, participants=[person(f"of-{i}", None)]) for i in ("s-1", "s-2")]
    assert [p["sid"] for p in people_of({"data": sessions})] == ["of-s-1"]


@pytest.mark.parametrize(
    "answer",
    [
        "<h1>Welcome</h1>",
        [],
        {},
        {"data": None},
        {"data": ["s"]},
        {"data": {}},
        {"data": {"participants": None}},
        {"data": {"participants": [{}]}},
        {"data": {"participants": [{"participantId": 7}]}},
        {"data": {"participants": [{"participantId": "p", "timelog": "now"}]}},
    ],
)
def test_people_told_otherwise_than_documented_are_not_read_as_nobody(answer: Any) -> None:
    with pytest.raises(Unclear, match="not as documented"):
        people_of(answer)


@pytest.mark.parametrize(
    "answer",
    ["", "null", {}, {"data": {}}, {"data": [{}]}, {"data": [{"id": "s-1"}]}, {"data": [[]]}],
)
def test_sessions_told_otherwise_than_documented_are_not_read_as_none(answer: Any) -> None:
    with answering(lambda _path: (200, answer)) as server:
        for question in (
            lambda provider: provider.room_sid("m"),
            lambda provider: provider.rooms(),
        ):
            with pytest.raises(Unclear, match="not as documented"):
                server.ask(question)


def test_a_session_that_is_not_found_any_more_has_nobody() -> None:
    with answering(lambda _path: (404, {"message": "Session not found"})) as server:
        seen = server.ask(lambda provider: provider.people({"name": "m", "sid": "s/1"}))
    assert seen.participants == ()
    [(_, path, _)] = server.asked
    assert path.startswith("/v2/sessions/s%2F1/participants/active?")


def test_a_listing_that_is_not_there_is_not_read_as_an_empty_one() -> None:
    with (
        answering(lambda _path: (404, "<h1>Not Found</h1>")) as server,
        pytest.raises(Refused, match="check VIDEOSDK_URL"),
    ):
        server.ask(lambda provider: provider.people({"name": "m", "sid": "s-1"}))


def test_sessions_that_are_over_are_left_out_where_the_server_lists_them_all() -> None:
    over = session(sid="s-1", start="2024-01-01T00:00:00.000Z", end="2024-01-01T01:00:00.000Z")
    page = {1: [over], 2: [session(sid="s-2")]}

    def answer(path: str) -> tuple[int, Any]:
        number = 2 if "page=2" in path else 1
        return 200, {"pageInfo": {"lastPage": 2}, "data": page[number]}

    with answering(answer) as server:
        assert server.ask(lambda provider: provider.room_sid("m")) == "s-2"


def test_of_two_sessions_that_go_on_the_later_one_counts() -> None:
    both = [session(sid="new"), session(sid="old", start="2020-01-01T00:00:00.000Z")]
    with answering(lambda _path: (200, {"pageInfo": {"lastPage": 1}, "data": both})) as server:
        assert server.ask(lambda provider: provider.room_sid("m")) == "new"
        assert server.ask(lambda provider: provider.rooms())["m"]["sid"] == "new"


def test_sessions_of_other_meetings_in_the_answer_are_left_out() -> None:
    with answering(lambda _path: (200, {"data": [session("other")]})) as server:
        assert server.ask(lambda provider: provider.room_sid("m")) is None


def test_a_listing_without_end_fails_instead_of_being_read_in_part() -> None:
    with (
        answering(lambda _path: (200, {"pageInfo": {"lastPage": 10**9}, "data": []})) as server,
        pytest.raises(Unclear),
    ):
        server.ask(lambda provider: provider.rooms())
    assert len(server.asked) <= 250


@pytest.mark.parametrize("name", ["a/b?c=d&e#f", "sala número 1", "%2F", "+"])
def test_any_name_is_asked_for_as_it_is(videosdk: VideoSdkSubject, name: str) -> None:
    videosdk.join("ana", room=name)
    expected = videosdk.sandbox.session(name)
    assert expected is not None
    assert videosdk.ask(lambda provider: provider.room_sid(name)) == expected.id


def test_the_key_of_webhooks_is_asked_for_without_a_token(videosdk: VideoSdkSubject) -> None:
    with answering(lambda _path: (200, {"publicKey": PEM})) as server:
        assert server.ask(lambda provider: provider.public_key()) == PEM
    assert server.asked == [("GET", "/v2/public/rsa-public-key", None)]
    assert videosdk.ask(lambda p: p.public_key()) == videosdk.sandbox.public_key.strip()


@pytest.mark.parametrize(
    "answer", [PEM, f"\n{PEM}\n", {"data": PEM}, {"data": {"publicKey": PEM}}, {"publicKey": PEM}]
)
def test_the_key_of_webhooks_is_read_in_each_form(answer: Any) -> None:
    with answering(lambda _path: (200, answer)) as server:
        assert server.ask(lambda provider: provider.public_key()) == PEM


@pytest.mark.parametrize("answer", ["", "abc", {}, {"publicKey": 7}, {"publicKey": "abc"}, [PEM]])
def test_a_key_that_is_none_is_not_taken(answer: Any) -> None:
    with answering(lambda _path: (200, answer)) as server, pytest.raises(Unclear):
        server.ask(lambda provider: provider.public_key())
