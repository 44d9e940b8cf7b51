"""What pyproject.toml names is used, and what is imported is named there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PROJECT = (REPOSITORY / "pyproject.toml").read_text()


def deptry(config: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deptry", ".", "--no-ansi", "--config", str(config)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_every_dependency_is_used_and_every_import_is_a_dependency() -> None:
    told = deptry(REPOSITORY / "pyproject.toml")
    assert told.returncode == 0, told.stderr


def test_one_that_is_not_used_would_be_found(tmp_path: Path) -> None:
    config = tmp_path / "pyproject.toml"
    config.write_text(PROJECT.replace('    "flask>=3.1",\n', '    "fastapi>=0.1",\n'))
    told = deptry(config)
    assert told.returncode == 1
    assert "DEP002 'fastapi' defined as a dependency but not used" in told.stderr
    assert "'flask' imported but" in told.stderr
