"""Agents that somebody sends or removes by hand, carried out by a worker as any dispatch is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from service.sandbox import Worker
from tests.waiting import eventually, throughout
from tests.workers.conftest import GREET, explicit
from workers import keys
from workers.deadletters import DeadLetters
from workers.ledger import Ledger
from workers.orders import BadOrder, KeyUsed, Orders
from workers.pauses import Pauses

if TYPE_CHECKING:
    from redis import Redis

    from service.sandbox import Sandbox
    from tests.workers.conftest import House

NO_RULE = "version: 1\nrules: []\n"
RELEASING = f"{GREET}    release: {{when: last_human_left, after: 30s}}\n"


@pytest.fixture
def orders(redis: Redis) -> Orders:
    return Orders(redis)


@pytest.fixture
def server(house: House) -> str:
    return house.settings.servers[0].id


def begin(house: House, rules: str = NO_RULE) -> None:
    house.rules.write_text(rules)
    house.start_worker()


def found(house: House, dispatch_id: str) -> dict[str, Any]:
    dispatch = Ledger(house.redis).dispatch(dispatch_id)
    assert dispatch is not None
    return dispatch


def state(house: House, dispatch_id: str) -> str:
    return str(found(house, dispatch_id)["state"])


def agents(sandbox: Sandbox, room: str) -> list[str]:
    return [i for i in sandbox.rooms.open[room].participants if i.startswith("agent-")]


class TestDispatch:
    def test_it_is_sent_as_ordered_and_joins(
        self, house: House, sandbox: Sandbox, orders: Orders, server: str
    ) -> None:
        begin(house)
        sandbox.join("a", "ana")
        ours = orders.dispatch(
            server, "a", "greeter", "staging", '{"x":1}', {"source": "hand"}, "never"
        )
        eventually(lambda: state(house, ours) == "active")
        [made] = explicit(sandbox, "a")
        assert (made.agent_name, made.deployment, made.metadata) == (
            "greeter", "staging", '{"x":1}'
        )  # fmt: skip
        assert made.attributes["source"] == "hand"
        shown = found(house, ours)
        assert shown["rule"] is None
        assert shown["rules_hash"] is None
        assert shown["event_id"] == shown["subject"] == f"lkd.order.{ours}"
        assert shown["room_sid"] == made.attributes["lkd.room_sid"]
        assert [move["state"] for move in shown["timeline"]] == ["requested", "pending", "active"]
        assert house.dispatches(rule="") == house.dispatches()

    def test_it_counts_to_no_limit_and_no_pause_stops_it(
        self, house: House, sandbox: Sandbox, orders: Orders, server: str, redis: Redis
    ) -> None:
        begin(house, f"{GREET}    limit: {{active: 1}}\n")
        sandbox.join("a", "ana")
        eventually(lambda: house.dispatches(rule="greet", state="active"))
        ours = orders.dispatch(server, "a", "greeter")
        eventually(lambda: state(house, ours) == "active")
        orders.remove(server, "a", house.dispatches(rule="greet")[0]["id"])
        eventually(lambda: house.dispatches(rule="greet", state="released"))
        sandbox.join("b", "ana")
        eventually(lambda: house.dispatches(rule="greet", room="b", state="active"))
        Pauses(redis).pause()
        another = orders.dispatch(server, "b", "greeter")
        eventually(lambda: state(house, another) == "active")

    def test_a_room_that_nobody_has_told_of_is_looked_at_first(
        self, house: House, sandbox: Sandbox, orders: Orders, server: str, redis: Redis
    ) -> None:
        """The service may be new here: its rules see who is there, as they would have."""
        house.rules.write_text(GREET)
        sandbox.join("a", "ana")
        eventually(lambda: redis.llen(f"{keys.INBOX}{server}:a") == 2)
        redis.flushall()
        house.start_worker()
        ours = orders.dispatch(server, "a", "greeter", "staging")
        eventually(lambda: state(house, ours) == "active")
        eventually(lambda: house.dispatches(rule="greet", state="active"))
        assert len(explicit(sandbox, "a")) == 2

    def test_the_next_session_of_a_name_is_told_from_the_one_that_was_known(
        self, house: House, sandbox: Sandbox, orders: Orders, server: str
    ) -> None:
        begin(house)
        sandbox.join("a", "ana")
        first = orders.dispatch(server, "a", "greeter")
        eventually(lambda: state(house, first) == "active")
        sandbox.fault("webhooks_lost")
        sandbox.delete_room("a")
        sandbox.join("a", "ben")
        sandbox.heal()
        second = orders.dispatch(server, "a", "greeter")
        eventually(lambda: state(house, second) == "active")
        assert found(house, first)["reason"] == "room_ended"
        assert len(explicit(sandbox, "a")) == 1

    @pytest.mark.parametrize("known", [False, True])
    def test_a_room_that_is_not_there_is_never_made(
        self, house: House, sandbox: Sandbox, orders: Orders, server: str, known: bool
    ) -> None:
        begin(house)
        if known:
            sandbox.join("a", "ana")
            eventually(lambda: house.redis.zcard(keys.ROOMS) == 1)
            sandbox.delete_room("a")
        ours = orders.dispatch(server, "a", "greeter")
        eventually(lambda: state(house, ours) == "failed")
        assert found(house, ours)["reason"] == "no_room: there is no such room"
        assert "a" not in sandbox.rooms.open
        eventually(lambda: house.redis.zcard(keys.DUE) == 0 or known)

    def test_the_same_key_is_the_same_dispatch(
        self, house: House, sandbox: Sandbox, orders: Orders, server: str, redis: Redis
    ) -> None:
        begin(house)
        sandbox.join("a", "ana")
        ours = orders.dispatch(server, "a", "greeter", attributes={"a": "1", "b": "2"}, key="k")
        known = orders.known(ours)
        assert known is not None
        assert known["state"] in ("requested", "pending", "active")
        eventually(lambda: state(house, ours) == "active")
        again = orders.dispatch(server, "a", "greeter", attributes={"b": "2", "a": "1"}, key="k")
        assert again == ours
        assert orders.known(ours) == Ledger(redis).dispatches(room="a").items[-1]
        for other in ({"room": "b"}, {"key": "l"}, {"key": ""}):
            asked = {"room": "a", "key": "k", **other}
            assert orders.dispatch(server, agent="other", **asked) != ours
        with pytest.raises(KeyUsed):
            orders.dispatch(server, "a", "greeter", key="k")
        eventually(lambda: redis.llen(f"{keys.INBOX}{server}:a") == 0)
        assert [d.agent_name for d in explicit(sandbox, "a")].count("greeter") == 1

    def test_an_order_that_is_in_the_inbox_twice_is_carried_out_once(
        self, house: House, sandbox: Sandbox, orders: Orders, server: str, redis: Redis
    ) -> None:
        """Its id is forgotten after an hour, its key after a day."""
        house.rules.write_text(NO_RULE)
        sandbox.join("a", "ana")
        ours = orders.dispatch(server, "a", "greeter", key="k")
        redis.delete(f"{keys.SEEN}{server}:lkd.order.{ours}")
        assert orders.dispatch(server, "a", "greeter", key="k") == ours
        inbox = f"{keys.INBOX}{server}:a"
        assert sum(b"lkd.order." in entry for entry in redis.lrange(inbox, 0, -1)) == 2
        house.start_worker()
        eventually(lambda: state(house, ours) == "active")
        eventually(lambda: redis.llen(inbox) == 0)
        assert len(explicit(sandbox, "a")) == 1

    def test_it_waits_for_a_livekit_that_is_away_and_stops_no_event(
        self, house: House, sandbox: Sandbox, orders: Orders, server: str
    ) -> None:
        begin(house, GREET)
        sandbox.join("a", "ana")
        eventually(lambda: house.dispatches(rule="greet", state="active"))
        sandbox.fault("unavailable")
        ours = orders.dispatch(server, "a", "greeter", "staging")
        eventually(lambda: state(house, ours) == "requested")
        sandbox.heal("unavailable")
        eventually(lambda: state(house, ours) == "active")
        assert len(explicit(sandbox, "a")) == 2

    def test_nothing_is_known_of_the_room_while_livekit_is_away(
        self, house: House, sandbox: Sandbox, orders: Orders, server: str
    ) -> None:
        sandbox.fault("webhooks_lost")
        sandbox.join("a", "ana")
        sandbox.heal()
        sandbox.fault("unavailable")
        begin(house)
        ours = orders.dispatch(server, "a", "greeter")
        eventually(lambda: sandbox.calls.of("ListRooms"))
        waiting = orders.known(ours)
        assert waiting is not None
        assert (waiting["state"], waiting["created_at"] is None) == ("requested", False)
        sandbox.heal()
        eventually(lambda: state(house, ours) == "active")
        assert len(explicit(sandbox, "a")) == 1

    def test_one_that_its_worker_died_of_can_be_given_again(
        self, house: House, sandbox: Sandbox, orders: Orders, server: str, redis: Redis
    ) -> None:
        house.rules.write_text(NO_RULE)
        sandbox.fault("webhooks_lost", rooms=["a"])
        sandbox.join("a", "ana")
        sandbox.heal()
        ours = orders.dispatch(server, "a", "greeter")
        trying = {"trying": f"lkd.order.{ours}", "tries": 3}
        redis.hset(f"{keys.ROOM}{server}:a", mapping=trying)
        house.start_worker()
        [letter] = eventually(DeadLetters(redis).list)
        assert Ledger(redis).dispatch(ours) is None
        assert DeadLetters(redis).replay(letter.id)
        eventually(lambda: state(house, ours) == "active")
        assert DeadLetters(redis).list() == []

    @pytest.mark.parametrize(
        ("field", "asked"),
        [
            ("agent", {"agent": " "}),
            ("agent", {"agent": "a\ud800"}),
            ("deployment", {"deployment": "a_b"}),
            ("metadata", {"metadata": "x" * 524_289}),
            ("attributes", {"attributes": {"a": "x" * 65_536}}),
            ("restart_policy", {"restart_policy": "sometimes"}),
            ("room", {"room": ""}),
        ],
    )
    def test_what_livekit_would_refuse_is_refused_at_once(
        self, orders: Orders, redis: Redis, field: str, asked: dict[str, Any]
    ) -> None:
        with pytest.raises(BadOrder) as refused:
            orders.dispatch("s1", **{"room": "a", "agent": "greeter", **asked})
        assert refused.value.field == field
        assert redis.dbsize() == 0


class TestRemove:
    @pytest.mark.parametrize("rules", [GREET, RELEASING])
    def test_the_agent_goes_and_its_rule_sends_none_again_in_this_session(
        self, house: House, sandbox: Sandbox, orders: Orders, server: str, rules: str
    ) -> None:
        begin(house, rules)
        sandbox.join("a", "ana")
        [sent] = eventually(lambda: house.dispatches(state="active"))
        orders.remove(server, "a", sent["id"])
        eventually(lambda: state(house, sent["id"]) == "released")
        assert found(house, sent["id"])["reason"] == "held: removed by hand"
        eventually(lambda: agents(sandbox, "a") == [])
        sandbox.join("a", "ben")
        event = eventually(lambda: [e for e in house.events() if "ben" in str(e["body"])])[0]
        assert [d["reason"] for d in event["decisions"]] == ["held"]
        assert explicit(sandbox, "a") == []
        sandbox.delete_room("a")
        sandbox.join("a", "ana")
        eventually(lambda: house.dispatches(state="active"))

    def test_no_fallback_takes_over_from_one_that_waits_for_its_agent(
        self, house: House, sandbox: Sandbox, orders: Orders, server: str
    ) -> None:
        ladder = "    join_within: 60s\n    fallback: [{deployment: staging}]\n"
        begin(house, GREET.replace("{agent: greeter}", "{agent: nobody}") + ladder)
        sandbox.join("a", "ana")
        [sent] = eventually(lambda: house.dispatches(state="pending"))
        orders.remove(server, "a", sent["id"])
        eventually(lambda: [d["state"] for d in house.dispatches()] == ["released"])
        eventually(lambda: explicit(sandbox, "a") == [])

    def test_one_that_is_delayed_is_never_sent(
        self, house: House, sandbox: Sandbox, orders: Orders, server: str
    ) -> None:
        begin(house, f"{GREET}    after: 60s\n")
        sandbox.join("a", "ana")
        [sent] = eventually(lambda: house.dispatches(state="scheduled"))
        orders.remove(server, "a", sent["id"])
        eventually(lambda: state(house, sent["id"]) == "released")
        eventually(lambda: house.redis.zcard(keys.DUE) == 0)
        assert explicit(sandbox, "a") == []

    def test_one_whose_call_is_unclear_is_looked_for_and_deleted(
        self, house: House, sandbox: Sandbox, orders: Orders, server: str
    ) -> None:
        begin(house, GREET)
        sandbox.fault("unavailable_after_work", "CreateDispatch")
        sandbox.join("a", "ana")
        [sent] = eventually(lambda: house.dispatches(state="requested"))
        eventually(lambda: len(found(house, sent["id"])["timeline"]) > 1)
        sandbox.heal()
        orders.remove(server, "a", sent["id"])
        eventually(lambda: state(house, sent["id"]) == "released")
        eventually(lambda: explicit(sandbox, "a") == [] and agents(sandbox, "a") == [], 25)

    def test_one_that_is_still_in_the_inbox_goes_too(
        self, house: House, sandbox: Sandbox, orders: Orders, server: str
    ) -> None:
        house.rules.write_text(NO_RULE)
        sandbox.join("a", "ana")
        ours = orders.dispatch(server, "a", "greeter")
        orders.remove(server, "a", ours)
        house.start_worker()
        eventually(lambda: state(house, ours) == "released")
        assert explicit(sandbox, "a") == []

    def test_one_that_is_over_or_unknown_stays_as_it_is(
        self, house: House, sandbox: Sandbox, orders: Orders, server: str, redis: Redis
    ) -> None:
        begin(house, GREET)
        sandbox.join("a", "ana")
        [sent] = eventually(lambda: house.dispatches(state="active"))
        orders.remove(server, "a", sent["id"])
        eventually(lambda: state(house, sent["id"]) == "released")
        before = found(house, sent["id"])
        for dispatch_id in (sent["id"], "D" + 20 * "0"):
            orders.remove(server, "a", dispatch_id)
        orders.remove(server, "nowhere", sent["id"])
        inboxes = [f"{keys.INBOX}{server}:{room}" for room in ("a", "nowhere")]
        eventually(lambda: redis.exists(*inboxes) == 0)
        assert found(house, sent["id"]) == before


class TestRemoveAgent:
    def test_one_that_we_have_sent_goes_with_its_dispatch(
        self, house: House, sandbox: Sandbox, orders: Orders, server: str
    ) -> None:
        begin(house, GREET)
        sandbox.join("a", "ana")
        [sent] = eventually(lambda: house.dispatches(state="active"))
        orders.remove_agent(server, "a", sent["agent_identity"])
        eventually(lambda: state(house, sent["id"]) == "released")
        eventually(lambda: explicit(sandbox, "a") == [] and agents(sandbox, "a") == [])

    def test_one_that_is_not_known_as_ours_yet_goes_with_its_dispatch(
        self, house: House, sandbox: Sandbox, orders: Orders, server: str
    ) -> None:
        begin(house)
        sandbox.fault("webhooks_lost", rooms=["b"])
        sandbox.join("b", "ana")
        ours = orders.dispatch(server, "b", "greeter")
        eventually(lambda: state(house, ours) == "pending")
        [identity] = eventually(lambda: agents(sandbox, "b"))
        orders.remove_agent(server, "b", identity)
        eventually(lambda: state(house, ours) == "released")
        eventually(lambda: explicit(sandbox, "b") == [] and agents(sandbox, "b") == [])

    def test_a_strangers_goes_and_nobody_else(
        self, house: House, sandbox: Sandbox, orders: Orders, server: str
    ) -> None:
        sandbox.add_worker(Worker("", accept_delay=0.02, join_delay=0.02))
        begin(house, GREET)
        sandbox.join("a", "ana")
        [sent] = eventually(lambda: house.dispatches(state="active"))
        eventually(lambda: len(agents(sandbox, "a")) == 2)
        [stranger] = set(agents(sandbox, "a")) - {sent["agent_identity"]}
        orders.remove_agent(server, "a", "ana")
        orders.remove_agent(server, "a", "nobody")
        orders.remove_agent(server, "a", stranger)
        eventually(lambda: agents(sandbox, "a") == [sent["agent_identity"]])
        throughout(lambda: "ana" in sandbox.rooms.open["a"].participants, 0.3)
        assert state(house, sent["id"]) == "active"
