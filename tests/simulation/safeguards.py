"""The service without one of its safeguards, to see that the simulation misses it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import rules.session
from workers import calls, looking, settle
from workers.dispatch import Step
from workers.drift import Drift
from workers.inbox import DueQueue
from workers.record import Record
from workers.settle import Stepped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from workers.dispatch import Dispatch
    from workers.hold import Document, Hold, Note
    from workers.tools import Tools


@dataclass(frozen=True)
class Without:
    """One safeguard less."""

    scripts: Mapping[str, tuple[str, str]]
    """By name of the script, what its text has, and has not, of the safeguard."""
    replaced: tuple[tuple[Any, str, Any], ...] = ()
    """A module or class, a name in it, and what takes its place."""

    def change(self, name: str, text: str) -> str:
        """The text of a script without the safeguard."""
        if name not in self.scripts:
            return text
        before, after = self.scripts[name]
        assert before in text
        return text.replace(before, after)

    @contextmanager
    def removed(self) -> Iterator[None]:
        """It is replaced for as long as the block lasts."""
        with ExitStack() as stack:
            for module, name, other in self.replaced:
                stack.enter_context(patch.object(module, name, other))
            yield


async def _repeat_if_unclear(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
    stepped = await settle.create(dispatch, hold, tools)
    if stepped.dispatch.step is not Step.SETTLE:
        return stepped
    return Stepped(replace(stepped.dispatch, step=Step.CREATE, due=tools.queue.now()))


async def _in_two(
    queue: DueQueue,
    hold: Hold,
    record: Record | None,
    documents: Sequence[Document] = (),
    *,
    taken: str = "",
    put: Sequence[bytes] = (),
    notes: Sequence[Note] = (),
) -> None:
    if taken:
        await _commit(queue, hold, None, taken=taken)
    await _commit(queue, hold, record, documents, put=put, notes=notes)


_commit: Final = DueQueue.commit
_REPEATING: Final = {**calls._STEPS, Step.CREATE: _repeat_if_unclear}
_FENCE: Final = "if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[2] then"
_SEEN: Final = "if not redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[3]) then"
_NEVER: Final = "if false then"

SAFEGUARDS: Final[Mapping[str, Without]] = {
    "the fence": Without({"commit": (_FENCE, _NEVER), "release": (_FENCE, _NEVER)}),
    "the one commit": Without({}, ((DueQueue, "commit", _in_two),)),
    "settling": Without({}, ((calls, "_STEPS", _REPEATING),)),
    "the look before late calls": Without({}, ((calls, "_must_look", lambda *_: []),)),
    "tombstones": Without({}, ((rules.session, "_gone", lambda *_: {}),)),
    "looks at rooms": Without({}, ((looking, "drift", lambda *_: Drift()),)),
    "respect for hands": Without({}, ((Record, "with_held", lambda record, _: record),)),
    "dedupe": Without({"accept": (_SEEN, _NEVER)}),
}
