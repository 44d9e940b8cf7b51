"""Rule tests: files that say which agents follow from which events."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rules import document
from rules.compiling import Compiling
from rules.decision import Provider, Reason, RestartPolicy
from rules.document import read_document
from rules.problems import Mark, nearest, quoted
from rules.storyline import Storyline, read_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rules.document import Entries, Node
    from rules.event import Event
    from rules.files import RuleFile
    from rules.problems import Report

BEGIN: Final = "2026-01-01T12:00:00Z"
"""When a test begins that does not say `at`."""

EXPECTED_KEYS: Final = (
    "rule",
    "room",
    "subject",
    "agent",
    "deployment",
    "metadata",
    "attributes",
    "restart_policy",
    "provider",
    "version",
    "notify",
    "at",
)
"""What may be expected of a dispatch."""

_CHOICES: Final = {"restart_policy": RestartPolicy, "provider": Provider}
_MAPPINGS: Final = ("attributes", "notify")
_FILE_KEYS: Final = ("rules", "tests")
_TEST_KEYS: Final = ("name", "at", "events", "event", "file", "expect", "reasons")


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One test."""

    name: str
    mark: Mark
    events: tuple[Event, ...]
    expect: tuple[Mapping[str, Any], ...] | None
    """The dispatches, all of them; fields that are left out are not compared. None: any."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why rules came to what they came to at last, by their ids."""


@dataclass(frozen=True, slots=True)
class TestFile:
    """A file of tests: which rules they are about, and the tests."""

    __test__ = False  # no test of pytest's

    path: str
    rules: tuple[str, ...]
    """Paths of the rules."""
    tests: tuple[RuleTest, ...]


def read_tests(file: RuleFile, report: Report) -> TestFile | None:
    """Read a file of tests; problems go to the report."""
    before = len(report.problems)
    root = read_document(file.text, file.path, report)
    if root is None and len(report.problems) == before:
        report.error(Mark(file.path, 1, 1), "an empty file: it needs 'tests:', a list of tests")
    if not isinstance(root, document.Mapping):
        if root is not None:
            report.error(root.mark, "a file of rule tests is a mapping with 'tests:'")
        return None
    if "version" in root.entries and "tests" not in root.entries:
        report.error(root.mark, "this is a file of rules: tests of them stand in a *.test.yaml")
        return None
    compiling = Compiling(report)
    entries = compiling.known_keys(root, _FILE_KEYS, "")
    listed = entries["tests"][1] if "tests" in entries else None
    if not isinstance(listed, document.Sequence) or not listed.items:
        report.error(root.mark, "the file needs 'tests:', a list of tests")
        return None
    reader = _Reader(Path(file.path).parent, compiling)
    tests = [test for item in listed.items if (test := reader.test(item)) is not None]
    _check_names(tests, report)
    return TestFile(file.path, reader.rules(entries, Path(file.path)), tuple(tests))


def _check_names(tests: Sequence[RuleTest], report: Report) -> None:
    """Tests are told apart by their names, by people and by what reads JUnit."""
    first: dict[str, RuleTest] = {}
    for test in tests:
        other = first.setdefault(test.name, test)
        if test.name and other is not test:
            told = f"two tests are called {quoted(test.name)}: the first in line {other.mark.line}"
            report.error(test.mark, told)


