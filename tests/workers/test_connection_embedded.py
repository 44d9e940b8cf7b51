from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as Unreachable

from workers.connection import connect, embedded_socket, private
from workers.settings import load_settings


def test_the_socket_lies_with_the_data():
    assert embedded_socket(Path("/var/lib/dispatcher")) == Path("/var/lib/dispatcher/valkey.sock")


@pytest.mark.parametrize("data", ["/" + "x" * 100, "/with space", "/émoji", "/a=b"])
def test_where_it_cannot_it_lies_in_a_short_place_that_the_path_alone_decides(data):
    socket = embedded_socket(Path(data))
    assert len(os.fsencode(socket)) < 104
    assert socket.is_relative_to("/tmp")
    assert str(os.getuid()) in socket.parent.name
    assert socket == embedded_socket(Path(data))
    assert socket != embedded_socket(Path(data + "x"))


def test_a_directory_that_others_may_enter_is_not_private(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert private(closed)
    closed.chmod(0o750)
    assert not private(closed)
    (tmp_path / "link").symlink_to(closed)
    assert not private(tmp_path / "link")
    assert not private(tmp_path / "missing")


def test_a_socket_somebody_else_could_have_put_there_is_not_used(tmp_path):
    settings = load_settings({"DISPATCHER_DATA": str(tmp_path / "with space")})
    directory = embedded_socket(settings.data).parent
    directory.mkdir(mode=0o755)
    try:
        with pytest.raises(Unreachable, match="not this user's alone"):
            connect(settings)
    finally:
        shutil.rmtree(directory)
