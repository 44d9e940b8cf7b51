"""A flood of refusals does not fill the log, and it is told how many were left out."""

from __future__ import annotations

import io
import json
import logging
import threading

import pytest
import structlog

from service.log_bounds import LEFT_OUT, MOST_A_SECOND, MOST_KINDS, LogBounds
from service.logs import configure_logs
from tests.service.conftest import RULES
from tests.service.served import Served
from tests.service.signed import URL, headers
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("logging_stays")


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def bounded():
    stream = io.StringIO()
    configure_logs("web", stream=stream, is_bounded=True)
    return stream, structlog.get_logger("any")


def test_a_kind_has_so_many_lines_a_second_and_then_their_number():
    stream, log = bounded()
    for n in range(500):
        log.warning("api_refused", type="token-invalid", n=n)
    left_out = eventually(lambda: [line for line in lines(stream) if line["event"] == LEFT_OUT])
    refused = [line for line in lines(stream) if line["event"] == "api_refused"]
    [told] = left_out
    assert len(refused) == MOST_A_SECOND
    assert (told["of"], told["type"]) == ("api_refused", "token-invalid")
    assert told["count"] == 500 - MOST_A_SECOND


def test_one_kind_keeps_no_other_out():
    stream, log = bounded()
    for _ in range(50):
        log.warning("webhook_refused", type="unknown-key")
    log.warning("webhook_refused", type="expired")
    log.error("request_failed")
    told = [(line["event"], line.get("type")) for line in lines(stream)]
    assert ("webhook_refused", "expired") in told
    assert ("request_failed", None) in told


def test_what_is_no_warning_is_never_left_out():
    stream, log = bounded()
    for n in range(50):
        log.info("dispatch_ordered", n=n)
    assert len(lines(stream)) == 50


def test_libraries_are_bounded_by_the_place_that_logs():
    stream, _ = bounded()
    for n in range(50):
        logging.getLogger("a.library").error("it broke, %s", n)
    logging.getLogger("a.library").error("elsewhere")
    told = [line["event"] for line in lines(stream)]
    assert told.count("elsewhere") == 1
    assert len(told) == MOST_A_SECOND + 1


def test_workers_and_commands_write_every_line():
    stream = io.StringIO()
    configure_logs("worker", stream=stream)
    for n in range(50):
        structlog.get_logger("any").warning("rule_failed", n=n)
    assert len(lines(stream)) == 50


def test_a_second_later_there_are_lines_again():
    now = 0.0
    bounds = LogBounds(lambda: now)

    def passes():
        try:
            bounds(None, "", {"level": "warning", "event": "x"})
        except structlog.DropEvent:
            return False
        return True

    assert [passes() for _ in range(MOST_A_SECOND + 5)] == [True] * MOST_A_SECOND + [False] * 5
    now = 0.99
    assert not passes()
    now = 1.0
    assert passes()


def test_kinds_without_end_take_no_memory_without_end():
    bounds = LogBounds()
    for n in range(3 * MOST_KINDS):
        bounds(None, "", {"level": "warning", "event": f"x{n}"})
    assert len(bounds._seconds) <= MOST_KINDS


def test_a_flood_waits_with_one_thread_for_each_kind():
    _, log = bounded()
    before = threading.active_count()
    for _ in range(5000):
        log.warning("webhook_refused", type="unknown-key")
    assert threading.active_count() <= before + 2


@pytest.mark.parametrize(
    ("secret", "name"),
    [('quote"and\\slash', "json"), ("schlüssel-ä", "letters"), ("line\nfeed-é", "control")],
)
def test_a_secret_is_struck_out_however_json_writes_it(secret, name):
    stream = io.StringIO()
    configure_logs("web", [secret], stream)
    structlog.get_logger("any").warning("x", why=f"it was {secret}", shown=f"it was {secret!r}")
    logging.getLogger("a.library").error("%s: %r", name, secret)
    for part in ("quote", "slash", "schl", "feed", secret):
        assert part not in stream.getvalue()


def test_the_web_process_is_bounded(tmp_path):
    house = Served(tmp_path, RULES)
    try:
        house.start()
        given = {**headers(b"{}"), "Authorization": "x"}
        for _ in range(300):
            assert house.ask("POST", URL, b"{}", given)[0] == 401
        eventually(lambda: f'"event": "{LEFT_OUT}"' in house.log)
        assert house.log.count('"event": "webhook_refused"') < 200
    finally:
        house.stop()
