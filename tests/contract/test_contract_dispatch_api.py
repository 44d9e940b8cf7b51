"""AgentDispatchService: what it takes, answers and refuses."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from livekit import api

CREATE = "AgentDispatchService/CreateDispatch"
LIST = "AgentDispatchService/ListDispatch"


def test_a_dispatch_is_answered_as_it_was_asked_for(livekit, room):
    before = time.time_ns()
    made = livekit.dispatch(
        room,
        "nobody",
        metadata='{"a":1}',
        attributes={"k": "v"},
        deployment="canary",
        restart_policy=api.JobRestartPolicy.JRP_NEVER,
    )
    assert made.id.startswith("AD_")
    assert (made.agent_name, made.room, made.metadata) == ("nobody", room, '{"a":1}')
    assert (made.deployment, dict(made.attributes)) == ("canary", {"k": "v"})
    assert made.restart_policy == api.JobRestartPolicy.JRP_NEVER
    assert before < made.state.created_at < time.time_ns()
    assert livekit.get_dispatch(room, made.id) == made


def test_a_dispatch_creates_its_room(livekit, room):
    livekit.dispatch(room, "nobody")
    assert set(livekit.rooms(room)) == {room}


def test_the_same_dispatch_twice_is_two_dispatches(livekit, room):
    first, second = livekit.dispatch(room, "nobody"), livekit.dispatch(room, "nobody")
    assert first.id != second.id
    listed = livekit.ask(lambda client: client.agent_dispatch.list_dispatch(room))
    assert {first.id, second.id} < {dispatch.id for dispatch in listed}


def test_dispatches_at_the_same_time_share_one_room(livekit, room):
    with ThreadPoolExecutor(8) as at_once:
        made = list(at_once.map(lambda _: livekit.dispatch(room, "nobody"), range(24)))
    assert len({dispatch.id for dispatch in made}) == 24
    listed = livekit.ask(lambda client: client.agent_dispatch.list_dispatch(room))
    assert {dispatch.id for dispatch in made} < {dispatch.id for dispatch in listed}
    assert len(livekit.webhooks.of(room, "room_started")) <= 1


def test_every_room_has_a_dispatch_of_the_nameless_agent(livekit, room):
    livekit.dispatch(room, "nobody")
    listed = livekit.ask(lambda client: client.agent_dispatch.list_dispatch(room))
    assert sorted(dispatch.agent_name for dispatch in listed) == ["", "nobody"]


def test_a_room_created_with_agents_has_just_those(livekit, room):
    asked = api.CreateRoomRequest(
        name=room, agents=[api.RoomAgentDispatch(agent_name="nobody", metadata="m")]
    )
    livekit.ask(lambda client: client.room.create_room(asked))
    (only,) = livekit.ask(lambda client: client.agent_dispatch.list_dispatch(room))
    assert (only.agent_name, only.metadata) == ("nobody", "m")


@pytest.mark.parametrize(
    ("deployment", "message"),
    [
        ("a_b", "deployment contains reserved character '_'"),
        ("a b", "deployment contains whitespace or control byte at position 1"),
        ("\x01", "deployment contains whitespace or control byte at position 0"),
        ("a" * 65, "deployment exceeds 64 bytes"),
        ("é" * 33, "deployment exceeds 64 bytes"),
    ],
)
def test_a_bad_deployment_is_refused(livekit, room, deployment, message):
    with pytest.raises(api.TwirpError) as refused:
        livekit.dispatch(room, "nobody", deployment=deployment)
    assert refused.value.status == 400
    assert refused.value.code == "invalid_argument"
    assert refused.value.message == f"twirp error unknown: {message}"
    assert livekit.rooms(room) == {}, "it was refused before the room was made"


@pytest.mark.parametrize("deployment", ["a" * 64, "prödüktion"])
def test_a_deployment_of_64_bytes_or_of_any_letters_is_taken(livekit, room, deployment):
    assert livekit.dispatch(room, "nobody", deployment=deployment).deployment == deployment


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"metadata": "m" * (512 * 1024 + 1)}, "metadata size exceeds limits"),
        ({"attributes": {"k": "v" * 65536}}, "attribute size exceeds limits"),
    ],
)
def test_too_much_metadata_or_attributes_is_refused(livekit, room, fields, message):
    with pytest.raises(api.TwirpError) as refused:
        livekit.dispatch(room, "nobody", **fields)
    assert (refused.value.code, refused.value.status) == ("invalid_argument", 400)
    assert refused.value.message == f"twirp error unknown: {message}"


def test_as_much_as_is_allowed_is_taken(livekit, room):
    metadata, attributes = "m" * 512 * 1024, {"k": "v" * 65535}
    made = livekit.dispatch(room, "nobody", metadata=metadata, attributes=attributes)
    assert (made.metadata, dict(made.attributes)) == (metadata, attributes)


@pytest.mark.parametrize("name", ["r" * 300, "room/with slash & émoji 🦜", " ", "a\nb"])
def test_a_dispatch_takes_any_room_name(livekit, room, name):
    name = f"{room}{name}"
    made = livekit.dispatch(name, "nobody")
    assert made.room == name
    assert livekit.get_dispatch(name, made.id).id == made.id


def test_unknown_fields_and_both_spellings_are_taken_in_json(livekit, room):
    token = livekit.token(room_admin=True, room=room)
    for spelt in ("agent_name", "agentName"):
        answer = livekit.call(CREATE, {"room": room, spelt: "nobody", "unknown": 1}, token)
        assert answer.json["agent_name"] == "nobody"


def test_an_answer_in_json_writes_every_field_in_snake_case(livekit, room):
    token = livekit.token(room_admin=True, room=room)
    answer = livekit.call(CREATE, {"room": room, "agent_name": "nobody"}, token)
    made = answer.json
    assert answer.text == (
        f'{{"id":"{made["id"]}", "agent_name":"nobody", "room":"{room}", "metadata":"", '
        f'"state":{{"jobs":[], "created_at":"{made["state"]["created_at"]}", "deleted_at":"0"}}, '
        '"restart_policy":"JRP_ON_FAILURE", "deployment":"", "attributes":{}}'
    )


def test_a_dispatch_that_is_not_there_lists_nothing(livekit, room):
    livekit.dispatch(room, "nobody")
    assert livekit.get_dispatch(room, "AD_none") is None


def test_a_dispatch_is_deleted_once(livekit, room):
    made = livekit.dispatch(room, "nobody")
    assert livekit.delete_dispatch(room, made.id).id == made.id
    assert livekit.get_dispatch(room, made.id) is None
    with pytest.raises(api.TwirpError) as refused:
        livekit.delete_dispatch(room, made.id)
    assert (refused.value.code, refused.value.status) == ("not_found", 404)
    assert refused.value.message == "twirp error unknown: dispatch ID not found"


@pytest.mark.parametrize("method", ["ListDispatch", "DeleteDispatch"])
def test_a_room_that_is_not_there_takes_three_seconds_and_fails(livekit, room, method):
    token = livekit.token(room_admin=True, room=room)
    answer = livekit.call(f"AgentDispatchService/{method}", {"room": room}, token)
    assert answer.status == 503
    assert answer.json == {
        "code": "unavailable",
        "msg": "twirp error unknown: no response from servers",
    }
    assert 2.9 < answer.seconds < 4


def test_the_dispatches_of_a_deleted_room_go_with_it(livekit, room):
    made = livekit.dispatch(room, "nobody")
    livekit.ask(lambda client: client.room.delete_room(api.DeleteRoomRequest(room=room)))
    livekit.dispatch(room, "somebody-else")
    assert livekit.get_dispatch(room, made.id) is None
