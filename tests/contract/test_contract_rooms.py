"""RoomService, and the life of a room."""

from __future__ import annotations

import time

import pytest
from livekit import api

from tests.waiting import eventually

DELETE = "RoomService/DeleteRoom"


def create(livekit, room, **fields):
    asked = api.CreateRoomRequest(name=room, **fields)
    return livekit.ask(lambda client: client.room.create_room(asked))


def delete(livekit, room):
    asked = api.DeleteRoomRequest(room=room)
    return livekit.ask(lambda client: client.room.delete_room(asked))


def remove(livekit, room, identity):
    asked = api.RoomParticipantIdentity(room=room, identity=identity)
    return livekit.ask(lambda client: client.room.remove_participant(asked))


def test_a_room_has_a_sid_times_and_the_defaults(livekit, room):
    made = create(livekit, room, metadata="m")
    assert made.sid.startswith("RM_")
    assert (made.name, made.metadata) == (room, "m")
    assert (made.empty_timeout, made.departure_timeout, made.max_participants) == (300, 20, 0)
    assert abs(made.creation_time - time.time()) < 5
    assert made.creation_time == made.creation_time_ms // 1000
    assert made.turn_password, "a secret in every answer"


def test_an_open_room_is_not_changed_by_creating_it_again(livekit, room):
    made = create(livekit, room, metadata="first")
    again = create(livekit, room, metadata="second", empty_timeout=7)
    assert (again.sid, again.metadata, again.empty_timeout) == (made.sid, "first", 300)


def test_rooms_are_listed_by_name(livekit, room):
    create(livekit, room)
    create(livekit, f"{room}-2")
    assert set(livekit.rooms(room, "no-such-room")) == {room}
    assert {room, f"{room}-2"} <= set(livekit.rooms())


def test_the_name_of_a_room_made_here_has_at_most_256_bytes(livekit):
    create(livekit, "r" * 256)
    with pytest.raises(api.TwirpError) as refused:
        create(livekit, "r" * 257)
    assert (refused.value.code, refused.value.status) == ("invalid_argument", 400)
    assert refused.value.message == (
        "twirp error unknown: room name length exceeds limits: max length 256"
    )


def test_a_deleted_room_is_finished_and_comes_back_with_another_sid(livekit, room):
    first = create(livekit, room)
    delete(livekit, room)
    assert livekit.rooms(room) == {}
    assert create(livekit, room).sid != first.sid
    eventually(
        lambda: livekit.webhooks.told(room) == ["room_started", "room_finished", "room_started"]
    )


def test_a_room_that_is_not_there_cannot_be_deleted(livekit, room):
    with pytest.raises(api.TwirpError) as refused:
        delete(livekit, room)
    assert (refused.value.code, refused.value.status) == ("not_found", 404)
    assert refused.value.message == "twirp error unknown: requested room does not exist"


def test_a_room_that_is_not_there_lists_nobody(livekit, room):
    assert livekit.participants(room) == {}


@pytest.mark.parametrize("exists", [True, False])
def test_somebody_who_is_not_there_cannot_be_removed(livekit, room, exists):
    if exists:
        create(livekit, room)
    with pytest.raises(api.TwirpError) as refused:
        remove(livekit, room, "nobody")
    assert (refused.value.code, refused.value.status) == ("not_found", 404)
    assert refused.value.message == "twirp error unknown: participant does not exist"


def test_whoever_is_removed_leaves_as_removed(livekit, room):
    livekit.join(room, "ana")
    remove(livekit, room, "ana")
    left = eventually(lambda: livekit.webhooks.of(room, "participant_left"))
    assert left[0].event["participant"]["disconnectReason"] == "PARTICIPANT_REMOVED"


def test_everybody_leaves_a_deleted_room_before_it_is_finished(livekit, room):
    livekit.join(room, "ana")
    eventually(lambda: livekit.webhooks.of(room, "participant_joined"))
    delete(livekit, room)
    eventually(lambda: livekit.webhooks.of(room, "room_finished"))
    assert livekit.webhooks.told(room)[-2:] == ["participant_left ana", "room_finished"]
    left = livekit.webhooks.of(room, "participant_left")[0].event
    assert left["participant"]["disconnectReason"] == "ROOM_DELETED"


def test_a_room_nobody_enters_is_finished_after_its_empty_timeout(livekit, room):
    create(livekit, room, empty_timeout=1)
    eventually(lambda: livekit.webhooks.told(room) == ["room_started", "room_finished"])


def test_a_room_whose_humans_have_gone_is_finished_though_an_agent_is_there(livekit, room):
    create(livekit, room, empty_timeout=60, departure_timeout=1)
    livekit.join(room, "ana")
    livekit.dispatch(room)
    eventually(lambda: len(livekit.webhooks.of(room, "participant_joined")) == 2)
    livekit.leave(room, "ana")
    eventually(lambda: livekit.webhooks.of(room, "room_finished"))
    human, agent = livekit.webhooks.of(room, "participant_left")
    assert human.event["participant"]["disconnectReason"] == "CLIENT_INITIATED"
    assert agent.event["participant"]["disconnectReason"] == "ROOM_CLOSED"
    assert agent.event["participant"]["kind"] == "AGENT"


def test_new_metadata_of_a_room_is_listed_and_no_webhook_tells(livekit, room):
    create(livekit, room, metadata="old")
    asked = api.UpdateRoomMetadataRequest(room=room, metadata="new")
    livekit.ask(lambda client: client.room.update_room_metadata(asked))
    eventually(lambda: livekit.rooms(room)[room].metadata == "new")
    delete(livekit, room)
    eventually(lambda: livekit.webhooks.told(room) == ["room_started", "room_finished"])
    assert livekit.webhooks.of(room, "room_finished")[0].event["room"]["metadata"] == "new"


def test_the_answer_that_lists_rooms_in_json_is_written_like_this(livekit, room):
    made = create(livekit, room)
    codecs = ", ".join(f'{{"mime":"{c.mime}", "fmtp_line":""}}' for c in made.enabled_codecs)
    answer = livekit.call("RoomService/ListRooms", {"names": [room]}, livekit.token(room_list=True))
    assert answer.text == (
        f'{{"rooms":[{{"sid":"{made.sid}", "name":"{room}", "empty_timeout":300, '
        f'"departure_timeout":20, "max_participants":0, "creation_time":"{made.creation_time}", '
        f'"creation_time_ms":"{made.creation_time_ms}", "turn_password":"{made.turn_password}", '
        f'"enabled_codecs":[{codecs}], "metadata":"", "num_participants":0, "num_publishers":0, '
        '"active_recording":false, "version":null}]}'
    )
