from __future__ import annotations

import csv
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest

from tests.service.cli import dispatcher, keep
from tests.service.rooms import dispatch
from workers.dispatch import State
from workers.history import dispatch_document
from workers.shown import SHOWN

COUNT = 450  # more than two pages


@pytest.fixture
def kept(redis):
    for number in range(COUNT):
        more = {"state": State.FAILED} if number % 3 == 0 else {}
        keep(
            redis,
            dispatch_document(
                None,
                dispatch(
                    f'a "room",\n{number}', id=f"D{number}", created_at=1_770_000_000.0 + number,
                    attributes={"k": "é"}, **more,
                ),
            ),
        )  # fmt: skip


def test_none(environ, redis):
    assert dispatcher("dispatches", "export", environ=environ).stdout == ""


@pytest.mark.usefixtures("kept")
class TestKept:
    def test_all_of_them_newest_first(self, environ):
        done = dispatcher("dispatches", "export", environ=environ)
        assert (done.returncode, done.stderr) == (0, "")
        ids = [json.loads(line)["id"] for line in done.stdout.splitlines()]
        assert ids == [f"D{number}" for number in reversed(range(COUNT))]

    def test_some_as_csv(self, environ):
        done = dispatcher(
            "dispatches", "export", "--format", "csv", "--state", "failed", environ=environ
        )
        rows = list(csv.DictReader(StringIO(done.stdout, newline="")))
        assert len(rows) == COUNT // 3
        assert tuple(rows[0]) == SHOWN
        assert rows[-1]["room"] == 'a "room",\n0'
        assert (rows[0]["attributes"], rows[0]["reason"]) == ('{"k": "é"}', "")

    def test_into_a_file(self, environ, tmp_path):
        file = tmp_path / "calls.jsonl"
        file.write_text("old")
        done = dispatcher("dispatches", "export", "-o", str(file), environ=environ)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert len(file.read_text().splitlines()) == COUNT
        assert [each for each in tmp_path.iterdir() if each.name.endswith(".part")] == []

    @pytest.mark.parametrize("is_there", [True, False])
    def test_a_link_stays_one_and_leads_to_what_is_written(self, environ, tmp_path, is_there):
        file, link = tmp_path / "kept" / "calls.jsonl", tmp_path / "latest.jsonl"
        file.parent.mkdir()
        if is_there:
            file.write_text("old")
        link.symlink_to(file)
        done = dispatcher("dispatches", "export", "-o", str(link), environ=environ)
        assert (done.returncode, done.stderr) == (0, "")
        assert link.is_symlink()
        assert len(file.read_text().splitlines()) == COUNT
        assert list(file.parent.iterdir()) == [file]

    def test_into_a_pipe(self, environ, tmp_path):
        pipe = tmp_path / "calls"
        os.mkfifo(pipe)
        reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True)
        with ThreadPoolExecutor(1) as pool:
            came = pool.submit(reader.communicate)
            done = dispatcher("dispatches", "export", "-o", str(pipe), environ=environ)
            if not pipe.is_fifo():  # or it would wait for ever
                reader.kill()
            assert (done.returncode, done.stderr) == (0, "")
            assert pipe.is_fifo()
            assert len(came.result()[0].splitlines()) == COUNT

    def test_into_standard_output_by_its_path(self, environ, tmp_path):
        # By a link of our own: a fault would replace /dev/stdout for the whole machine.
        (tmp_path / "out").symlink_to("/proc/self/fd/1")
        done = dispatcher("dispatches", "export", "-o", str(tmp_path / "out"), environ=environ)
        assert (done.returncode, done.stderr) == (0, "")
        assert len(done.stdout.splitlines()) == COUNT
        assert (tmp_path / "out").is_symlink()

    def test_links_in_a_circle_are_one_line(self, environ, tmp_path):
        (tmp_path / "a").symlink_to("b")
        (tmp_path / "b").symlink_to("a")
        done = dispatcher("dispatches", "export", "-o", str(tmp_path / "a"), environ=environ)
        assert done.returncode == 1
        [line] = done.stderr.splitlines()
        assert "cannot be written" in line

    def test_a_file_that_cannot_be_written(self, environ, tmp_path):
        done = dispatcher("dispatches", "export", "-o", str(tmp_path / "no/x"), environ=environ)
        assert done.returncode == 1
        [line] = done.stderr.splitlines()
        assert "cannot be written" in line


def test_an_empty_name_is_one_line(environ, redis):
    done = dispatcher("dispatches", "export", "-o", "", environ=environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: -o names no file: leave it out for standard output\n"


def test_without_redis_what_was_in_the_file_stays(environ, tmp_path):
    file = tmp_path / "calls.jsonl"
    file.write_text("old")
    away = {**environ, "REDIS_URL": "redis://127.0.0.1:1"}
    done = dispatcher("dispatches", "export", "-o", str(file), environ=away)
    assert (done.returncode, file.read_text()) == (1, "old")
    assert [each for each in tmp_path.iterdir() if each.name.endswith(".part")] == []


@pytest.mark.parametrize(
    ("room", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0"),
        (" =1", "' =1"),
        ("\t=1", "'\t=1"),
        ("+34910000001", "+34910000001"),
        ("-5.5", "-5.5"),
        ("support-1", "support-1"),
    ],
)
def test_a_spreadsheet_takes_no_rooms_name_for_a_formula(environ, redis, room, cell):
    keep(redis, dispatch_document(None, dispatch(room)))
    done = dispatcher("dispatches", "export", "--format", "csv", environ=environ)
    [row] = csv.DictReader(StringIO(done.stdout, newline=""))
    assert row["room"] == cell
