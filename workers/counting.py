"""What counts to a rule's `limit`, and what ceases to, between two records of a room."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.record import Record


def counting(before: Record, after: Record) -> tuple[tuple[str, str, int | str], ...]:
    """The dispatches that begin, go on or cease to count to a limit between two records.

    Returns:
        For each its share, its id, and how many may be live there where it begins, `"+"` where it
        goes on or takes over from one that ceases, `""` where it ceases.
    """
    were = {d.id: d for d in before.dispatches.values() if d.share and d.live}
    are = {d.id: d for d in after.dispatches.values() if d.share and d.live}
    cease = ((d.share, d.id, "") for d in were.values() if d.id not in are)
    go_on = ((d.share, d.id, "+") for d in are.values() if d.id in were)
    begin = (
        (d.share, d.id, "+" if d.follows in were else d.share_most)
        for d in are.values()
        if d.id not in were
    )
    return (*cease, *go_on, *begin)
