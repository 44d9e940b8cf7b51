"""What the page on notifications says: its receiver runs, and its tables are what there is."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from rules.loader import load
from tests.ports import free_port
from tests.receiving import OTHER_SECRET, SECRET
from tests.waiting import eventually
from tests.workers.test_notices import RULED
from workers import keys, notice_post, notifier
from workers.notice_post import signed
from workers.notice_queue import untold
from workers.receivers import Receiver, Receivers, Topic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.sandbox import Sandbox
    from tests.workers.conftest import House

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "service/docs/notifications.md").read_text()
[RECEIVER] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Runs the page's receiver; where it listens, and what it prints."""
    (tmp_path / "receiver.py").write_text(RECEIVER)
    printed, port = tmp_path / "printed", free_port()
    with printed.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "receiver", "run", "--port", str(port)],
            cwd=tmp_path, stdout=out, stderr=subprocess.DEVNULL,
            env={"DISPATCHER_NOTIFY_SECRET": SECRET, "PATH": "/usr/bin"},
        )  # fmt: skip
        try:
            yield f"http://127.0.0.1:{port}/livekit", printed
        finally:
            process.kill()
            process.wait()


def lines(printed: Path) -> list[str]:
    return [line for line in printed.read_text().splitlines() if line.startswith("dispatch.")]


def test_its_receiver_takes_what_the_service_posts(
    receiver: tuple[str, Path], house: House, sandbox: Sandbox
) -> None:
    url, printed = receiver
    told = Receivers((Receiver(url),), (SECRET,), frozenset({Topic.FAILED}))
    house.settings = replace(house.settings, receivers=told)
    house.rules.write_text(RULED)
    house.start_worker()
    sandbox.join("support-1", "ana")
    [line] = eventually(lambda: lines(printed), timeout=30)
    assert line.startswith("dispatch.failed support-1 no_worker: ")
    eventually(lambda: untold(house.redis).notices == 0)


def test_its_receiver_takes_each_id_once_and_nothing_that_others_have_signed(
    receiver: tuple[str, Path],
) -> None:
    url, printed = receiver
    body = '{"type":"dispatch.failed","data":{"room":"a","reason":"b"}}'
    eventually(lambda: posted(url, body, SECRET) == 204, timeout=20)
    assert posted(url, body, SECRET) == 204
    assert posted(url, body, OTHER_SECRET) == 401
    assert posted(url, body.replace("a", "c"), SECRET, signed_body=body) == 401
    assert lines(printed) == ["dispatch.failed a b"]


def posted(url: str, body: str, secret: str, signed_body: str = "") -> int:
    """The status that is answered; 0 while nobody listens."""
    headers = signed("D1_failed", signed_body or body, time.time(), (secret,))
    asked = Request(url, body.encode(), {**headers, "Content-Type": "application/json"})
    try:
        with urlopen(asked) as answer:
            return answer.status
    except HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_its_tables_and_figures_are_those_in_force() -> None:
    assert re.findall(r"^\| `(dispatch\.\w+)`", PAGE, re.MULTILINE) == list(Topic)
    assert "5 s, 30 s, 2 min, 10 min, and then every hour" in " ".join(PAGE.split())
    assert notifier.WAITS == (5, 30, 120, 600, 3600)
    assert f"within {notice_post.ANSWER_SECONDS:.0f} seconds" in PAGE
    assert f"At most {keys.MOST_NOTICES:,} wait" in PAGE


def test_every_word_of_the_log_that_it_names_is_logged() -> None:
    named = set(re.findall(r"`((?:not|rec|nob)\w*_\w+)`", PAGE))
    sources = "".join(path.read_text() for path in (REPOSITORY / "workers").glob("*.py"))
    assert named >= {"notice_not_taken", "receiver_answers_again", "nobody_to_notify"}
    assert [word for word in named if f'"{word}"' not in sources] == []


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", PAGE)
    assert links
    assert [each for each in links if not (REPOSITORY / "service/docs" / each).exists()] == []


def test_its_example_of_a_rule_loads(tmp_path: Path) -> None:
    [ladder] = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    head = "version: 1\nrules:\n  - id: a\n    on: participant_joined\n    dispatch: {agent: b}\n"
    (tmp_path / "rules.yaml").write_text(head + ladder)
    loaded = load(tmp_path / "rules.yaml")
    assert (loaded.notifies, loaded.warnings) == (True, ())
