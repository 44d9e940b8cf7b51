"""The versions the image is built from: all that is needed, within the bounds of pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
PIN = re.compile(r"^([\w.-]+)==([^\s;\\]+)", re.MULTILINE)
MENDED = "`make constraints` resolves them anew"


def pins(name: str) -> dict[str, set[str]]:
    """Versions by distribution; another Python or platform may have another version."""
    found: dict[str, set[str]] = {}
    for distribution_name, version in PIN.findall((REPOSITORY / "service" / name).read_text()):
        found.setdefault(canonicalize_name(distribution_name), set()).add(version)
    return found


ALL, HASHED = pins("constraints.txt"), pins("constraints.hashed.txt")
RUN = PROJECT["project"]["dependencies"]
EXTRAS = [r for extra in PROJECT["project"]["optional-dependencies"].values() for r in extra]


@pytest.mark.parametrize("line", sorted({*RUN, *EXTRAS}))
def test_every_requirement_has_versions_within_its_bounds(line: str) -> None:
    wanted = Requirement(line)
    versions = ALL.get(canonicalize_name(wanted.name), set())
    assert versions, MENDED
    assert {v for v in versions if not wanted.specifier.contains(v, prereleases=True)} == set(), (
        MENDED
    )


@pytest.mark.parametrize("line", [*RUN, *PROJECT["build-system"]["requires"]])
def test_what_the_image_is_built_from_is_known_by_hash(line: str) -> None:
    wanted = Requirement(line)
    versions = HASHED.get(canonicalize_name(wanted.name), set())
    assert versions, MENDED
    assert all(wanted.specifier.contains(v, prereleases=True) for v in versions), MENDED


def test_both_files_say_the_same() -> None:
    shared = HASHED.keys() & ALL.keys()
    assert shared >= {canonicalize_name(Requirement(line).name) for line in RUN}
    assert {name: HASHED[name] for name in shared if HASHED[name] != ALL[name]} == {}


def test_every_version_has_a_hash() -> None:
    text = (REPOSITORY / "service" / "constraints.hashed.txt").read_text()
    entries = re.split(r"\n(?=\w)", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())
    assert len(entries) >= len(HASHED)
    assert [entry for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}", entry)] == []


def test_nothing_that_is_needed_is_left_out() -> None:
    """What is installed here, in the version that is pinned, tells what it needs in turn."""
    assert _reached(RUN) - HASHED.keys() == set(), MENDED
    assert _reached(RUN + EXTRAS) - ALL.keys() == set(), MENDED


def test_what_depends_on_one_another_fits() -> None:
    """Wherever the version that is installed here is the one that is pinned."""
    misfits = []
    for name in _reached(RUN + EXTRAS) & ALL.keys():
        here = _installed(name)
        if here is None or not _is_pinned(here):
            continue
        for needed in map(Requirement, here.requires or ()):
            pinned = ALL.get(canonicalize_name(needed.name), set())
            applies = needed.marker is None or needed.marker.evaluate({"extra": ""})
            if applies and pinned and not any(needed.specifier.contains(v) for v in pinned):
                misfits.append(f"{name} needs {needed}, pinned is {pinned}")
    assert misfits == []


def _reached(lines: list[str]) -> set[str]:
    """Names of all distributions that these requirements lead to, on this machine."""
    found: set[str] = set()
    ahead = [(Requirement(line), frozenset[str]()) for line in lines]
    asked = set()
    while ahead:
        wanted, extras = ahead.pop()
        name = canonicalize_name(wanted.name)
        if not _applies(wanted, extras) or (name, frozenset(wanted.extras)) in asked:
            continue
        asked.add((name, frozenset(wanted.extras)))
        found.add(name)
        here = _installed(name)
        needs = (here.requires or []) if here is not None and _is_pinned(here) else []
        ahead += [(Requirement(line), frozenset(wanted.extras)) for line in needs]
    return found


def _applies(wanted: Requirement, extras: frozenset[str]) -> bool:
    return wanted.marker is None or any(
        wanted.marker.evaluate({"extra": extra}) for extra in (extras or {""})
    )


def _is_pinned(here: Distribution) -> bool:
    return here.version in ALL.get(canonicalize_name(here.name), ())


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None
