"""`dispatcher doctor`: looks at everything, says what to do, hangs nowhere and shows no secret."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from service.doctor import examine
from service.doctor.side_by_side import SECONDS
from service.sandbox import Sandbox, running
from service.sandbox.videosdk import VideoSdkSandbox
from tests.ports import free_port
from tests.service.cli import dispatcher
from tests.service.conftest import RULES
from tests.service.signed import ADMIN_TOKEN, KEY, SECRET
from tests.up import Up
from tests.waiting import eventually
from workers import keys
from workers.connection import embedded_socket
from workers.schema import SCHEMA
from workers.settings import load_settings

MINUTE = 60


class Server(ThreadingHTTPServer):
    """Answers every request with an empty object; its clock is that much ahead."""

    daemon_threads = True
    ahead = 0.0
    rooms: tuple[dict, ...] = ()
    page = b""


class Answer(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self):
        self.send_response_only(200)
        if self.server.ahead is not None:
            self.send_header("Date", formatdate(time.time() + self.server.ahead, usegmt=True))
        content = self.server.page or json.dumps({"rooms": self.server.rooms}).encode()
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def livekit():
    server = Server(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def here(environ, livekit):
    """An environment in which nothing fails but that nobody works."""
    return {**environ, "LIVEKIT_URL": f"http://127.0.0.1:{livekit.server_port}"}


@contextmanager
def silent():
    """An address where connections are taken and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def looked(environ, check=None):
    """All findings, or those of a check: `(status, found; todo)`."""
    told = [
        (each.check, each.status.value, f"{each.found}; {each.todo}") for each in examine(environ)
    ]
    assert SECRET not in str(told)
    assert ADMIN_TOKEN not in str(told)
    return told if check is None else [(s, words) for name, s, words in told if name == check]


def one(environ, check):
    [found] = looked(environ, check)
    return found


def test_where_all_is_well_it_says_so_and_a_pipe_gets_plain_lines(tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}/webhooks/livekit"
    with running(Sandbox(webhook_urls=[url])) as sandbox:
        environ = {
            "LIVEKIT_URL": sandbox.url,
            "LIVEKIT_API_KEY": sandbox.key,
            "LIVEKIT_API_SECRET": sandbox.secret,
        }
        with Up(tmp_path, RULES, environ, port=port) as up:
            sandbox.join("support-1", "ana")
            told = eventually(lambda: _well(up.run("doctor")), timeout=30)
    lines = told.splitlines()
    assert all(line.startswith(("ok: ", "warning: ", "failed: ")) for line in lines)
    names = [line.split(": ")[1] for line in lines]
    assert names == [
        "settings", "redis", "redis round trip", "redis persistence", "redis eviction",
        "redis memory", "redis replication", "redis clock", "redis state", "livekit",
        "livekit clock", "livekit webhooks", "rules", "workers", "pauses", "reconcile",
        "admin token", "data directory", "open files",
    ]  # fmt: skip
    webhooks = lines[names.index("livekit webhooks")]
    assert f"posts to {url}; the last came" in webhooks
    assert f"ago, signed by {sandbox.key}" in webhooks
    assert sandbox.secret not in told


def _well(done):
    return done.returncode == 0 and "ok: livekit webhooks" in done.stdout and done.stdout


def test_settings_that_cannot_be_used_are_a_finding_like_others():
    done = dispatcher("doctor", environ={"REDIS_URL": "http://:hush@x"})
    assert done.returncode == 1
    assert done.stdout.startswith("failed: settings: REDIS_URL='http://:***@x' is not allowed")
    assert "hush" not in done.stdout + done.stderr


def test_json_and_the_exit_status(here):
    done = dispatcher("doctor", "--json", environ=here)
    told = json.loads(done.stdout)
    assert (done.returncode, told["status"]) == (1, "failed"), "nobody is at work"
    assert {tuple(check) for check in told["checks"]} == {("check", "status", "found", "todo")}
    assert SECRET not in done.stdout + done.stderr


