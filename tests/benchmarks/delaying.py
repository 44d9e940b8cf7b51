"""A proxy that stands on the way to Redis and makes it farther away.

    python -m tests.benchmarks.delaying ADDRESS PORT TO_PORT MILLISECONDS

Each direction takes half of it. The loop waits in `select`, whose time-outs are microseconds; those
of epoll are whole milliseconds.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
import sys


class _Pipe(asyncio.Protocol):
    """One end of a connection: what it reads, the other writes later."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._other: asyncio.Transport | None = None
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def join(self, other: asyncio.Transport) -> None:
        self._other = other
        for data in self._early:
            self.data_received(data)

    def data_received(self, data: bytes) -> None:
        if self._other is None:
            self._early.append(data)
            return
        asyncio.get_running_loop().call_later(self._seconds, self._other.write, data)

    def connection_lost(self, _: Exception | None) -> None:
        if self._other is not None:
            asyncio.get_running_loop().call_later(self._seconds, self._other.close)


async def _serve(address: str, port: int, to_port: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    opening: set[asyncio.Task[None]] = set()

    async def connect(near: _Pipe) -> None:
        _, far = await loop.create_connection(lambda: _Pipe(seconds), address, to_port)
        far.join(near.transport)
        near.join(far.transport)

    class Near(_Pipe):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            task = loop.create_task(connect(self))
            opening.add(task)
            task.add_done_callback(opening.discard)

    server = await loop.create_server(lambda: Near(seconds), address, port, backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    _address, _port, _to, _milliseconds = sys.argv[1:]
    with asyncio.Runner(
        loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())
    ) as runner:
        runner.run(_serve(_address, int(_port), int(_to), float(_milliseconds) / 2000))
