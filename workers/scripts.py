"""The Lua scripts: read from the files beside this one, called by their digest.

On the worker's loop, calls made in one tick share one pipeline: with many rooms in flight that is
most of the cost of talking to Redis.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis
    import redis.asyncio

Arg = str | int | bytes


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


def call(redis: redis.Redis, script: Script, keys: Sequence[str], args: Sequence[Arg]) -> Any:  # noqa: ANN401 - as the script answers
    """Run a script now, loading it if this server does not know it.

    Raises:
        RedisError: Redis could not be reached or refused.
    """
    try:
        return redis.evalsha(script.sha, len(keys), *keys, *args)
    except NoScriptError:
        return redis.eval(script.text, len(keys), *keys, *args)


class ScriptRunner:
    """Runs scripts for the coroutines of one loop, all calls of one tick in one round trip."""

    def __init__(self, redis: redis.asyncio.Redis) -> None:
        self.redis = redis
        self._waiting: list[tuple[asyncio.Future[Any], Script, tuple[Arg, ...]]] = []
        self._sends: set[asyncio.Task[None]] = set()

    async def call(self, script: Script, keys: Sequence[str], args: Sequence[Arg]) -> Any:  # noqa: ANN401
        """Run a script.

        Raises:
            RedisError: Redis could not be reached or refused. A lost connection says nothing of
                whether the script ran.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._send)
        self._waiting.append((answer, script, (len(keys), *keys, *args)))
        return await answer

    def _send(self) -> None:
        calls, self._waiting = self._waiting, []
        task = asyncio.create_task(self._run(calls))
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)

    async def _run(self, calls: list[tuple[asyncio.Future[Any], Script, tuple[Arg, ...]]]) -> None:
        try:
            answers = await self._pipelined(calls)
        except OSError as error:
            answers = [RedisConnectionError(str(error))] * len(calls)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            answers = [error] * len(calls)
        for (future, _, _), answer in zip(calls, answers, strict=True):
            if future.cancelled():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    async def _pipelined(
        self, calls: list[tuple[asyncio.Future[Any], Script, tuple[Arg, ...]]]
    ) -> list[Any]:
        async with self.redis.pipeline(transaction=False) as pipe:
            for _, script, args in calls:
                pipe.execute_command("EVALSHA", script.sha, *args)
            answers: list[Any] = await pipe.execute(raise_on_error=False)
            for n, (_, script, args) in enumerate(calls):
                if isinstance(answers[n], NoScriptError):  # it did not run: run it by its text
                    pipe.execute_command("EVAL", script.text, *args)
                    [answers[n]] = await pipe.execute(raise_on_error=False)
        return answers
