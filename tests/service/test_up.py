from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from service import embedded
from tests.environment import needed
from tests.service.conftest import RULES
from tests.service.served import alive
from tests.service.signed import ADMIN_TOKEN, KEY, SECRET, headers, joined
from tests.up import Up
from tests.waiting import eventually

LIVEKIT = {
    "LIVEKIT_URL": "ws://127.0.0.1:1",
    "LIVEKIT_API_KEY": KEY,
    "LIVEKIT_API_SECRET": SECRET,
}
TOKEN = {"DISPATCHER_ADMIN_TOKEN": ADMIN_TOKEN}


@pytest.fixture
def up(tmp_path):
    with Up(tmp_path, RULES, LIVEKIT) as running:
        yield running


def post(up, event_id):
    raw = json.dumps(joined(event_id)).encode()
    return up.post(raw, headers(raw))


def accepted(up, event_id):
    """Post like LiveKit, which tries again while there is no answer or a 503."""

    def once():
        try:
            status, answer = post(up, event_id)
        except OSError:
            return None
        return answer["status"] if status == 200 else None

    return eventually(once, timeout=20)


def processes(up):
    [valkey] = up.pids("valkey-server")
    web, web_worker = up.pids(" serve")
    [worker] = up.pids(" worker")
    return {"valkey": valkey, "web": web, "web worker": web_worker, "worker": worker}


def logged(up, event):
    return [line for line in up.log.splitlines() if f'"{event}"' in line]


@pytest.mark.parametrize("victim", ["valkey", "web", "web worker", "worker"])
def test_a_child_killed_at_any_time_comes_back_and_nothing_accepted_is_lost(up, victim):
    eventually(lambda: len(logged(up, "worker_started")) == 1, timeout=30)
    assert accepted(up, "EV_before") == "accepted"
    before = processes(up)
    os.kill(before[victim], signal.SIGKILL)
    eventually(lambda: not alive(before[victim]))
    assert accepted(up, "EV_after") == "accepted"
    eventually(lambda: (processes_or_none(up) or before)[victim] != before[victim], timeout=20)
    assert accepted(up, "EV_before") == "duplicate"
    assert not [line for line in logged(up, "child_ended") if "Traceback" in line]


def processes_or_none(up):
    try:
        return processes(up)
    except ValueError:
        return None


def test_a_killed_supervisor_leaves_no_process_and_the_next_one_finds_everything(tmp_path):
    with Up(tmp_path, RULES, LIVEKIT) as first:
        assert accepted(first, "EV_1") == "accepted"
        eventually(lambda: processes_or_none(first))
        pids = processes(first).values()
        first.process.kill()
        first.process.wait()
        eventually(lambda: not any(map(alive, pids)), timeout=3)
    with Up(tmp_path, RULES, LIVEKIT, port=first.port) as second:
        assert accepted(second, "EV_1") == "duplicate"


def test_a_valkey_found_alive_is_adopted_and_stopped_at_the_end(tmp_path):
    data = tmp_path / "data"
    embedded.prepare(data)
    left_over = subprocess.Popen(embedded.command(data))
    try:
        eventually(lambda: embedded.answers(data))
        with Up(tmp_path, RULES, LIVEKIT) as up:
            assert accepted(up, "EV_1") == "accepted"
            assert not up.pids("valkey-server")
            assert f'"pid": {left_over.pid}' in logged(up, "child_adopted")[0]
        assert left_over.wait(5) == 0
    finally:
        left_over.kill()
        left_over.wait()


def test_a_second_up_on_the_same_data_says_which_process_has_it(up):
    up.environ["DISPATCHER_PORT"] = str(up.port + 1)
    done = up.run("up")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: another `dispatcher up` (process {up.process.pid}) works in"
        f" '{up.home}/data': stop it, or set DISPATCHER_DATA to another directory\n"
    )
    assert accepted(up, "EV_1") == "accepted"


def test_a_second_up_on_the_same_port_says_so(up, tmp_path):
    done = up.run("up")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"port {up.port} of 127.0.0.1 is in use" in done.stderr


def test_it_runs_in_a_long_path_with_spaces(tmp_path):
    home = tmp_path / "my data é" / ("x" * 60)
    home.mkdir(parents=True)
    with Up(home, RULES, LIVEKIT) as up:
        assert accepted(up, "EV_1") == "accepted"
        eventually(up.dispatches, timeout=15)