def test_without_any_provider_it_says_what_to_set(environ):
    for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"):
        del environ[name]
    status, words = one(environ, "settings")
    assert (status, "set LIVEKIT_URL" in words) == ("failed", True)


def test_a_dry_run_is_told(here):
    status, words = one({**here, "DISPATCHER_DRY_RUN": "true"}, "settings")
    assert (status, "no agent is sent" in words) == ("warning", True)


def test_without_redis_what_only_it_could_tell_is_left_out(here):
    found = looked({**here, "REDIS_URL": "redis://:hush-hush@127.0.0.1:1"})
    of_redis = [each for each in found if each[0].startswith("redis")]
    assert [(name, status) for name, status, _ in of_redis] == [("redis", "failed")]
    assert "check the server and REDIS_URL" in of_redis[0][2]
    assert "hush-hush" not in str(found)
    assert not {"workers", "pauses", "reconcile", "livekit webhooks"} & {name for name, *_ in found}
    assert ("livekit", "ok") in {(name, status) for name, status, _ in found}


def test_servers_that_hang_cost_five_seconds_together(here):
    with silent() as redis_port, silent() as livekit_port, silent() as other_port:
        environ = {
            **here,
            "REDIS_URL": f"redis://127.0.0.1:{redis_port}",
            "LIVEKIT_URL": f"http://127.0.0.1:{livekit_port}",
            "VIDEOSDK_TOKEN": "hush-hush-hush",
            "VIDEOSDK_URL": f"http://127.0.0.1:{other_port}",
        }
        began = time.monotonic()
        found = looked(environ)
        took = time.monotonic() - began
    failing = [name for name, status, _ in found if status == "failed"]
    assert failing == ["redis", "livekit", "videosdk"]
    assert took < 2 * SECONDS  # a busy machine adds to it; one after the other they take more


@pytest.mark.parametrize(
    ("ahead", "status"),
    [(0, "ok"), (-2, "ok"), (4, "warning"), (-30, "warning"), (70, "failed"), (-90, "failed")],
)
def test_a_clock_that_differs(here, livekit, ahead, status):
    livekit.ahead = ahead
    told, words = one(here, "livekit clock")
    assert told == status
    assert ("ahead of" in words, "behind" in words) == (
        ahead > 0, ahead < -2,
    )  # fmt: skip
    assert (status == "ok") == ("NTP" not in words)


def test_a_server_that_tells_no_time_is_not_judged_by_it(here, livekit):
    livekit.ahead = None
    assert looked(here, "livekit clock") == []


def test_keys_are_tried_each(environ):
    with running(Sandbox(webhook_urls=[])) as sandbox:
        environ |= {
            "LIVEKIT_URL": sandbox.url,
            "LIVEKIT_API_KEY": sandbox.key,
            "LIVEKIT_API_SECRET": sandbox.secret,
            "LIVEKIT_KEYS": f"old: {SECRET}",
        }
        good, old = looked(environ, "livekit")
        wrong = {**environ, "LIVEKIT_API_SECRET": "x" * 32}
        refused, _ = looked(wrong, "livekit")
    assert (good[0], old[0], refused[0]) == ("ok", "warning", "failed")
    assert f"with the key {sandbox.key}: accepted" in good[1]
    assert "remove it from LIVEKIT_KEYS" in old[1]
    assert "check LIVEKIT_API_KEY and LIVEKIT_API_SECRET" in refused[1]
    assert "x" * 32 not in refused[1]


def test_nobody_at_the_address(environ):
    status, words = one({**environ, "LIVEKIT_URL": "ws://127.0.0.1:1"}, "livekit")
    assert status == "failed"
    assert "cannot connect to LiveKit at 127.0.0.1:1" in words
    assert "check LIVEKIT_URL" in words


@pytest.mark.parametrize("page", [b"<html>", b"[]", b'{"rooms": 7}', b'"' + b"[" * 100_000])
def test_what_answers_is_something_else(here, livekit, page):
    livekit.page = page
    status, words = one(here, "livekit")
    assert (status, "is not LiveKit; check LIVEKIT_URL" in words) == ("failed", True)


