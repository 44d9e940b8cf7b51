"""The Dockerfile: without fault for hadolint, and the rules that one cannot know."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
TEXT = (REPOSITORY / "Dockerfile").read_text()
STAGES = re.split(r"^FROM ", TEXT, flags=re.MULTILINE)[1:]


def test_hadolint_finds_nothing() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("there is no hadolint for this machine")
    found = subprocess.run(
        [hadolint, "--no-color", REPOSITORY / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout + found.stderr) == (0, "")


def test_what_is_let_pass_is_few_and_named() -> None:
    assert re.findall(r"hadolint ignore=(\S+)", TEXT) == ["DL3013", "DL3013"]


@pytest.mark.parametrize("stage", [STAGES[1], STAGES[2]], ids=["agent", "service"])
def test_what_runs_does_not_run_as_root(stage: str) -> None:
    users = re.findall(r"^USER (\S+)$", stage, re.MULTILINE)
    assert users
    assert re.fullmatch(r"[1-9]\d+", users[-1]), "by number, so that Kubernetes sees it is not root"


def test_every_stage_begins_with_the_one_image_that_is_pinned() -> None:
    pinned = re.search(r"^ARG PYTHON=python:(\S+)$", TEXT, re.MULTILINE)
    assert pinned is not None
    assert re.fullmatch(r"3\.\d+(\.\d+)?-slim-[a-z]+", pinned[1])
    assert {stage.split()[0] for stage in STAGES} == {"${PYTHON}"}


def test_all_that_is_downloaded_for_the_service_has_a_hash() -> None:
    flat = (STAGES[0] + STAGES[2]).replace("\\\n", " ")
    pips = re.findall(r"\bpip (?:--python \S+ )?(?:wheel|install) [^&\n]*", flat)
    assert len(pips) == 4
    assert all("--require-hashes" in pip or "--no-index" in pip for pip in pips)


def test_the_image_runs_the_command() -> None:
    assert 'ENTRYPOINT ["dispatcher"]' in STAGES[-1]


def test_what_is_copied_is_let_through_to_the_build() -> None:
    let_through = set(
        re.findall(r"^!([\w.]+)$", (REPOSITORY / ".dockerignore").read_text(), re.MULTILINE)
    )
    copied = {
        source.removeprefix("./").split("/")[0]
        for line in re.findall(r"^COPY (?!--from)(.*)$", TEXT, re.MULTILINE)
        for source in line.split()[:-1]
    }
    assert copied == let_through
