"""What a decision costs: with many rules, by its conditions, and beside other rule engines.

    python -m tests.benchmarks.decide [--json FILE]

Needs the extra `bench` (`make bench` installs it). Takes about two minutes. Absolute figures are of
the machine at hand; the ratios were measured side by side.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from rules.decide import decide
from rules.files import RuleFile
from rules.loader import load_files
from rules.session import Session, observe
from rules.weights import Sticky, Weights
from tests.benchmarks.measuring import alternating, once
from tests.benchmarks.tenants import events, rules_of, tenants

try:
    from tests.benchmarks import engines
except ImportError as missing:
    sys.exit(f"{missing}: pip install -e '.[bench]', or run make bench")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rules.event import Event
    from rules.ruleset import Ruleset

SIZES = (10, 100, 1_000, 10_000)
COMPARED = (10, 100, 1_000)
ROUNDS = 11
ROUNDS_COMPARED = 5
ROOMS = 100_000
MICRO = 1e6
OURS, ALL_ASKED, RULE_ENGINE, CEL = "decide()", "decide(), every rule", "rule-engine", "cel-python"

EIGHT = """
    when:
      room: {name: "tenant-*", max_participants: {gte: 2}, metadata: {lang: [es, ca]}}
      participant:
        kind: [STANDARD, SIP]
        identity: {prefix: caller-}
        attributes: {plan: {not: free}}
      event: participant_joined
      humans: {gte: 1}"""


@dataclass(frozen=True)
class Row:
    """One figure of the table."""

    measured: str
    figure: str
    value: float
    beside: str = ""
    goal: str = ""


def main() -> None:
    """Measure, print, and write."""
    asked = argparse.ArgumentParser(prog="python -m tests.benchmarks.decide")
    asked.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    to = asked.parse_args().json
    logging.getLogger("celpy").setLevel(logging.CRITICAL)  # it logs whatever is absent
    console = Console(width=None if sys.stdout.isatty() else 132)
    table = Table("measured", "figure", "beside", "goal", title="Decisions")
    rows: list[Row] = []
    with console.status("measuring") as status:
        for part in (many_rules, conditions, load_times, compared, weights):
            status.update(f"measuring {part.__name__.replace('_', ' ')}")
            found = list(part())
            rows += found
            for row in found:
                table.add_row(row.measured, row.figure, row.beside, row.goal)
            table.add_section()
    console.print(table)
    if to is not None:
        to.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


def many_rules() -> Iterator[Row]:
    """One decision, however many rules there are."""
    ways = {f"{size:,} rules": _all(engines.ours(size, every_rule=False)) for size in SIZES}
    seconds = alternating(ways, ROUNDS)
    least = next(iter(seconds.values()))
    for name, each in seconds.items():
        last = name == f"{SIZES[-1]:,} rules"
        micros = each / len(events()) * MICRO
        yield Row(
            f"one decision, {name}", f"{micros:.1f} µs", micros,
            f"{each / least:.2f} x of {SIZES[0]} rules",
            _met("at most 2 x", each <= 2 * least) if last else "",
        )  # fmt: skip


def conditions() -> Iterator[Row]:
    """One rule whose eight conditions hold, beside one that has none."""
    ways = {name: _one_rule(when) for name, when in (("eight", EIGHT), ("none", ""))}
    seconds = alternating(ways, ROUNDS)
    whole, alone = (8 / (each * MICRO) for each in (seconds["eight"], _eight(seconds)))
    yield Row(
        "conditions of one rule, each of 8 holds", f"{alone:.2f} a µs", alone,
        f"{_eight(seconds) * MICRO:.1f} µs for 8",
    )  # fmt: skip
    yield Row(
        "the same with the rest of the decision", f"{whole:.2f} a µs", whole,
        f"{seconds['eight'] * MICRO:.1f} µs, dispatch rendered",
    )  # fmt: skip


def load_times() -> Iterator[Row]:
    """Reading a rule file, once at the start and when it changes."""
    for size in SIZES[1:]:
        file = rules_of(tenants(size))
        seconds = once(lambda file=file: load_files([file]))
        kilobytes = len(file.text) / 1024
        yield Row(
            f"loading {size:,} rules", f"{seconds:.2f} s", seconds,
            f"{kilobytes:,.0f} KiB, {seconds / size * 1e3:.2f} ms a rule",
        )  # fmt: skip


def compared() -> Iterator[Row]:
    """The same rules and events by other engines; all must come to the same."""
    for size in COMPARED:
        ready = {
            OURS: engines.ours(size, every_rule=False),
            ALL_ASKED: engines.ours(size, every_rule=True),
            RULE_ENGINE: engines.of_rule_engine(size),
            CEL: engines.of_cel_python(size),
        }
        _check_that_they_agree(ready)
        seconds = alternating({name: _all(way) for name, way in ready.items()}, ROUNDS_COMPARED)
        for name, each in seconds.items():
            micros, times = each / len(events()) * MICRO, each / seconds[OURS]
            beside = "" if name == OURS else f"{times:,.1f} x of {OURS}"
            if name == ALL_ASKED:
                others = min(seconds[RULE_ENGINE], seconds[CEL])
                beside += f"; {others / each:.1f} x as quick as the next"
            goal = _met("at least 10 x", times >= 10) if name in (RULE_ENGINE, CEL) else ""
            yield Row(f"{size:,} rules, {name}", f"{micros:,.1f} µs", micros, beside, goal)


def weights() -> Iterator[Row]:
    """How many of very many rooms each deployment gets, beside what was asked for."""
    for shares in ({"": 90, "staging": 10}, {"a": 50, "b": 30, "c": 20}):
        split = Weights(tuple(shares.items()), Sticky.ROOM)
        chosen = [split.choose("support", f"room-{n}") for n in range(ROOMS)]
        documented = [_documented(shares, f"room-{n}") for n in range(ROOMS)]
        off = max(abs(chosen.count(name) / ROOMS * 100 - share) for name, share in shares.items())
        agree = "equal" if chosen == documented else "NOT EQUAL"
        found = ", ".join(f"{name or '(production)'} {chosen.count(name):,}" for name in shares)
        yield Row(
            f"weights {shares} over {ROOMS:,} rooms", f"{off:.3f} points off", off,
            f"{found}; {agree} to the documented formula",
            _met("at most 1 point", off <= 1 and chosen == documented),
        )  # fmt: skip


def _documented(shares: dict[str, int], room: str) -> str:
    """The formula worked out apart: a line in which each stands as often as it weighs."""
    number = int(sha256(b"support\x00" + room.encode()).hexdigest()[:16], 16)
    line = [name for name, share in shares.items() for _ in range(share)]
    return line[number % len(line)]


def _all(ready: Callable[[Event], Callable[[], list[str]]]) -> Callable[[], None]:
    decisions = [ready(event) for event in events()]

    def decide_all() -> None:
        for decision in decisions:
            decision()

    return decide_all


def _check_that_they_agree(ready: dict[str, Callable[[Event], Callable[[], list[str]]]]) -> None:
    matched = 0
    for event in events():
        answers = {name: way(event)() for name, way in ready.items()}
        if any(answer != answers[OURS] for answer in answers.values()):
            sys.exit(f"they do not agree on {event.id}: {answers}")
        matched += len(answers[OURS])
    if not matched:
        sys.exit("no event matches a rule: nothing is compared")


def _one_rule(when: str) -> Callable[[], object]:
    text = f"""version: 1
rules:
  - id: one
    on: participant_joined{when}
    dispatch: {{agent: greeter}}"""
    rules: Ruleset = load_files([RuleFile("rules.yaml", text)])
    event = events()[0]
    session, event = observe(Session(event.room_sid), event)
    if not decide(rules, event, session)[0].plans:
        sys.exit("the rule of eight conditions does not match")
    return lambda: decide(rules, event, session, every_rule=False)


def _eight(seconds: dict[str, float]) -> float:
    return max(seconds["eight"] - seconds["none"], 1e-9)


def _met(goal: str, met: bool) -> str:
    return f"{goal}: {'met' if met else 'MISSED'}"


if __name__ == "__main__":
    main()