def test_a_socket_directory_of_somebody_elses(here, tmp_path):
    del here["REDIS_URL"]
    data = tmp_path / ("x" * 110)
    here["DISPATCHER_DATA"] = str(data)
    directory = embedded_socket(data).parent
    directory.mkdir(mode=0o755)
    try:
        found = looked(here)
    finally:
        directory.rmdir()
    assert [(name, status) for name, status, _ in found if name.startswith("redis")] == [
        ("redis", "failed")
    ]


def test_no_webhook_has_ever_come(here):
    status, words = one(here, "livekit webhooks")
    assert status == "warning"
    assert "post to http://127.0.0.1:8080/webhooks/livekit" in words


def test_a_room_whose_webhooks_did_not_come_is_a_failure(here, livekit, redis, settings):
    now = time.time()
    server_id = _server_id(here)
    redis.hset(keys.HEARD, f"{server_id}:{KEY}", int((now - 60 * MINUTE) * 1000))
    assert one(here, "livekit webhooks")[0] == "ok"
    livekit.rooms = ({"name": "old", "creation_time": str(int(now - 90 * MINUTE))},
                     {"name": "new", "creation_time": str(int(now - 5))})  # fmt: skip
    assert one(here, "livekit webhooks")[0] == "ok"
    livekit.rooms += ({"name": "lost", "creation_time": str(int(now - 10 * MINUTE))},)
    status, words = one(here, "livekit webhooks")
    assert status == "failed"
    assert "the last came 60 min ago" in words
    assert "none of the room 'lost'" in words


def _server_id(environ):
    return load_settings(environ).servers[0].id


def test_webhooks_that_cannot_reach_this_machine(here):
    assert looked(here, "webhook address") == []
    far = {**here, "LIVEKIT_URL": "wss://livekit.invalid"}
    status, words = one(far, "webhook address")
    assert (status, "set DISPATCHER_HOST=0.0.0.0" in words) == ("warning", True)


def test_videosdk(here):
    with running(VideoSdkSandbox(webhook_urls=[], agents=[])) as stand_in:
        environ = {
            **here,
            "VIDEOSDK_API_KEY": stand_in.key,
            "VIDEOSDK_SECRET": stand_in.secret,
            "VIDEOSDK_URL": stand_in.url,
        }
        found = {name: (s, words) for name, s, words in looked(environ) if "videosdk" in name}
        refused = one({**environ, "VIDEOSDK_SECRET": "y" * 32}, "videosdk")
    statuses = {name: status for name, (status, _) in found.items()}
    assert statuses == {
        "videosdk": "ok", "videosdk clock": "ok", "videosdk signing key": "ok",
        "videosdk webhooks": "warning",
    }  # fmt: skip
    assert "/webhooks/videosdk" in found["videosdk webhooks"][1]
    assert refused[0] == "failed"
    assert "check VIDEOSDK_API_KEY and VIDEOSDK_SECRET" in refused[1]


@pytest.fixture
def configured(redis):
    """Sets the server's configuration for one test."""
    before = {}

    def configure(name, value):
        if name not in before:  # as it was before the first of several changes
            before.update(redis.config_get(name))
        redis.config_set(name, value)

    yield configure
    for name, value in before.items():
        redis.config_set(name, value)


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_redis_that_throws_keys_away(here, configured, policy):
    configured("maxmemory-policy", policy)
    status, words = one(here, "redis eviction")
    assert status == "failed"
    assert f"maxmemory-policy is {policy}" in words
    assert "set maxmemory-policy to noeviction" in words


