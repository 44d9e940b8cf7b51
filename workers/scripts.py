"""The Lua scripts: read from the files beside this one, called by their digest.

On an event loop, calls share pipelines: with many rooms in flight, or many webhooks, a round trip
for each would be most of the cost of talking to Redis.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError

from workers.copies import WAIT, checked, is_copied

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis
    import redis.asyncio

Arg = str | int | bytes
FLIGHTS: Final = 4
"""Round trips under way at once: fewer leave the loop waiting where Redis is far, and more carry
less each."""


@dataclass(frozen=True, slots=True)
class Script:
    """One script file and its digest."""

    name: str
    text: str
    sha: str


def _read(name: str) -> Script:
    text = resources.files("workers").joinpath(f"{name}.lua").read_text("utf-8")
    return Script(name, text, hashlib.sha1(text.encode()).hexdigest())  # noqa: S324 - Redis's digest


ACCEPT: Final = _read("accept")
CLAIM: Final = _read("claim")
COMMIT: Final = _read("commit")
RELEASE: Final = _read("release")
LEASE: Final = _read("lease")
PAGE: Final = _read("page")
FORGET: Final = _read("forget")
REWRITE: Final = _read("rewrite")
NOTE: Final = _read("note")
SHARE_NOTICES: Final = _read("share_notices")
NOTICE_TOLD: Final = _read("notice_told")
TAKE: Final = _read("take")
COUNT: Final = _read("count")
FLEET: Final = _read("fleet")


def call(redis: redis.Redis, script: Script, keys: Sequence[str], args: Sequence[Arg]) -> Any:  # noqa: ANN401 - as the script answers
    """Run a script now, loading it if this server does not know it.

    Raises:
        RedisError: Redis could not be reached or refused.
    """
    try:
        return redis.evalsha(script.sha, len(keys), *keys, *args)
    except NoScriptError:
        return redis.eval(script.text, len(keys), *keys, *args)


def call_copied(
    redis: redis.Redis, script: Script, keys: Sequence[str], args: Sequence[Arg]
) -> Any:  # noqa: ANN401 - as the script answers
    """The same, and behind sentinels wait until a replica has what it wrote.

    Raises:
        NotCopied: none has confirmed it.
        RedisError: Redis could not be reached or refused.
    """
    if not is_copied(redis):
        return call(redis, script, keys, args)
    answer = _copied(redis, "EVALSHA", script.sha, len(keys), *keys, *args)
    if isinstance(answer, NoScriptError):
        answer = _copied(redis, "EVAL", script.text, len(keys), *keys, *args)
    if isinstance(answer, Exception):
        raise answer
    return answer


def _copied(redis: redis.Redis, *command: Arg) -> Any:  # noqa: ANN401 - as the script answers
    with redis.pipeline(transaction=False) as pipe:
        pipe.execute_command(*command)  # type: ignore[no-untyped-call]
        pipe.execute_command(*WAIT)  # type: ignore[no-untyped-call]
        return checked(*pipe.execute(raise_on_error=False))


class _Call(NamedTuple):
    """A call that waits for its round trip."""

    answer: asyncio.Future[Any]
    script: Script
    args: tuple[Arg, ...]
    copied: bool


class ScriptRunner:
    """Runs scripts for the coroutines of one loop, many calls in one round trip.

    Args:
        redis: the client of that loop.
        flights: how many round trips may be under way; what is called meanwhile shares the next.
    """

    def __init__(self, redis: redis.asyncio.Redis, flights: int = FLIGHTS) -> None:
        self.redis = redis
        self._flights = flights
        self._is_copied = is_copied(redis)
        self._waiting: list[_Call] = []
        self._sends: set[asyncio.Task[None]] = set()

    async def call(
        self, script: Script, keys: Sequence[str], args: Sequence[Arg], *, copied: bool = False
    ) -> Any:  # noqa: ANN401
        """Run a script.

        Args:
            script: which.
            keys: as it takes them.
            args: as it takes them.
            copied: behind sentinels wait until a replica has what it wrote.

        Raises:
            NotCopied: none has confirmed it.
            RedisError: Redis could not be reached or refused. A lost connection says nothing of
                whether the script ran.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        if not self._waiting and len(self._sends) < self._flights:
            loop.call_soon(self._send)
        copied = copied and self._is_copied
        self._waiting.append(_Call(answer, script, (len(keys), *keys, *args), copied))
        return await answer

    async def sent(self) -> None:
        """Wait until nothing is under way, called by whomever."""
        while self._sends:
            await asyncio.wait(set(self._sends))

    def _send(self) -> None:
        if not self._waiting:
            return
        calls, self._waiting = self._waiting, []
        task = asyncio.create_task(self._run(calls))
        self._sends.add(task)
        task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sends.discard(task)
        self._send()

    async def _run(self, calls: list[_Call]) -> None:
        try:
            answers = await self._pipelined(calls)
        except OSError as error:
            answers = [RedisConnectionError(str(error))] * len(calls)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            answers = [error] * len(calls)
        for each, answer in zip(calls, answers, strict=True):
            if each.answer.cancelled():
                continue
            if isinstance(answer, Exception):
                each.answer.set_exception(answer)
            else:
                each.answer.set_result(answer)

    async def _pipelined(self, calls: list[_Call]) -> list[Any]:
        """The answer to each, or what it raises. One WAIT is for all of them."""
        waits = any(each.copied for each in calls)
        async with self.redis.pipeline(transaction=False) as pipe:
            for each in calls:
                pipe.execute_command("EVALSHA", each.script.sha, *each.args)
            if waits:
                pipe.execute_command(*WAIT)
            answers: list[Any] = await pipe.execute(raise_on_error=False)
            told = answers.pop() if waits else None
            for n, each in enumerate(calls):
                if isinstance(answers[n], NoScriptError):  # it did not run: run it by its text
                    pipe.execute_command("EVAL", each.script.text, *each.args)
                    if each.copied:
                        pipe.execute_command(*WAIT)
                    answers[n], *more = await pipe.execute(raise_on_error=False)
                    answers[n] = checked(answers[n], *more) if more else answers[n]
                elif each.copied:
                    answers[n] = checked(answers[n], told)
        return answers