class _Reader:
    def __init__(self, folder: Path, compiling: Compiling) -> None:
        self._folder = folder
        self._compiling = compiling
        self._report = compiling.report

    def rules(self, entries: Entries, path: Path) -> tuple[str, ...]:
        """The rules a file names; beside `x.test.yaml` it is `x.yaml` if it names none."""
        if "rules" not in entries:
            name = path.name.replace(".test.", ".")
            return (str(path.with_name(name)),)
        node = entries["rules"][1]
        items = node.items if isinstance(node, document.Sequence) else [node]
        if not items:
            self._report.error(node.mark, "'rules' is an empty list: name the files it is about")
        texts = [self._compiling.text(item, "rules") for item in items]
        return tuple(str(self._folder / str(text.value)) for text in texts if text is not None)

    def test(self, node: Node) -> RuleTest | None:
        """One test."""
        if not isinstance(node, document.Mapping):
            told = "a test is a mapping with 'name', 'events' and 'expect'"
            self._report.error(node.mark, told)
            return None
        entries = self._compiling.known_keys(node, _TEST_KEYS, "")
        name = self._compiling.text(entries["name"][1], "name") if "name" in entries else None
        if "name" not in entries or (name is not None and not str(name.value).strip()):
            self._report.error(node.mark, "a test needs a 'name'")
        if "expect" not in entries and "reasons" not in entries:
            told = "a test needs 'expect', the dispatches that follow ([] for none), or 'reasons'"
            self._report.error(node.mark, told)
        events = self._events(entries, node.mark)
        expect = self._expected(entries["expect"][1]) if "expect" in entries else None
        reasons = self._reasons(entries["reasons"][1]) if "reasons" in entries else {}
        return RuleTest(
            str(name.value) if name is not None else "",
            node.mark,
            tuple(events),
            tuple(expect) if expect is not None else None,
            reasons,
        )

    def _events(self, entries: Entries, mark: Mark) -> list[Event]:
        sources = [key for key in ("events", "event", "file") if key in entries]
        if len(sources) != 1:
            self._report.error(mark, "a test has one of 'events', 'event' and 'file'")
            return []
        story = Storyline(self._begin(entries))
        node = entries[sources[0]][1]
        if sources[0] == "file":
            return self._recorded(story, node)
        if sources[0] == "events" and not isinstance(node, document.Sequence):
            self._report.error(node.mark, "'events' takes a list of events")
            return []
        items = node.items if isinstance(node, document.Sequence) else [node]
        events: list[Event] = []
        for item in items:
            if isinstance(item, document.Mapping) and set(item.entries) == {"file"}:
                events += self._recorded(story, item.entries["file"][1])
                continue
            if not isinstance(item, document.Mapping):
                told = "an event is a mapping such as {event: room_started, room: {name: a}}"
                self._report.error(item.mark, told)
                continue
            try:
                events.append(story.next(document.plain(item)))
            except (ValueError, RecursionError) as error:
                self._report.error(item.mark, str(error))
        if not items:
            self._report.error(node.mark, "'events' is an empty list")
        return events

    def _begin(self, entries: Entries) -> float:
        if "at" not in entries:
            return read_time(BEGIN)
        text = self._compiling.text(entries["at"][1], "at")
        try:
            return read_time(text.value if text is not None else BEGIN)
        except ValueError as error:
            self._report.error(entries["at"][1].mark, str(error))
            return read_time(BEGIN)

    def _recorded(self, story: Storyline, node: Node) -> list[Event]:
        text = self._compiling.text(node, "file")
        if text is None:
            return []
        path = self._folder / str(text.value)
        try:
            events = list(story.recorded(path.read_text(encoding="utf-8-sig")))
        except OSError as error:
            told = str(error.strerror)
        except UnicodeDecodeError:
            told = "not UTF-8 text"
        except ValueError as error:
            told = str(error)
        else:
            if events:
                return events
            told = "no events"
        self._report.error(text.mark, f"{path}: {told}")
        return []

    def _expected(self, node: Node) -> list[Mapping[str, Any]]:
        if not isinstance(node, document.Sequence):
            self._report.error(node.mark, "'expect' takes a list of dispatches; [] for none")
            return []
        expected: list[Mapping[str, Any]] = []
        for item in node.items:
            if not isinstance(item, document.Mapping):
                told = "an expected dispatch is a mapping such as {rule: welcome, agent: greeter}"
                self._report.error(item.mark, told)
                continue
            entries = self._compiling.known_keys(item, EXPECTED_KEYS, "expect")
            for key, (_, value) in entries.items():
                self._check_expected(key, value)
            expected.append(document.plain(document.Mapping(item.mark, entries)))
        return expected

    def _check_expected(self, key: str, node: Node) -> None:
        if key == "at":
            text = self._compiling.text(node, "expect.at")
            try:
                read_time(text.value if text is not None else BEGIN)
            except ValueError as error:
                self._report.error(node.mark, str(error))
        elif key in _MAPPINGS and not isinstance(node, document.Mapping):
            self._report.error(node.mark, f"'expect.{key}' takes a mapping")
        elif key in _CHOICES:
            self._compiling.choice(node, _CHOICES[key], f"expect.{key}")
        elif key != "metadata" and key not in _MAPPINGS:
            self._compiling.text(node, f"expect.{key}")

    def _reasons(self, node: Node) -> Mapping[str, str]:
        if not isinstance(node, document.Mapping):
            told = "'reasons' takes a mapping of rules to reasons, such as {welcome: schedule}"
            self._report.error(node.mark, told)
            return {}
        words = [str(reason) for reason in Reason]
        for _, value in node.entries.values():
            if not isinstance(value, document.Scalar):
                self._report.error(value.mark, "a reason is one word, such as schedule")
                continue
            word = value.value
            if word not in words:
                hint = nearest(word, words) if isinstance(word, str) else ""
                self._report.error(value.mark, f"there is no reason {quoted(word)}{hint}")
        return document.plain(node)  # type: ignore[no-any-return]  # as checked above
