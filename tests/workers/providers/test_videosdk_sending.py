"""Sending VideoSDK's agents: what is asked for, and what becomes of each answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from service.sandbox.videosdk import Agent
from tests.workers.providers.answering import answering
from tests.workers.providers.subjects import order
from workers.errors import NoAgent, NotFound, ProviderError, Refused, Unauthorized, Unclear

if TYPE_CHECKING:
    from tests.workers.providers.answering import Answering
    from tests.workers.providers.subjects import VideoSdkSubject


def send(videosdk: VideoSdkSubject, **fields: Any) -> None:
    videosdk.ask(lambda provider: provider.create(order(videosdk.room, **fields)))


def send_to(server: Answering, *, token: str = "") -> None:
    server.ask(lambda provider: provider.create(order("m")), token=token)


def test_metadata_is_sent_as_an_object_and_left_out_where_there_is_none(
    videosdk: VideoSdkSubject,
) -> None:
    send(videosdk, metadata='{"lang":"es"}')
    send(videosdk)
    assert videosdk.metadata() == [{"lang": "es"}, None]


def test_a_version_is_sent_where_one_is_ordered(videosdk: VideoSdkSubject) -> None:
    send(videosdk, version="v-7")
    send(videosdk)
    [greeter] = videosdk.sandbox.agents.registered
    assert [job.version for job in greeter.jobs] == ["v-7", None]


def test_attributes_are_answered_and_not_sent(videosdk: VideoSdkSubject) -> None:
    asked = order(videosdk.room, attributes={"id": "d-1"})
    made = videosdk.ask(lambda provider: provider.create(asked))
    assert (made.id, dict(made.attributes), made.jobs) == ("", {"id": "d-1"}, ())
    [call] = videosdk.sandbox.calls.of("DispatchAgent")
    assert call.request == {"meetingId": videosdk.room, "agentId": "greeter"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"metadata": "hello"}, "JSON object"),
        ({"metadata": "[1]"}, "JSON object"),
        ({"metadata": "null"}, "JSON object"),
        ({"metadata": '{"a": NaN}'}, "NaN"),
        ({"metadata": '{"a":' * 100_000}, "JSON"),
        ({"deployment": "staging"}, "no deployments"),
    ],
    ids=["text", "list", "null", "NaN", "nested", "deployment"],
)
def test_what_videosdk_cannot_take_is_refused_and_not_sent(
    videosdk: VideoSdkSubject, fields: dict[str, str], words: str
) -> None:
    with pytest.raises(Refused, match=words):
        send(videosdk, **fields)
    assert videosdk.sandbox.calls.of() == []


@pytest.mark.parametrize("status", [200, 400, 404, 429, 500, 503])
def test_that_nobody_is_available_is_heard_whatever_its_status(
    videosdk: VideoSdkSubject, status: int
) -> None:
    videosdk.sandbox.answer_as(nobody_status=status)
    with pytest.raises(NoAgent, match=r"'nobody'.*No workers available"):
        send(videosdk, agent="nobody")


def test_nobody_is_there_while_all_are_taken(videosdk: VideoSdkSubject) -> None:
    videosdk.sandbox.add_agent(Agent("one", most=1))
    send(videosdk, agent="one")
    with pytest.raises(NoAgent):
        send(videosdk, agent="one")


def test_nobody_is_there_while_workers_are_away(videosdk: VideoSdkSubject) -> None:
    videosdk.sandbox.fault("no_worker")
    with pytest.raises(NoAgent):
        send(videosdk)
    videosdk.sandbox.heal()
    send(videosdk)


@pytest.mark.parametrize(
    ("status", "answer", "error", "words"),
    [
        (200, "<h1>Welcome</h1>", Unclear, "not as documented"),
        (200, "[]", Unclear, "not as documented"),
        (200, {"message": "ok"}, Unclear, "does not say"),
        (200, {"data": {"success": "yes"}}, Unclear, "does not say"),
        (200, {"data": {"success": False, "message": "quota used up"}}, Refused, "quota used up"),
        (200, {"data": {"success": False, "error": "No workers registered"}}, NoAgent, "greeter"),
        (404, {"message": "Agent not deployed"}, NoAgent, "Agent not deployed"),
        (404, {"message": "Agent not found"}, Refused, "Agent not found"),
        (404, "<h1>Not Found</h1>", Refused, "check VIDEOSDK_URL"),
        (404, {"message": "Not Found"}, Refused, "check VIDEOSDK_URL"),
        (405, "", Refused, "check VIDEOSDK_URL"),
        (302, "", Refused, "check VIDEOSDK_URL"),
        (403, {"error": "forbidden"}, Unauthorized, "VIDEOSDK_SECRET"),
        (422, {"message": "metadata is too large"}, Refused, "metadata is too large"),
        (408, "", Unclear, "408"),
        (502, "<h1>Bad Gateway</h1>", Unclear, "502"),
    ],
)
def test_each_answer_has_its_meaning(
    status: int, answer: object, error: type[ProviderError], words: str
) -> None:
    with (
        answering(lambda _path: (status, answer)) as server,
        pytest.raises(ProviderError, match=words) as told,
    ):
        send_to(server)
    assert type(told.value) is error
    assert [(method, path) for method, path, _ in server.asked] == [("POST", "/v2/agent/dispatch")]


def test_a_token_that_is_repeated_to_us_goes_no_further() -> None:
    token = "given-token-given-token"
    answer = {"message": f"invalid token: {token}"}
    with (
        answering(lambda _path: (401, answer)) as server,
        pytest.raises(Unauthorized, match="check VIDEOSDK_TOKEN") as told,
    ):
        send_to(server, token=token)
    assert token not in str(told.value)
    assert server.asked == [("POST", "/v2/agent/dispatch", token)]


def test_removing_tells_who_is_not_there_from_an_address_that_is_wrong() -> None:
    session = {"id": "s", "roomId": "m", "start": "2026-01-01T00:00:00.000Z", "end": None}
    for answer, error in (
        ({"message": "Participant does not exist"}, NotFound),
        ("<h1>Not Found</h1>", Refused),
    ):
        with (
            answering(
                lambda path, a=answer: (
                    (404, a) if path.endswith("/remove") else (200, {"data": [session]})
                )
            ) as server,
            pytest.raises(Refused) as told,
        ):
            server.ask(lambda provider: provider.remove("m", "ana"))
        assert type(told.value) is error
