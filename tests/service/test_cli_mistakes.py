"""Ordinary mistakes end with one line that says what is wrong, and ask nobody for a report."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.environment import needed
from tests.service.cli import dispatcher
from tests.service.signed import KEY, SECRET

if TYPE_CHECKING:
    from pathlib import Path

EVENT = '{"event":"room_started"}'
LIVEKIT = {
    "LIVEKIT_URL": "ws://127.0.0.1:1",
    "LIVEKIT_API_KEY": KEY,
    "LIVEKIT_API_SECRET": SECRET,
}
RULES = "version: 1\nrules: [{id: a, on: room_started, dispatch: {agent: greeter}}]\n"


def refused(done: subprocess.CompletedProcess[str], status: int) -> str:
    """The one line of a command that was refused."""
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "report" not in done.stderr
    return done.stderr


def in_shell(line: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `$dispatcher` is the command."""
    started = f"{sys.executable} -P -m service"
    return subprocess.run(
        ["bash", "-c", line],
        env={**needed(), "dispatcher": started, **(environ or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://localhost:99999/x", "Port out of range 0-65535"),
        ("http://localhost:0/x", "it needs a host, and a port from 1 to 65535"),
        ("http:///x", "it needs a host"),
        ("http://exa mple/x", "it has a space"),
        ("http://example/\tx", "it has a space or what cannot be printed"),
        ("http://[::1/x", "Invalid IPv6 URL"),
        ("http://a..b/x", "its host is no name"),
        ("http://example/ä", "write what is not ASCII after its host with %"),
    ],
)
def test_an_address_nothing_can_be_posted_to_is_wrong_use(url: str, words: str) -> None:
    for command in (["send", EVENT], ["replay", "/dev/null"]):
        line = refused(dispatcher(*command, "--to", url, environ=LIVEKIT), 2)
        assert f"--to {url!r} is no address: {words}" in line


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("foo=hush", "after ? no option is called 'foo'"),
        ("parser_class=hush", "after ? an option cannot be set"),
        ("protocol=9", "protocol must be either 2 or 3"),
    ],
)
def test_an_option_redis_does_not_have_is_a_setting_that_is_not_allowed(
    query: str, words: str
) -> None:
    for begin in ("redis://h/0", "unix:///run/redis.sock"):
        line = refused(dispatcher("dispatches", environ={"REDIS_URL": f"{begin}?{query}"}), 2)
        assert words in line
        assert "hush" not in line


@pytest.mark.parametrize("command", ["up", "serve"])
def test_a_host_that_can_be_no_name(command: str, tmp_path: Path) -> None:
    environ = {
        **LIVEKIT, "DISPATCHER_HOST": "a..b", "DISPATCHER_DATA": str(tmp_path),
        "DISPATCHER_ADMIN_TOKEN": "t" * 32, "REDIS_URL": "redis://127.0.0.1:1",
    }  # fmt: skip
    done = dispatcher(command, environ=environ)
    assert (done.returncode, done.stdout) == (1, "")
    assert "error: DISPATCHER_HOST='a..b' is not an address of this machine" in done.stderr
    assert "report" not in done.stderr


def test_a_lock_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    line = refused(dispatcher("up", environ={**LIVEKIT, "DISPATCHER_DATA": str(tmp_path)}), 1)
    assert f"'{tmp_path}/lock' cannot be opened: Is a directory; remove it" in line


def test_json_that_is_longer_than_a_name_may_be_and_no_object(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    for length in (300, 5000):
        given = f"[{'1,' * (length // 2)}1]"
        for command in (["send", given], ["rules", "explain", given]):
            environ = {**LIVEKIT, "DISPATCHER_RULES": str(rules)}
            line = refused(dispatcher(*command, environ=environ), 2)
            assert line.endswith("…' is neither a file nor a JSON object\n")
            assert len(line) < 200


def test_a_path_that_is_longer_than_a_name_may_be() -> None:
    name = "a" * 300
    asked = dispatcher("rules", "test", name)
    set_so = dispatcher("rules", "test", environ={"DISPATCHER_RULES": name})
    for done in (asked, set_so):
        assert refused(done, 2) == f"error: {name!r}: File name too long\n"


@pytest.mark.parametrize("command", ["--help", "--version", "rules schema", "rules explain"])
def test_what_cannot_be_written_is_told(command: str, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    given = f" --rules {tmp_path}/rules.yaml '{EVENT}'" if command == "rules explain" else ""
    done = in_shell(f"$dispatcher {command}{given} >/dev/full")
    assert refused(done, 1) == "error: cannot write: No space left on device\n"


def test_an_export_that_cannot_be_written_is_told(redis_url: str) -> None:
    environ = {"REDIS_URL": redis_url}
    done = in_shell("$dispatcher dispatches export --format csv >/dev/full", environ)
    assert refused(done, 1) == "error: cannot write: No space left on device\n"


def test_output_that_is_closed_goes_nowhere(redis_url: str) -> None:
    environ = {"REDIS_URL": redis_url}
    for command in ("dispatches --json", "dispatches", "dispatches export", "--version"):
        done = in_shell(f"$dispatcher {command} >&-", environ)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_demo_without_output_runs_to_its_end(tmp_path: Path) -> None:
    done = in_shell("$dispatcher demo --once >&-", {"TMPDIR": str(tmp_path)})
    assert (done.returncode, done.stderr) == (0, "")


def test_input_that_is_closed_is_empty() -> None:
    line = refused(in_shell("$dispatcher send - <&-", LIVEKIT), 2)
    assert line == "error: standard input:1:1: Expecting value\n"


def test_errors_that_nobody_can_see_are_a_status_all_the_same() -> None:
    assert in_shell("$dispatcher send '[]' 2>&-", LIVEKIT).returncode == 2


@pytest.mark.parametrize(
    "line",
    [
        "$dispatcher rules explain --rules rules.yaml <(cat event.json)",
        "cat event.json | $dispatcher rules explain --rules rules.yaml /dev/stdin",
    ],
)
def test_an_event_may_come_from_a_pipe(line: str, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "event.json").write_text(EVENT)
    done = in_shell(f"cd {tmp_path} && {line}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("room_started, ")


def test_a_secret_may_come_from_a_pipe(redis_url: str) -> None:
    environ = {**LIVEKIT, "REDIS_URL": redis_url}
    secret = environ.pop("LIVEKIT_API_SECRET")
    pipe = f"LIVEKIT_API_SECRET_FILE=<(printf %s {secret})"
    done = in_shell(f"{pipe} $dispatcher worker --healthy", environ)
    assert refused(done, 1) == "error: no worker on this host is at work: see its log\n"


def test_an_event_that_may_not_be_read_is_no_other_mistake(tmp_path: Path) -> None:
    done = dispatcher("send", str(tmp_path), environ=LIVEKIT)
    assert "is neither a file nor a JSON object" in refused(done, 2)
    done = dispatcher("send", f"{tmp_path}/none.json", environ=LIVEKIT)
    assert "is neither a file nor a JSON object" in refused(done, 2)
