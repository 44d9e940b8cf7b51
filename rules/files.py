"""Which files a rule source names, and their text."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from glob import glob, has_magic
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rules.problems import Mark, Report

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_BYTES: Final = 4 * 1024 * 1024
"""Largest rule file, in bytes: some 15,000 rules."""
MAX_FILES: Final = 1000
"""Files that one source may name."""
MAX_ALL_BYTES: Final = 32 * 1024 * 1024
"""Of all files of one source together."""

_ENDINGS: Final = (".yaml", ".yml")
_TEST_ENDINGS: Final = (".test.yaml", ".test.yml")
_KINDS: Final = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A rule file's text, and the name problems call it by."""

    path: str
    text: str


def rule_files(source: str | Path, report: Report) -> tuple[RuleFile, ...]:
    """Read the files a source names: a file, a folder's `*.yaml` and `*.yml`, or a glob; sorted.

    Files of rule tests (`*.test.yaml`) are not rule files. What cannot be read goes to the report,
    as do pipes, sockets and devices.
    """
    paths = _paths(str(source), report)
    at = Mark(str(source), 1, 1)
    if len(paths) > MAX_FILES:
        report.error(at, f"{len(paths):,} rule files: {MAX_FILES:,} are allowed")
        return ()
    files: list[RuleFile] = []
    size = 0
    for path in paths:
        file = _read(path, report)
        if file is None:
            continue
        files.append(file)
        size += len(file.text.encode())
        if size > MAX_ALL_BYTES:
            most = MAX_ALL_BYTES // 1024 // 1024
            report.error(at, f"the rule files are larger than {most} MiB together")
            break
    return tuple(files)


def read_test_files(source: str, report: Report) -> tuple[RuleFile, ...]:
    """The rule tests of a file, a folder and all below it, or a glob; the report tells problems."""
    path = Path(source)
    if path.is_dir():
        found = sorted(child for child in path.rglob("*") if child.name.endswith(_TEST_ENDINGS))
    elif path.exists() or not has_magic(source):
        found = [path]
    else:
        found = sorted(Path(name) for name in glob(source, recursive=True))  # noqa: PTH207 - as below
    files = (_read(each, report) for each in found)
    return tuple(file for file in files if file is not None)


def content_hash(files: Iterable[RuleFile]) -> str:
    """Of the texts in their order: the same wherever and however named they lie.

    Sixteen digits of their SHA-256. Every dispatch and event is kept with it, three times a room.
    """
    whole = sha256()
    for file in files:
        text = file.text.replace("\r\n", "\n").encode("utf-8", "surrogatepass")
        whole.update(len(text).to_bytes(8, "big") + text)
    return whole.hexdigest()[:16]


def _paths(source: str, report: Report) -> list[Path]:
    at = Mark(source, 1, 1)
    try:
        path = Path(source)
        if path.is_dir():
            found = [child for child in sorted(path.iterdir()) if _is_rule_file(child)]
            if not found:
                report.error(at, "no rule file in this folder: it needs a '*.yaml' or '*.yml'")
            return found
        if path.exists() or not has_magic(source):
            return [path]
        names = glob(source, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
        found = [path for path in map(Path, sorted(names)) if _is_rule_file(path)]
        if not found:
            report.error(at, "no rule file matches this pattern")
    except (OSError, ValueError) as error:
        report.error(at, f"cannot be read: {_said(error)}")
        return []
    return found


def _is_rule_file(path: Path) -> bool:
    name = path.name
    is_rules = name.endswith(_ENDINGS) and not name.endswith(_TEST_ENDINGS)
    return is_rules and not name.startswith(".") and not path.is_dir()


def _read(path: Path, report: Report) -> RuleFile | None:
    at = Mark(str(path), 1, 1)
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
        if kind != stat.S_IFREG:  # to open a pipe would be to wait for who writes into it
            report.error(at, f"{_KINDS.get(kind, 'not a file')}: rules are read from files only")
            return None
        with open(path, "rb", opener=_at_once) as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        report.error(at, "no such file")
        return None
    except (OSError, ValueError) as error:
        report.error(at, f"cannot be read: {_said(error)}")
        return None
    if len(content) > MAX_BYTES:
        report.error(
            at, f"larger than {MAX_BYTES // 1024 // 1024} MiB: split it into several files"
        )
        return None
    try:
        return RuleFile(str(path), content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        before = content[: error.start].removeprefix(b"\xef\xbb\xbf")
        line = before.count(b"\n") + 1
        column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
        report.error(Mark(str(path), line, column), "not UTF-8 text: save the file as UTF-8")
        return None


def _at_once(path: str, flags: int) -> int:
    """Open without waiting, for what has become a pipe since it was looked at."""
    return os.open(path, flags | os.O_NONBLOCK)


def _said(error: OSError | ValueError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
