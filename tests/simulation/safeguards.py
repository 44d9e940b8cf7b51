"""The service without one of its safeguards, to see that the simulation misses it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import rules.session
from workers import calls, settle
from workers.dispatch import Step
from workers.settle import Stepped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from workers.dispatch import Dispatch
    from workers.inbox import Hold
    from workers.tools import Tools

_create = settle.create


@dataclass(frozen=True)
class Without:
    """One safeguard less."""

    scripts: Mapping[str, tuple[str, str]]
    """By name of the script, what its text has, and has not, of the safeguard."""
    functions: tuple[tuple[Any, str, Callable[..., Any]], ...] = ()
    """A module, the name of its function, and what takes its place."""

    def change(self, name: str, text: str) -> str:
        """The text of a script without the safeguard."""
        if name not in self.scripts:
            return text
        before, after = self.scripts[name]
        assert before in text
        return text.replace(before, after)

    @contextmanager
    def removed(self) -> Iterator[None]:
        """The functions are replaced for as long as the block lasts."""
        with ExitStack() as stack:
            for module, name, function in self.functions:
                stack.enter_context(patch.object(module, name, function))
            yield


async def _repeat_if_unclear(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
    stepped = await _create(dispatch, hold, tools)
    if stepped.dispatch.step is not Step.SETTLE:
        return stepped
    return Stepped(replace(stepped.dispatch, step=Step.CREATE, due=tools.queue.now()))


_FENCE: Final = "if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[2] then"
_SEEN: Final = "if not redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[3]) then"
_NEVER: Final = "if false then"

SAFEGUARDS: Final[Mapping[str, Without]] = {
    "the fence": Without({"commit": (_FENCE, _NEVER), "release": (_FENCE, _NEVER)}),
    "settling": Without({}, ((settle, "create", _repeat_if_unclear),)),
    "the look before late calls": Without({}, ((calls, "_must_look", lambda *_: []),)),
    "tombstones": Without({}, ((rules.session, "_gone", lambda *_: {}),)),
    "dedupe": Without({"accept": (_SEEN, _NEVER)}),
}
