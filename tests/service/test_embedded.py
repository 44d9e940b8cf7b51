from __future__ import annotations

import os
import signal
import stat
import subprocess

import pytest
from redis import Redis

from service import embedded
from service.admin_token import FILE
from service.lock import locked
from tests.waiting import eventually
from workers.connection import embedded_socket


@pytest.fixture(params=["data", "with space and é", "x" * 120])
def data(request, tmp_path):
    path = tmp_path / request.param
    embedded.prepare(path)
    yield path
    embedded_socket(path).unlink(missing_ok=True)  # of a server that was killed
    embedded.tidy(path)
    assert embedded_socket(path).parent.exists() == (embedded_socket(path).parent == path)


@pytest.fixture
def start(data):
    started = []

    def start():
        started.append(subprocess.Popen(embedded.command(data)))
        eventually(lambda: embedded.answers(data))
        return started[-1]

    yield start
    for server in started:
        server.kill()
        server.wait()


def client(data):
    return Redis(unix_socket_path=str(embedded_socket(data)))


def test_what_was_answered_survives_a_kill(data, start):
    server = start()
    with client(data) as redis:
        redis.set("k", "v")
        server.kill()
        server.wait()
        assert not embedded.answers(data)
        start()
        assert redis.get("k") == b"v"


def test_it_is_for_this_user_only_and_on_no_port(data, start):
    start()
    with client(data) as redis:
        assert redis.config_get("port")["port"] == "0"
        assert redis.config_get("appendfsync")["appendfsync"] == "always"
        assert redis.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
    for path in (data, embedded_socket(data).parent, embedded_socket(data)):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077


def test_the_process_behind_the_socket_is_found(data, start):
    assert embedded.running(data) is None
    server = start()
    assert embedded.running(data) == server.pid
    os.kill(server.pid, signal.SIGSTOP)  # it answers nothing and is there
    assert embedded.running(data) == server.pid
    server.kill()
    server.wait()
    assert embedded.running(data) is None


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def open_to_others(tmp_path):
    path = tmp_path / "data"
    path.mkdir()
    path.chmod(0o1777)
    return path


@pytest.mark.parametrize("name", [embedded.LOG, FILE])
def test_a_data_directory_of_ours_that_was_open_is_closed(open_to_others, name):
    (open_to_others / name).touch()
    embedded.prepare(open_to_others)
    assert mode_of(open_to_others) == 0o700


def test_an_empty_directory_that_was_just_made_is_closed(tmp_path):
    (tmp_path / "data").mkdir(mode=0o755)
    embedded.prepare(tmp_path / "data")
    assert mode_of(tmp_path / "data") == 0o700


@pytest.mark.parametrize("around", [[], ["lock", "notes.txt"]], ids=["empty", "of others"])
def test_another_directory_that_is_open_is_left_as_it_is(open_to_others, around):
    for name in around:
        (open_to_others / name).touch()
    with pytest.raises(embedded.DataError) as caught:
        embedded.prepare(open_to_others)
    assert str(caught.value) == (
        f"DISPATCHER_DATA: '{open_to_others}' is open to other users: choose another directory,"
        f" or chmod 700 {open_to_others}"
    )
    assert mode_of(open_to_others) == 0o1777
    open_to_others.chmod(0o700)
    embedded.prepare(open_to_others)


def test_a_directory_behind_a_link_is_left_as_it_is(open_to_others):
    (open_to_others / embedded.LOG).touch()
    link = open_to_others.with_name("link")
    link.symlink_to(open_to_others)
    with pytest.raises(embedded.DataError, match="must belong to this user"):
        embedded.prepare(link)
    assert mode_of(open_to_others) == 0o1777


def test_a_closed_directory_is_taken_whatever_it_holds(tmp_path):
    (tmp_path / "notes.txt").touch()
    embedded.prepare(tmp_path)
    assert mode_of(tmp_path) == 0o700


def test_a_data_directory_that_cannot_be_is_said_in_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(embedded.DataError) as caught:
        embedded.prepare(tmp_path / "file" / "data")
    assert str(caught.value) == (
        f"DISPATCHER_DATA: '{tmp_path}/file/data' cannot be created: Not a directory"
    )


def test_a_data_directory_is_held_by_one(tmp_path):
    with locked(tmp_path):
        with pytest.raises(embedded.DataError) as caught, locked(tmp_path):
            pass
        assert f"(process {os.getpid()})" in str(caught.value)
        assert "set DISPATCHER_DATA to another directory" in str(caught.value)
    with locked(tmp_path):
        pass


def test_its_last_words_are_kept(data, start):
    server = start()
    server.terminate()
    server.wait()
    assert "bye bye" in embedded.last_words(data)
    assert embedded.last_words(data / "nowhere") == ""
