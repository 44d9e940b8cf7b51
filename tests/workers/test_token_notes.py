"""What a join token carries, and what is noted of the room it is for."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from livekit.api import TokenVerifier

from tests.workers.conftest import GREET
from tests.workers.test_by_token import STAGING
from tests.workers.tokens import ROOM, active, room_key, token
from workers import by_token, keys
from workers.by_token import LATE_SECONDS
from workers.dispatch import ID_ATTRIBUTE

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House


def test_a_token_carries_the_agent_with_a_mark_of_its_claim(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(STAGING)
    first, second = (token(house, who) for who in ("ana", "ben"))
    read = [TokenVerifier(sandbox.key, sandbox.secret).verify(each) for each in (first, second)]
    [ana, ben] = [list(each.room_config.agents) for each in read]
    assert ana == ben, "whichever of them opens the room: it is the same claim"
    assert [(a.agent_name, a.deployment) for a in ana] == [("greeter", "staging")]
    assert set(ana[0].attributes) == {ID_ATTRIBUTE}
    assert read[0].identity == "ana"
    assert (read[0].video.room_join, read[0].video.room) == (True, ROOM)


def test_a_note_lives_as_long_as_the_longest_token_and_longer_once_one_was_used(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    key = keys.TOKENS + room_key(house)
    token(house, "ana", ttl=timedelta(hours=1))
    mine = token(house, "ben", ttl=timedelta(minutes=1))
    assert 3600 <= house.redis.ttl(key) <= 3600 + LATE_SECONDS
    sandbox.join_by_token(mine)
    active(house)
    assert house.redis.ttl(key) > 7 * 86400, "LiveKit gives those who stay new tokens"


def test_a_room_without_agents_in_its_tokens_has_no_note(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET.replace("dispatch:", "after: 5s\n    dispatch:"))
    claims = TokenVerifier(sandbox.key, sandbox.secret).verify(token(house, "ana"))
    assert claims.room_config is None
    assert not house.redis.keys(keys.TOKENS + "*")


def test_a_mark_tells_claims_apart() -> None:
    def mark(*parts: str, identity: str = "ana") -> str:
        return by_token._mark(ROOM, "\x1f".join(parts), identity)

    whole = mark("support", "0", "participant", "ana")
    others = [
        mark("support", "1", "participant", "ana"), mark("other", "0", "participant", "ana"),
        mark("support", "0", "participant", "ben"), mark("support", "0", "room", "ana"),
    ]  # fmt: skip
    assert len({whole, *others}) == 5
    joins = mark("support", "0", "event", "EV_1")
    assert joins == mark("support", "0", "event", "EV_2")
    assert joins != mark("support", "0", "event", "EV_1", identity="ben")
    assert whole == mark("support", "0", "participant", "ana", identity="somebody")
