"""What commands have done is in the log of the service, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from tests.waiting import eventually, throughout
from tests.workers.conftest import GREET
from workers.audit import COMMAND_LINE, Act, Audit, note

if TYPE_CHECKING:
    from tests.workers.conftest import House


def test_a_worker_logs_what_commands_did_and_web_processes_log_the_rest(house: House) -> None:
    house.rules.write_text(GREET)
    command = Act(f"{COMMAND_LINE} ana", "host", "pause", {"rule": "greet"}, "done")
    with capture_logs() as lines:
        note(house.redis, command, logs=False)
        note(house.redis, Act("admin token", "::1", "look", {"room": "a"}, "accepted"))
        house.start_worker()
        house.start_worker()

        def told() -> list[str]:
            return [line["who"] for line in lines if line["event"] == "audit"]

        eventually(lambda: f"{COMMAND_LINE} ana" in told())
        note(house.redis, Act(f"{COMMAND_LINE} ben", "host", "resume", {}, "done"), logs=False)
        eventually(lambda: f"{COMMAND_LINE} ben" in told())
        throughout(lambda: len(told()) == 3, 2.5)
    assert told() == ["admin token", f"{COMMAND_LINE} ana", f"{COMMAND_LINE} ben"]
    assert [act["what"] for act in Audit(house.redis).last()] == ["resume", "look", "pause"]
