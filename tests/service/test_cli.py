from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.service.cli import dispatcher

COMMANDS = ["demo", "up", "serve", "worker", "doctor", "rules", "send", "replay", "dispatches",
            "agents", "rooms", "token", "pause", "resume", "forget", "audit"]  # fmt: skip
WITH_EXAMPLES = [
    ["demo"], ["up"], ["serve"], ["worker"], ["doctor"], ["rules", "check"], ["rules", "explain"],
    ["send"], ["replay"], ["dispatches", "list"], ["dispatches", "show"], ["dispatches", "export"],
    ["agents"], ["rooms"], ["token"], ["pause"], ["resume"],
    ["forget"], ["audit"],
]  # fmt: skip
WITH_JSON = [["demo"], ["doctor"], ["rules", "check"], ["rules", "explain"], ["send"], ["replay"],
             ["dispatches", "list"], ["dispatches", "show"], ["agents"], ["rooms"], ["token"],
             ["pause"], ["resume"], ["forget"], ["audit"]]  # fmt: skip


def test_help_lists_the_commands_in_the_order_one_meets_them():
    done = dispatcher("--help")
    assert done.returncode == 0
    listed = re.findall(r"^  ([a-z]+)  ", done.stdout.partition("Commands:")[2], re.MULTILINE)
    assert listed == COMMANDS
    assert "..." not in done.stdout.partition("Commands:")[2]


@pytest.mark.parametrize("command", WITH_EXAMPLES, ids=" ".join)
def test_every_command_has_help_with_an_example(command):
    done = dispatcher(*command, "--help")
    assert done.returncode == 0
    example = done.stdout.partition("\n  Example:\n")[2]
    assert re.search(rf"^    .*\bdispatcher {' '.join(command)}\b", example, re.MULTILINE)
    assert ("--json" in done.stdout) == (command in WITH_JSON)


def test_version():
    done = dispatcher("--version")
    assert re.fullmatch(r"dispatcher, version \d+\.\d+\.\d+\S*\n", done.stdout)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["worker", "--concurrency", "many"], "--concurrency"),
        (["send"], "Missing argument"),
        (["replay"], "name one file of events"),
        (["dispatches", "--since", "soon"], "it must be a duration"),
        (["dispatches", "--state", "odd"], "--state"),
        (["demo", "--json"], "--json needs --once"),
        (["rules", "explain", "{}"], "'event'"),
        (["rules", "explain", "{"], "1:2"),
        (
            ["rules", "explain", "nowhere.json"],
            "'nowhere.json' is neither a file nor a JSON object",
        ),
        (["rules", "explain", '{"event":"room_started"}', "--at", "noon"], "--at"),
        (["rules", "explain", '{"event":"room_start"}'], "did you mean 'room_started'?"),
        (["send", "[]", "--to", "ftp://x"], "'[]' is neither a file nor a JSON object"),
        (["up"], "LIVEKIT_URL is not set"),
        (["serve"], "LIVEKIT_URL is not set"),
        (["worker"], "LIVEKIT_URL is not set"),
        (["send", '{"event":"x"}'], "LIVEKIT_URL is not set"),
        (["token", "a", "--identity", "ana"], "LIVEKIT_URL is not set"),
        (["token", "a"], "--identity"),
    ],
)
def test_wrong_use_is_one_line_on_stderr_and_status_2(args, words, tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text("version: 1\nrules: []\n")
    done = dispatcher(*args, environ={"DISPATCHER_RULES": str(rules)})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_a_bad_setting_is_one_line_and_status_2():
    done = dispatcher("dispatches", environ={"REDIS_URL": "http://:hush@x"})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: REDIS_URL='http://:***@x' is not allowed: it must begin with redis://, rediss://,"
        " unix://, redis+sentinel://\n"
    )


def test_without_redis_a_command_says_what_to_do(tmp_path):
    environ = {"DISPATCHER_DATA": str(tmp_path)}
    for args in (["dispatches"], ["dispatches", "--json"], ["replay", "--dead-letters"],
                 ["pause"], ["pause", "--list"], ["resume"]):  # fmt: skip
        done = dispatcher(*args, environ=environ)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            f"error: cannot reach the embedded Valkey of {tmp_path}: is `dispatcher up` running"
            " there? Otherwise set REDIS_URL\n"
        )


def test_a_reader_that_has_had_enough_is_no_error():
    command = f"{sys.executable} -P -m service --help | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)  # noqa: S602 - as a shell would
    assert done.stderr == ""
