"""Whether agents are sent at all, as this process and the workers have been told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

    from workers.presence import AtWork

DRY_RUN: Final = "DISPATCHER_DRY_RUN=true: everything is decided, and no agent is sent"


def dry_run_told(at_work: Collection[AtWork], *, here: bool) -> str:
    """What there is to say of a dry run; nothing where nobody does one.

    Args:
        at_work: the workers that are: it is they who send, whatever this process was told.
        here: whether this process has `DISPATCHER_DRY_RUN`.
    """
    dry = sum(each.dry_run for each in at_work)
    if here and dry < len(at_work):
        return (
            f"DISPATCHER_DRY_RUN=true here, and {len(at_work) - dry} of {len(at_work)} workers send"
            " agents all the same; set it there too, or nowhere"
        )
    if here:
        return DRY_RUN
    if dry:
        return (
            f"{dry} of {len(at_work)} workers have DISPATCHER_DRY_RUN=true, and send no agent for"
            " what they decide; unset it there when they are to send agents"
        )
    return ""
