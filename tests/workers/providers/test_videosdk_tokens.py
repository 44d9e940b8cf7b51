"""The token VideoSDK is called with: signed once, used until it is nearly over, made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jwt
import pytest

from tests.workers.providers.answering import SECRET, answering
from tests.workers.providers.subjects import order
from workers.errors import Unauthorized
from workers.providers.videosdk_tokens import RENEWED_SECONDS, TOKEN_SECONDS, Tokens
from workers.videosdk_account import VideoSdkAccount

if TYPE_CHECKING:
    from tests.workers.providers.subjects import VideoSdkSubject

ACCOUNT = VideoSdkAccount("http://127.0.0.1:1", "key", SECRET, token="")
GIVEN = VideoSdkAccount("http://127.0.0.1:1", "", "", token="a.b.c")
NOW = 1_900_000_000.5


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> float:
        return self.at


def test_it_says_what_videosdk_asks_for_and_no_more() -> None:
    token = Tokens(ACCOUNT, Clock()).now()
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    assert jwt.decode(token, SECRET, algorithms=["HS256"]) == {
        "apikey": "key",
        "permissions": ["allow_join"],
        "version": 2,
        "roles": ["crawler"],
        "exp": int(NOW) + TOKEN_SECONDS,
    }


def test_it_is_signed_once_and_again_before_it_is_over() -> None:
    clock = Clock()
    tokens = Tokens(ACCOUNT, clock)
    first = tokens.now()
    clock.at += TOKEN_SECONDS - RENEWED_SECONDS - 1
    assert tokens.now() == first
    clock.at += 2
    assert tokens.now() != first


def test_after_a_refusal_there_is_another_for_all_who_were_refused() -> None:
    clock = Clock()
    tokens = Tokens(ACCOUNT, clock)
    refused = tokens.now()
    clock.at += 2
    another = tokens.after(refused)
    assert another not in (None, refused)
    clock.at += 2
    assert tokens.after(refused) == another == tokens.now()


def test_a_token_that_was_given_is_used_as_it_is() -> None:
    tokens = Tokens(GIVEN, Clock())
    assert tokens.now() == "a.b.c"
    assert tokens.after("a.b.c") is None


def test_a_call_that_was_refused_once_is_made_once_more(videosdk: VideoSdkSubject) -> None:
    videosdk.sandbox.fault("unauthorized", times=1)
    videosdk.ask(lambda provider: provider.create(order(videosdk.room)))
    statuses = [call.status for call in videosdk.sandbox.calls.of("DispatchAgent")]
    assert statuses == [401, 200]
    assert videosdk.sent() == 1


def test_a_call_is_not_made_a_third_time() -> None:
    with answering(lambda _path: (401, {})) as server, pytest.raises(Unauthorized):
        server.ask(lambda provider: provider.create(order("m")))
    assert len(server.asked) == 2


def test_one_token_serves_many_calls() -> None:
    async def often(provider) -> None:
        for _ in range(3):
            await provider.rooms()

    with answering(lambda _path: (200, {"data": []})) as server:
        server.ask(often)
    assert len(server.asked) == 3
    assert len({token for _, _, token in server.asked}) == 1
