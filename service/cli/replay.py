"""`replay`: post recorded events again, and give dead letters another try."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress

from service.cli.audit import acted
from service.cli.commands import Failure, example
from service.cli.environment import reached_redis, settings_with_livekit
from service.cli.events import read_lines
from service.cli.output import json_option, print_json, print_table, printable
from service.cli.send import line, to_option, webhook_url
from service.posting import Answer, NotPosted, Poster
from workers.deadletters import DeadLetters
from workers.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.cli.events import Given


@click.command(
    epilog=example(
        "dispatcher replay friday.jsonl --speed 10", "dispatcher replay --dead-letters --all"
    )
)
@click.argument("sources", metavar="[FILE.jsonl | EVENT_ID...]", nargs=-1)
@to_option
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Keep the recorded pace, N times as fast; without it as fast as they are taken.",
)
@click.option("--dead-letters", is_flag=True, help="List dead letters; with ids, replay those.")
@click.option("--all", "everything", is_flag=True, help="With --dead-letters: replay all.")
@json_option
def replay(
    *,
    sources: tuple[str, ...],
    to: str | None,
    speed: float | None,
    dead_letters: bool,
    everything: bool,
    as_json: bool,
) -> None:
    """Post recorded events again, or retry dead letters.

    A line of FILE.jsonl is an event, or a recorded delivery {"at": …, "body": …}. It is
    signed with the configured key and keeps its id, so what was accepted in the last hour is a
    duplicate. Dead letters are events that could not be decided.
    """
    if dead_letters:
        _dead_letters(sources, everything=everything, as_json=as_json)
        return
    if len(sources) != 1 or everything:
        raise click.UsageError("name one file of events, or --dead-letters")
    events = list(read_lines(sources[0]))
    settings = settings_with_livekit()
    answers: list[Answer] = []
    try:
        with Poster(webhook_url(settings, to), settings.servers[0]) as poster:
            _post(poster, events, speed, answers)
    except NotPosted as error:
        raise Failure(f"{error} ({len(answers)} of {len(events)} events were posted)") from None
    counts = Counter(a.said if a.taken else "refused" for a in answers)
    if as_json:
        print_json({"counts": counts, "events": [asdict(answer) for answer in answers]})
    else:
        for answer in answers:
            if not answer.taken:
                click.echo(line(answer), err=True)
        told = ", ".join(f"{count} {said}" for said, count in sorted(counts.items()))
        events_told = "1 event" if len(answers) == 1 else f"{len(answers)} events"
        click.echo(f"{events_told}: {told}" if answers else "no events")
    sys.exit(0 if not counts["refused"] else 1)


def _post(
    poster: Poster, events: Sequence[Given], speed: float | None, answers: list[Answer]
) -> None:
    """Post them; the answers are also told where it ends by an error."""
    pace = _pace(events, speed) if speed is not None else None
    console = Console(stderr=True)
    progress = Progress(console=console, transient=True, disable=not console.is_terminal)
    with progress:
        for event in progress.track(events, description="posting"):
            if pace is not None:
                pace(event)
            answers.append(poster.post(event.body, event.raw))


def _pace(events: Sequence[Given], speed: float) -> Callable[[Given], None]:
    """Waits until an event is due, counted from the first that says when it happened."""
    first = next((event.at for event in events if event.at is not None), 0.0)
    began = time.monotonic()

    def wait(event: Given) -> None:
        if event.at is not None:
            time.sleep(max(0.0, began + (event.at - first) / speed - time.monotonic()))

    return wait


def _dead_letters(ids: Sequence[str], *, everything: bool, as_json: bool) -> None:
    settings = load_settings()
    with reached_redis(settings) as redis:
        letters = DeadLetters(redis)
        found = [letter.redacted(settings.redaction) for letter in letters.list()]
        if not ids and not everything:
            if as_json:
                print_json({"dead_letters": [asdict(letter) for letter in found]})
            else:
                rows = [[printable(v) for v in (d.at, d.room, d.id, d.error)] for d in found]
                print_table(("AT", "ROOM", "EVENT", "ERROR"), rows, empty="no dead letters")
            return
        wanted = [letter.id for letter in found] if everything else list(ids)
        results: dict[str, str] = {}
        try:
            for event_id in wanted:
                results[event_id] = _replay(letters, event_id)
        finally:  # what is done by then is done
            counts = Counter(results.values())
            said = ", ".join(f"{count} {result}" for result, count in counts.items())
            acted(redis, "requeue", said or "none", event="*" if everything else ", ".join(ids))
    if as_json:
        print_json({"replayed": results})
    else:
        for event_id, result in results.items():
            click.echo(f"{printable(event_id)}  {result}")
    sys.exit(0 if all(result == "accepted" for result in results.values()) else 1)


def _replay(letters: DeadLetters, event_id: str) -> str:
    try:
        return "accepted" if letters.replay(event_id) else "not found"
    except ValueError as error:
        return str(error)
