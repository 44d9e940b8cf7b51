"""A room that is open for weeks is not remembered whole."""

from __future__ import annotations

from rules.event import Event
from rules.session import TOMBSTONES, Session, observe


def visit(session: Session, number: int) -> Session:
    room = {"sid": "RM_1", "name": "lobby"}
    who = {"sid": f"PA_{number}", "identity": f"visitor-{number}"}
    for name in ("participant_joined", "participant_left"):
        event = Event(id=f"{name}-{number}", name=name, at=1.0, project="key",
                      room=room, participant=who)  # fmt: skip
        session, _ = observe(session, event)
    return session


def test_only_the_last_who_left_are_remembered() -> None:
    session = Session("RM_1")
    for number in range(3 * TOMBSTONES):
        session = visit(session, number)
    assert not session.participants
    assert len(session.gone) == TOMBSTONES
    assert list(session.gone)[-1] == f"PA_{3 * TOMBSTONES - 1}"


def test_who_left_twice_is_remembered_once() -> None:
    session = visit(visit(Session("RM_1"), 1), 1)
    assert session.gone == {"PA_1": "STANDARD"}
