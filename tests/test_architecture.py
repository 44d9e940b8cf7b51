"""What the code promises about itself: its rooms, their laws, its size, its papers."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from rules.decision import Reason

REPOSITORY = Path(__file__).parents[1]
ROOMS = ("rules", "workers", "service")
LAWS = {
    "rules": "no clock, no Redis, no HTTP",
    "workers": "must not know of Flask",
    "service": "This package decides nothing",
}
MOST_LINES = 300
TOP_LEVEL = {
    "CHANGELOG.md", "Dockerfile", "LICENSE", "Makefile", "README.md", "docker-compose.yml",
    "pyproject.toml", "rules", "service", "tests", "workers",
}  # fmt: skip


def modules() -> list[Path]:
    return sorted(path for room in ROOMS for path in (REPOSITORY / room).rglob("*.py"))


def docstring(path: Path) -> str:
    return " ".join((ast.get_docstring(ast.parse(path.read_text())) or "").split())


def test_imports_go_one_way(capsys: pytest.CaptureFixture[str]) -> None:
    status = lint_imports(str(REPOSITORY / "pyproject.toml"), no_cache=True)
    assert status == 0, capsys.readouterr().out


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_states_its_law_in_its_docstring(room: str) -> None:
    assert LAWS[room] in docstring(REPOSITORY / room / "__init__.py")


def test_every_module_says_what_it_is_for() -> None:
    assert [str(path.relative_to(REPOSITORY)) for path in modules() if not docstring(path)] == []


def test_no_module_is_too_long_to_read() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in modules()}
    long = {str(p.relative_to(REPOSITORY)): n for p, n in lines.items() if n > MOST_LINES}
    assert long == {}


def test_the_top_level_holds_what_it_should() -> None:
    visible = {p.name for p in REPOSITORY.iterdir() if not p.name.startswith(".")}
    ignored = {"build", "dist"}
    assert visible - ignored == TOP_LEVEL


def test_the_changelog_is_kept() -> None:
    changelog = (REPOSITORY / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    kinds = set(re.findall(r"^### (.+)", changelog, re.MULTILINE))
    assert versions[0] == "Unreleased"
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert re.search(r"^- \w", changelog, re.MULTILINE)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_of_a_decision_is_documented(reason: Reason) -> None:
    assert f"`{reason}`" in (REPOSITORY / "rules" / "LANGUAGE.md").read_text()
