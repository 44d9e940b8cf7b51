"""Files made to unfold into something huge are refused soon, and in little memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rules.files import MAX_BYTES

MOST_SECONDS = 10.0
"""Of the processor; each is refused in well under one on an idle machine."""
MEGABYTE = 1024 * 1024
READS = """
import json, resource, sys, time
from rules.loader import load
from rules.problems import RuleErrors

def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

before, began = most(), time.process_time()
try:
    load(sys.argv[1])
    messages = []
except RuleErrors as errors:
    messages = [each.message for each in errors.problems]
print(json.dumps([messages, time.process_time() - began, most() - before]))
"""
"""Run on its own: what a process needs at most is told of all of its life."""


def refused(path):
    """What is said of it, how many seconds it takes, and how much memory at most."""
    done = subprocess.run(
        [sys.executable, "-c", READS, str(path)],
        stdout=subprocess.PIPE,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    return json.loads(done.stdout)


@pytest.fixture
def refused_text(tmp_path):
    def refuse(text):
        path = tmp_path / "rules.yaml"
        path.write_text(text)
        return refused(path)

    return refuse


def laughs_by_alias(levels=30):
    lines = ["x-0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join([*lines, f"version: 1\nrules: *a{levels - 1}"])


def laughs_by_mapping(levels=30):
    lines = ["x-0: &a0 {k: lol}"]
    lines += [
        f"x-{n}: &a{n} {{{', '.join(f'k{i}: *a{n - 1}' for i in range(9))}}}"
        for n in range(1, levels)
    ]
    return "\n".join([*lines, "version: 1\nrules:\n  - when: *a29"])


def laughs_by_merge(levels=30):
    """Each level has all keys of the one below, twice, and values that hold it."""
    lines = ["x-0: &a0 {k: lol}"]
    lines += [
        f"x-{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], k{n}: *a{n - 1}, j{n}: *a{n - 1}}}"
        for n in range(1, levels)
    ]
    return "\n".join([*lines, "version: 1\nrules:\n  - *a29"])


@pytest.mark.parametrize(
    ("bomb", "said"),
    [
        (laughs_by_alias(), "values once aliases are written out"),
        (laughs_by_mapping(), "values once aliases are written out"),
        (laughs_by_merge(), "values once aliases are written out"),
        ("version: 1\nrules: " + "[" * 100_000, "nested deeper than"),
        ("version: 1\nrules: " + "{a: " * 100_000, "nested deeper than"),
        ("- " * 100_000, "nested deeper than"),
        ("version: 1\nrules:\n  - &a\n    when: {<<: *a}", "contains itself"),
    ],
)
def test_a_bomb_is_refused_soon_and_in_little_memory(refused_text, bomb, said):
    messages, seconds, most = refused_text(bomb)
    assert any(said in message for message in messages), messages[:3]
    assert len(messages) < 50
    assert seconds < MOST_SECONDS
    assert most < 30 * MEGABYTE


def test_many_merges_of_one_large_mapping_are_refused_or_cheap(refused_text):
    base = "x-a: &a {" + ", ".join(f"k{n}: {n}" for n in range(2_000)) + "}\n"
    text = f"version: 1\n{base}rules:\n" + "  - {<<: *a}\n" * 2_000
    messages, seconds, most = refused_text(text)
    assert messages
    assert seconds < MOST_SECONDS
    assert most < 300 * MEGABYTE


def test_a_large_file_is_refused_by_its_size_before_it_is_read(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_bytes(b"version: 1\nrules: []\n" + b"# x\n" * (10 * MEGABYTE // 4))
    (message,), seconds, most = refused(path)
    assert message == "larger than 4 MiB: split it into several files"
    assert seconds < 1
    assert most < 3 * MAX_BYTES


def test_one_long_line_is_read_or_refused_soon(refused_text):
    messages, seconds, most = refused_text('version: 1\nrules: "' + "x" * MEGABYTE + '"')
    assert messages == ["'rules' takes a list of rules"]
    assert seconds < MOST_SECONDS
    assert most < 60 * MEGABYTE