def test_a_redis_that_is_full(here, configured, redis):
    used = redis.info("memory")["used_memory"]
    configured("maxmemory", str(4 * used))
    assert one(here, "redis memory")[0] == "ok"
    configured("maxmemory", str(used // 2))
    status, words = one(here, "redis memory")
    assert (status, "give it more memory" in words) == ("failed", True)


def test_a_redis_whose_replicas_are_away(here, configured):
    assert "without replicas" in one(here, "redis replication")[1]
    configured("min-replicas-to-write", "1")
    status, words = one(here, "redis replication")
    assert (status, "min-replicas-to-write is 1, and 0 are connected" in words) == ("failed", True)


def test_a_replica_is_not_where_to_write(here, redis):
    redis.replicaof("127.0.0.1", "1")
    try:
        status, words = one(here, "redis replication")
    finally:
        redis.replicaof("NO", "ONE")
    assert (status, "set REDIS_URL to its primary" in words) == ("failed", True)


def test_state_of_a_newer_version(here, redis):
    assert "nothing is kept there yet" in one(here, "redis state")[1]
    redis.set(keys.SCHEMA, SCHEMA + 1)
    status, words = one(here, "redis state")
    assert (status, f"of schema version {SCHEMA + 1}" in words) == ("failed", True)
    assert redis.get(keys.SCHEMA) == str(SCHEMA + 1).encode()


def test_rules_that_do_not_load_are_told_with_their_places(here, rules_file):
    rules_file.write_text("version: 1\nrules: [{id: support}]\n")
    status, words = looked(here, "rules")[0]
    assert (status, words.startswith(f"{rules_file}:2:9: error: ")) == ("failed", True)


def test_of_many_mistakes_the_first_are_told(here, rules_file):
    rules_file.write_text(
        "version: 1\nrules:\n" + "".join(f"  - {{id: r{n}}}\n" for n in range(40))
    )
    found = looked(here, "rules")
    assert len(found) == 11
    assert "see `dispatcher rules check`" in found[-1][1]


def test_workers_and_the_rules_they_have(here, redis):
    status, words = one(here, "workers")
    assert (status, "start `dispatcher worker`" in words) == ("failed", True)
    [_, hash_] = one(here, "rules")[1].removesuffix("; ").split("hash ")
    now = redis.time()[0] * 1000
    redis.zadd(keys.WORKERS, {f"a:{hash_}": now})
    assert one(here, "workers")[0] == "ok"
    redis.zadd(keys.WORKERS, {"b:other": redis.time()[0] * 1000})
    status, words = one(here, "workers")
    assert (status, "2 at work, 1 of them by other rules" in words) == ("warning", True)


def test_workers_that_do_a_dry_run_while_this_is_none(here, redis):
    redis.zadd(keys.WORKERS, {"a:hash:dry": redis.time()[0] * 1000})
    told = " ".join(words for _, words in looked(here, "workers"))
    assert "1 of 1 workers have DISPATCHER_DRY_RUN=true" in told


def test_rules_that_are_paused(here, redis):
    redis.sadd(keys.PAUSED, "support")
    status, words = one(here, "pauses")
    assert (status, "dispatcher resume" in words) == ("warning", True)


def test_a_token_that_is_missing_and_a_data_directory_that_is_closed(here, tmp_path):
    del here["DISPATCHER_ADMIN_TOKEN"]
    assert one(here, "admin token")[0] == "warning"
    del here["REDIS_URL"]
    assert one(here, "admin token")[0] == "ok"
    assert one(here, "data directory")[0] == "ok"
    assert not (tmp_path / "data").exists(), "it only looks"
    (tmp_path / "data").mkdir(mode=0o755)
    (tmp_path / "data").chmod(0o755)
    status, words = one(here, "data directory")
    assert (status, "chmod 700" in words) == ("failed", True)


def test_it_leaves_redis_as_it_was(here, redis):
    looked(here)
    assert redis.dbsize() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a directory to somebody else")
@pytest.mark.parametrize(("uid", "who"), [(1, "daemon"), (54321, "user 54321")])
def test_a_data_directory_of_the_services_own_user(here, tmp_path, uid, who):
    del here["REDIS_URL"]
    (tmp_path / "data").mkdir(mode=0o700)
    os.chown(tmp_path / "data", uid, uid)
    status, words = one(here, "data directory")
    assert (status, f"run this as {who}, or chown it" in words) == ("failed", True)
