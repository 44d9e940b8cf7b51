"""`rules test` as a shell sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.recorded import PATH
from tests.service.cli import dispatcher

RULES = """version: 1
rules:
  - id: a
    on: participant_joined
    when: {room: {name: "support-*"}}
    dispatch: {agent: greeter}
"""
PASSES = """tests:
  - name: greeted
    event: {event: participant_joined, room: {name: support-1}, participant: {identity: ana}}
    expect: [{rule: a}]
"""
FAILS = r"""rules: a.yaml
tests:
  - name: "not <greeted> \x1b[31m"
    event: {event: participant_joined, room: {name: "support-\x1b"}, participant: {identity: ana}}
    expect: [{rule: a, agent: other}]
  - name: nobody
    event: {event: participant_joined, room: {name: sales-1}, participant: {identity: ana}}
    expect: []
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.yaml").write_text(RULES)
    (tmp_path / "a.test.yaml").write_text(PASSES)
    return tmp_path


@pytest.fixture
def failing(folder):
    (folder / "b.test.yaml").write_text(FAILS)
    return folder


def run(*args, **more):
    return dispatcher("rules", "test", *map(str, args), **more)


class TestForPeople:
    def test_what_passes(self, folder):
        done = run(folder)
        told = f"{folder}/a.test.yaml\n  ✓ greeted\n1 test passed\n"
        assert (done.returncode, done.stdout, done.stderr) == (0, told, "")

    def test_what_fails_shows_where_and_how_it_differs(self, failing):
        done = run(failing)
        assert (done.returncode, done.stderr) == (1, "")
        assert done.stdout == (
            f"{failing}/a.test.yaml\n"
            "  ✓ greeted\n"
            f"{failing}/b.test.yaml\n"
            f"  ✗ not <greeted> �[31m  {failing}/b.test.yaml:3\n"
            "        {rule: a}\n"
            "      - agent: other\n"
            "      + agent: greeter\n"
            "  ✓ nobody\n"
            "3 tests, 1 failed\n"
        )

    def test_a_file_a_glob_or_where_the_rules_lie(self, folder):
        told = run(folder).stdout
        assert run(folder / "a.test.yaml").stdout == told
        assert run(folder / "*.test.yaml").stdout == told
        assert run(environ={"DISPATCHER_RULES": str(folder / "a.yaml")}).stdout == told
        assert run(environ={"DISPATCHER_RULES": str(folder / "*.yaml")}).stdout == told

    def test_tests_in_folders_below_are_found_and_a_file_named_twice_runs_once(self, folder):
        below = folder / "below"
        below.mkdir()
        (below / "c.test.yml").write_text("rules: ../a.yaml\n" + PASSES)
        assert "2 tests passed" in run(folder, folder / "a.test.yaml", below).stdout

    def test_recorded_deliveries(self, folder):
        (folder / "a.test.yaml").write_text(
            f"tests: [{{name: recorded, file: {PATH}, expect: [{{rule: a}}, {{rule: a}}]}}]"
        )
        assert run(folder).returncode == 0

    def test_a_reader_that_stops_reading_gets_no_traceback(self, failing):
        command = [sys.executable, "-P", "-m", "service", "rules", "test", str(failing)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            assert running.stdout is not None
            assert running.stderr is not None
            running.stdout.close()
            assert running.stderr.read() == b""


class TestForPrograms:
    def test_as_json(self, failing):
        done = run(failing, "--json")
        told = json.loads(done.stdout)
        assert (done.returncode, told["ok"], told["passed"], told["failed"]) == (1, False, 2, 1)
        assert told["tests"][1] == {
            "file": f"{failing}/b.test.yaml",
            "line": 3,
            "name": "not <greeted> \x1b[31m",
            "passed": False,
            "differences": ["  {rule: a}", "- agent: other", "+ agent: greeter"],
        }
        assert run(failing / "a.test.yaml", "--json").returncode == 0

    def test_as_junit_beside_what_is_printed(self, failing):
        out = failing / "out.xml"
        done = run(failing, "--junit", out)
        assert (done.returncode, done.stdout) == (1, run(failing).stdout)
        suites = ET.parse(out).getroot()
        counts = [(suite.get("tests"), suite.get("failures")) for suite in suites]
        assert counts == [("1", "0"), ("2", "1")]
        case = suites.find("./testsuite/testcase[failure]")
        assert case is not None
        assert (case.get("name"), case.get("line")) == ("not <greeted> �[31m", "3")
        assert case.findtext("failure") == "  {rule: a}\n- agent: other\n+ agent: greeter"

    def test_junit_as_ci_servers_read_it(self, failing):
        """Jenkins' and GitLab's own needs: totals as numbers, a class and a name for each case."""
        below = failing / "below"
        below.mkdir()
        (below / "a.test.yaml").write_text("rules: ../a.yaml\n" + PASSES)
        out = failing / "out.xml"
        run(failing, "--junit", out)
        assert out.read_bytes().startswith(b"<?xml version='1.0' encoding='utf-8'?>")
        root = ET.parse(out).getroot()
        assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", "4", "1")
        for suite in root:
            cases = suite.findall("testcase")
            assert suite.get("name")
            assert int(suite.get("tests", "")) == len(cases)
            assert int(suite.get("failures", "")) == len(suite.findall("testcase/failure"))
            assert (suite.get("errors"), suite.get("skipped")) == ("0", "0")
        told = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
        assert all(all(each) for each in told)
        assert len(set(told)) == 4

    def test_junit_that_cannot_be_written(self, folder):
        done = run(folder, "--junit", folder / "nix" / "out.xml")
        assert done.returncode == 1
        assert done.stderr == f"error: {folder}/nix/out.xml: No such file or directory\n"


class TestWhatCannotBeRun:
    def test_a_file_that_is_not_there(self, tmp_path):
        done = run(tmp_path / "nix.test.yaml")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines() == [
            f"{tmp_path}/nix.test.yaml:1:1: error: no such file",
            "error: the tests cannot be read",
        ]

    @pytest.mark.parametrize("path", ["", "*.test.yaml"])
    def test_no_tests_at_all_is_wrong_use(self, tmp_path, path):
        (tmp_path / "a.yaml").write_text(RULES)
        done = run(tmp_path / path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"error: no *.test.yaml at {tmp_path / path}\n"

    @pytest.mark.parametrize("text", ["", "# nothing\n", "tests: []\n", "tests: [a\n", "[]", "\0"])
    def test_a_file_without_tests_does_not_pass(self, folder, text):
        (folder / "a.test.yaml").write_text(text)
        done = run(folder)
        assert (done.returncode, done.stdout) == (1, "")
        first, last = done.stderr.splitlines()
        assert first.startswith(f"{folder}/a.test.yaml:")
        assert last == "error: the tests cannot be read"

    def test_rules_that_are_missing(self, folder):
        (folder / "a.yaml").unlink()
        done = run(folder)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines() == [
            f"{folder}/a.yaml:1:1: error: no such file",
            f"error: the rules of {folder}/a.test.yaml do not load",
            "error: the tests cannot be run",
        ]

    def test_every_file_whose_rules_do_not_load_is_told(self, folder):
        (folder / "b.test.yaml").write_text("rules: nix.yaml\n" + PASSES)
        (folder / "c.test.yaml").write_text("rules: bad.yaml\n" + PASSES)
        (folder / "bad.yaml").write_text(RULES.replace("room:", "romm:"))
        out = folder / "out.xml"
        done = run(folder, "--json", "--junit", out)
        assert (done.returncode, done.stdout, out.exists()) == (1, "", False)
        assert [line for line in done.stderr.splitlines() if "do not load" in line] == [
            f"error: the rules of {folder}/b.test.yaml do not load",
            f"error: the rules of {folder}/c.test.yaml do not load",
        ]

    def test_rules_that_do_not_load_are_told_with_their_place(self, folder):
        (folder / "a.yaml").write_text(RULES.replace("room:", "romm:"))
        done = run(folder)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"{folder}/a.yaml:5:12: error: unknown field 'romm'" in done.stderr

    def test_a_rule_file_is_no_file_of_tests(self, folder):
        done = run(folder / "a.yaml")
        assert done.returncode == 1
        told = "this is a file of rules: tests of them stand in a *.test.yaml"
        assert f"{folder}/a.yaml:1:1: error: {told}" in done.stderr

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "no events"),
            (b"{", "line 1: "),
            (b"\xff", "not UTF-8 text"),
            (b'{"event": "room_started", "createdAt": 1e300}', "line 1: 'created_at' is a time"),
        ],
    )
    def test_a_recording_that_is_none(self, folder, content, said):
        (folder / "a.jsonl").write_bytes(content)
        (folder / "a.test.yaml").write_text("tests: [{name: a, file: a.jsonl, expect: []}]")
        done = run(folder)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"a.test.yaml:1:25: error: {folder}/a.jsonl: {said}" in done.stderr


def test_the_examples_pass():
    done = run(Path(__file__).parents[2] / "rules" / "examples")
    assert (done.returncode, done.stderr) == (0, "")
