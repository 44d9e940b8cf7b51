from __future__ import annotations

import http.client
import os
import pty
import re
import select
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.admin_token import FILE, kept_token, with_admin_token
from service.embedded import DataError
from tests.service.conftest import RULES
from tests.service.signed import KEY, SECRET
from tests.up import Up
from tests.waiting import eventually
from workers.settings import load_settings

LIVEKIT = {
    "LIVEKIT_URL": "ws://127.0.0.1:1",
    "LIVEKIT_API_KEY": KEY,
    "LIVEKIT_API_SECRET": SECRET,
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / FILE


def test_it_is_made_once_and_closed_to_others(path):
    token = kept_token(path)
    assert len(token) >= 32
    assert path.read_text() == f"{token}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert kept_token(path) == token


def test_it_is_another_in_each_directory(tmp_path):
    assert kept_token(tmp_path / "a") != kept_token(tmp_path / "b")


def test_however_many_begin_at_once_they_have_the_same(path):
    script = (
        "import pathlib, sys; from service.admin_token import kept_token;"
        " sys.stdin.read(1); print(kept_token(pathlib.Path(sys.argv[1])))"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(4)
    ]
    for process in started:
        process.stdin.write(b"x")
        process.stdin.flush()
    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(lambda _: kept_token(path), range(32)))
    tokens |= {process.communicate(timeout=30)[0].decode().strip() for process in started}
    assert tokens == {path.read_text().strip()}


def test_one_of_your_own_is_taken_and_closed_to_others(path):
    path.write_text("my-own-token")
    path.chmod(0o644)
    assert kept_token(path) == "my-own-token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_left_empty_is_filled(path):
    path.touch()
    assert kept_token(path) == path.read_text().strip() != ""


@pytest.mark.parametrize("content", [b"short", b"two words here", b"\0" * 44, b"\xff" * 20])
def test_a_file_with_something_else_is_one_line(path, content):
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"holds no token: it must be 8 or more .*; remove it$"):
        kept_token(path)
    assert path.read_bytes() == content


def test_another_file_is_not_written_through_a_link(path, tmp_path):
    path.symlink_to(tmp_path / "other")
    with pytest.raises(DataError, match="cannot be used"):
        kept_token(path)
    assert not (tmp_path / "other").exists()


class TestOfSettings:
    def test_what_is_configured_is_used_and_nothing_is_kept(self, tmp_path):
        data = tmp_path / "data"
        given = load_settings({"DISPATCHER_DATA": str(data), "DISPATCHER_ADMIN_TOKEN": "hush-hush"})
        assert with_admin_token(given) == (given, {})
        assert not data.exists()

    def test_one_that_is_made_is_a_secret_and_other_processes_are_told_where_it_is(self, tmp_path):
        environ = {"DISPATCHER_DATA": str(tmp_path / "data")}
        settings, more = with_admin_token(load_settings(environ))
        assert settings.admin_token in settings.secrets
        assert settings.admin_token not in repr((settings, more))
        assert load_settings(environ | more).admin_token == settings.admin_token

    def test_a_directory_that_is_open_to_others_is_left_as_it_is(self, tmp_path):
        tmp_path.chmod(0o1777)
        with pytest.raises(DataError, match=r"choose another .*, or set DISPATCHER_ADMIN_TOKEN$"):
            with_admin_token(load_settings({"DISPATCHER_DATA": str(tmp_path)}))
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o1777
        assert not list(tmp_path.iterdir())

    def test_a_directory_that_cannot_be_made_says_what_to_do(self, tmp_path):
        (tmp_path / "file").touch()
        settings = load_settings({"DISPATCHER_DATA": str(tmp_path / "file" / "data")})
        with pytest.raises(DataError, match=r"or set DISPATCHER_ADMIN_TOKEN$"):
            with_admin_token(settings)


def look(up, token):
    """The status of a request to the API."""
    connection = http.client.HTTPConnection("127.0.0.1", up.port, timeout=10)
    try:
        given = {"Authorization": f"Bearer {token}"}
        connection.request("POST", "/api/v1/rooms/x/look", headers=given)
        return connection.getresponse().status
    finally:
        connection.close()


def test_up_makes_one_that_opens_the_api_after_a_restart_too_and_logs_it_nowhere(tmp_path):
    with Up(tmp_path, RULES, LIVEKIT) as first:
        token = (tmp_path / "data" / FILE).read_text().strip()
        assert [look(first, token), look(first, "another-token")] == [202, 401]
    with Up(tmp_path, RULES, LIVEKIT, port=first.port) as second:
        assert look(second, token) == 202
        assert token not in second.log
        assert f'"file": "{tmp_path}/data/{FILE}"' in second.log


def test_up_takes_the_one_that_is_configured(tmp_path):
    given = {"DISPATCHER_ADMIN_TOKEN": "hush-admin-hush"}
    with Up(tmp_path, RULES, LIVEKIT | given) as up:
        assert look(up, "hush-admin-hush") == 202
        assert "hush-admin-hush" not in up.log
        assert not (tmp_path / "data" / FILE).exists()


def test_up_shows_it_on_a_terminal(tmp_path):
    up = Up(tmp_path, RULES, LIVEKIT)
    ours, theirs = pty.openpty()
    with (tmp_path / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "service", "up"],
            env=up.environ, stdin=theirs, stdout=theirs, stderr=log,
        )  # fmt: skip
    try:
        eventually((tmp_path / "data" / FILE).exists, timeout=20)
        shown = _shown(ours, b"which is kept in")
        token = (tmp_path / "data" / FILE).read_text().strip()
        assert re.search(rf"^  {re.escape(token)}\s*$", shown, re.MULTILINE)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert token not in up.log
    finally:
        process.kill()
        process.wait()
        os.close(theirs)
        os.close(ours)


def _shown(terminal, until):
    shown = b""
    deadline = time.monotonic() + 20
    while until not in shown:
        assert time.monotonic() < deadline, shown
        if select.select([terminal], [], [], 0.2)[0]:
            shown += os.read(terminal, 65536)
    return shown.decode()