def test_ctrl_c_twice_ends_everything_soon(up):
    eventually(lambda: processes_or_none(up))
    pids = list(processes(up).values())
    up.process.send_signal(signal.SIGINT)
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(15) == 0
    eventually(lambda: not any(map(alive, pids)))
    assert "Traceback" not in up.log


def test_sigterm_stops_web_and_worker_and_then_valkey(tmp_path):
    with Up(tmp_path, RULES, LIVEKIT) as up:
        eventually(lambda: logged(up, "worker_started"))
    order = [json.loads(line)["event"] for line in up.log.splitlines()]
    *stops, last = [
        event for event in order if event in {"web_stopped", "worker_stopped", "stopped"}
    ]
    assert (sorted(stops), last) == (["web_stopped", "worker_stopped"], "stopped")
    assert not logged(up, "child_killed")
    assert SECRET not in up.log


def test_rules_that_do_not_load_are_told_and_webhooks_are_kept_until_they_do(tmp_path):
    up = Up(tmp_path, "version: 1\nrules: [{id: support}]\n", LIVEKIT)
    up._ready = lambda: _healthy(up)
    with up:
        told = eventually(lambda: logged(up, "rules_do_not_load"))
        assert "rules.yaml:2:9: error" in told[0]
        assert f"DISPATCHER_RULES is {up.rules}" in told[0]
        assert accepted(up, "EV_1") == "accepted"
        up.rules.write_text(RULES)
        eventually(up.dispatches, timeout=30)
        assert len(logged(up, "rules_do_not_load")) == 1, "once, however long it lasts"
        assert not logged(up, "child_ended")


def test_a_wrong_redis_password_is_one_line(tmp_path, redis, valkey):
    redis.acl_setuser("someone", enabled=True, passwords=["+right"], commands=["+@all"])
    url = f"unix://someone:wrong@{valkey.socket}"
    try:
        for command in ("up", "serve", "worker"):
            up = Up(tmp_path, RULES, {**LIVEKIT, **TOKEN, "REDIS_URL": url})
            done = up.run(command)
            assert done.returncode == 1
            assert done.stderr.count("\n") == 1
            assert "check the user and password in REDIS_URL" in done.stderr
            assert "wrong" not in done.stderr
    finally:
        redis.acl_deluser("someone")


def _healthy(up):
    try:
        return post(up, "EV_healthy")[0] == 200
    except OSError:
        return False


def test_a_worker_that_starts_with_broken_rules_goes_on_with_the_last_good_ones(tmp_path):
    with Up(tmp_path, RULES, LIVEKIT) as first:
        eventually(lambda: logged(first, "worker_started"))
        eventually(lambda: first.run("dispatches").returncode == 0)
        [good] = [json.loads(line)["hash"] for line in logged(first, "worker_started")]
    second = Up(tmp_path, "version: 1\nrules: [{id: support}]\n", LIVEKIT)
    second._ready = lambda: _healthy(second)
    with second:
        started = eventually(lambda: logged(second, "worker_started")[1:], timeout=20)
        assert json.loads(started[0])["hash"] == good
        assert good in logged(second, "rules_kept")[0]
        assert "rules.yaml:2:9: error" in logged(second, "rules_do_not_load")[0]


def test_the_address_of_ipv6_is_told_as_a_url(tmp_path):
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        port = probe.getsockname()[1]
    environ = {
        **needed(), **LIVEKIT, **TOKEN, "DISPATCHER_HOST": "::1", "DISPATCHER_PORT": str(port),
        "DISPATCHER_DATA": str(tmp_path / "data"),
    }  # fmt: skip
    command = [sys.executable, "-P", "-m", "service", "up"]
    with (
        (tmp_path / "up.log").open("wb") as log,
        subprocess.Popen(command, env=environ, stdout=log, stderr=log) as running,
    ):
        try:
            told = eventually(
                lambda: re.search(r"post webhooks to (\S+)/webhooks/livekit; .* (http\S+/)",
                                  (tmp_path / "up.log").read_text()),
                timeout=60,
            )  # fmt: skip
            assert told[1] == f"http://[::1]:{port}"
            assert told[2] == f"http://[::1]:{port}/"
            with urllib.request.urlopen(f"{told[1]}/healthz", timeout=10) as answer:
                assert answer.status == 200
        finally:
            running.terminate()
            running.wait(30)
