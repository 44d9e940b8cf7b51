"""Rules are read again when their files change, and never replaced by rules that do not load."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.waiting import eventually
from tests.workers.conftest import GREET
from workers import keys
from workers.ledger import Ledger
from workers.presence import workers_at_work
from workers.rules_in_force import RulesInForce, kept

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House

STAGING = GREET.replace("{agent: greeter}", "{agent: greeter, deployment: staging}")
BROKEN = "version: 1\nrules: [{id: greet}]\n"
SECONDS = 5
"""How soon a change must be in force."""


def hash_of(house: House) -> str:
    now = RulesInForce(str(house.rules)).look()
    assert now.ruleset is not None
    return now.ruleset.hash


def at_work_by(house: House) -> set[str]:
    return {each.rules for each in workers_at_work(house.redis).values()}


def test_a_change_is_in_force_soon_and_decisions_tell_by_which_rules(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    first = hash_of(house)
    sandbox.join("support-1", "ana")
    eventually(lambda: house.dispatches(room="support-1", state="active"))
    house.rules.write_text(STAGING)
    second = hash_of(house)
    eventually(lambda: at_work_by(house) == {second}, timeout=SECONDS)
    sandbox.join("support-2", "bo")
    [dispatch] = eventually(lambda: house.dispatches(room="support-2", state="active"))
    assert dispatch["deployment"] == "staging"
    assert [d["rules_hash"] for d in house.dispatches()] == [first, second]
    decided = [e["rules_hash"] for e in Ledger(house.redis).events(room="support-2").items]
    assert set(decided) == {second}


def test_a_pipe_among_the_rules_holds_up_neither_the_look_nor_the_end(
    house: House, sandbox: Sandbox
) -> None:
    folder = house.rules.with_suffix("")
    folder.mkdir()
    house.rules = folder
    (folder / "a.yaml").write_text(GREET)
    worker = house.start_worker()
    eventually(lambda: house.redis.exists(keys.RULES))
    os.mkfifo(folder / "b.yaml")
    watcher = RulesInForce(str(folder))
    assert [error.partition("error: ")[2] for error in watcher.look().errors] == [
        "a pipe: rules are read from files only"
    ]
    sandbox.join("support-1", "ana")
    eventually(lambda: house.dispatches(room="support-1", state="active"))
    (folder / "b.yaml").unlink()
    (folder / "a.yaml").write_text(STAGING)
    eventually(lambda: at_work_by(house) == {hash_of(house)}, timeout=SECONDS)
    worker.stop()
    worker.join()
    assert not worker.alive


def test_rules_that_do_not_load_replace_none_that_do(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    eventually(lambda: house.redis.exists(keys.RULES))
    good = hash_of(house)
    house.rules.write_text(BROKEN)
    watcher = RulesInForce(str(house.rules))
    assert watcher.look().errors
    looks = len(sandbox.calls.of())
    sandbox.join("support-1", "ana")
    [dispatch] = eventually(lambda: house.dispatches(state="active"))
    assert dispatch["rules_hash"] == good
    assert len(sandbox.calls.of()) > looks
    house.rules.write_text(STAGING)
    eventually(
        lambda: at_work_by(house) == {hash_of(house)},
        timeout=SECONDS,
    )


def test_the_last_good_rules_are_kept_for_who_starts_with_broken_files(house: House) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    eventually(lambda: house.redis.exists(keys.RULES))
    good = hash_of(house)
    house.rules.write_text(BROKEN)
    found = kept(house.redis)
    assert found is not None
    assert found.hash == good
    assert [rule.id for rule in found.rules] == ["greet"]


def test_what_was_kept_by_another_version_is_not_used(house: House) -> None:
    for text in ("{", "[]", '{"files": [["a.yaml", "version: 9"]]}', '{"files": 7}'):
        house.redis.set(keys.RULES, text)
        assert kept(house.redis) is None
