"""The Makefile on machines that lack something: it says what, and what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
ALWAYS_THERE = ("sh", "sed", "awk", "grep", "touch")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A new checkout on a machine that has neither Python nor Go."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, tmp_path)
    (tmp_path / "bin").mkdir()
    for program in ALWAYS_THERE:
        (tmp_path / "bin" / program).symlink_to(_path_of(program))
    return tmp_path


def make(checkout: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [_path_of("make"), *args],
        cwd=checkout, env={"PATH": str(checkout / "bin")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def _path_of(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"there is no {program} here")
    return os.path.realpath(found)


def test_alone_it_lists_what_can_be_made(checkout: Path) -> None:
    listed = make(checkout).stdout
    assert "make demo " in listed
    assert "make test " in listed
    assert "make bench " in listed


@pytest.mark.parametrize("target", ["demo", "test", "bench"])
def test_without_a_python_it_asks_for_one(checkout: Path, target: str) -> None:
    made = make(checkout, target)
    assert made.returncode != 0
    assert made.stderr.startswith("no Python 3.11 or newer found: install one, or name it")


def test_a_python_that_is_too_old_is_refused_by_name(checkout: Path) -> None:
    old = checkout / "bin" / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    assert make(checkout, "test").stderr.startswith("no Python 3.11 or newer found")
    assert make(checkout, "test", f"PYTHON={old}").stderr.startswith(f"{old} is not Python 3.11")


def test_without_go_it_says_where_the_server_belongs(checkout: Path) -> None:
    made = make(checkout, "livekit")
    assert made.returncode != 0
    assert "needs Go" in made.stderr
    assert ".livekit/livekit-server" in made.stderr


def test_a_second_run_installs_nothing(checkout: Path) -> None:
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    made = make(checkout, "test", "ARGS=-k once")
    assert "install" in made.stdout
    again = make(checkout, "test", "TESTERS=2", "ARGS=-k once")
    assert again.stdout == "-m pytest -n 2 --dist loadfile -k once\n"
