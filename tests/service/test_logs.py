from __future__ import annotations

import base64
import io
import json
import logging
from urllib.parse import quote, quote_plus

import pytest
import structlog

from service.logs import configure_logs

pytestmark = pytest.mark.usefixtures("logging_stays")

SECRET = "hush-hush-hush"
LOCAL = f"{SECRET}-local"
WORDS = f"a {SECRET} in words"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def raise_and_log(log):
    try:
        go_wrong(LOCAL)
    except RuntimeError:
        log.exception("broken", room="support-1")


def go_wrong(secret_in_a_variable):
    if secret_in_a_variable:
        raise RuntimeError(f"it went wrong with {SECRET}")


def test_lines_are_json_where_nobody_reads_live():
    stream = io.StringIO()
    configure_logs("web", stream=stream)
    structlog.get_logger("any").warning("refused", why="no\nsignature", odd=object)
    [line] = stream.getvalue().splitlines()
    told = json.loads(line)
    assert told["timestamp"].endswith("Z")
    assert (told["event"], told["level"], told["process"]) == ("refused", "warning", "web")
    assert told["why"] == "no\nsignature"


def test_libraries_log_alike():
    stream = io.StringIO()
    configure_logs("worker", stream=stream)
    logging.getLogger("a.library").warning("lost %s", "it")
    logging.getLogger("chatty").info("not shown")
    [line] = stream.getvalue().splitlines()
    told = json.loads(line)
    assert (told["event"], told["level"], told["process"]) == ("lost it", "warning", "worker")


def test_lines_are_key_value_on_a_terminal():
    stream = Terminal()
    configure_logs("web", stream=stream)
    structlog.get_logger().info("started", port=8080)
    [line] = stream.getvalue().splitlines()
    assert "started" in line
    assert "8080" in line
    assert not line.startswith("{")


@pytest.mark.parametrize("secret", ['pass"word\\x', "gehëim-wörter", "a/b+c d%e&f", "plain-secret"])
@pytest.mark.parametrize("stream", [io.StringIO, Terminal], ids=["json", "terminal"])
@pytest.mark.parametrize("logger", [structlog.get_logger, lambda: logging.getLogger("any")])
def test_secrets_are_struck_out_however_they_are_written(stream, logger, secret):
    written = [
        secret, repr(secret), json.dumps(secret), json.dumps(secret, ensure_ascii=False),
        quote(secret), quote(secret, safe=""), quote_plus(secret),
        f"Basic {base64.b64encode(secret.encode()).decode()}",
    ]  # fmt: skip
    stream = stream()
    configure_logs("web", [secret], stream)
    for text in written:
        logger().warning(f"it is <{text}>", exc_info=RuntimeError(text))
    shown = stream.getvalue()
    assert "it is <" in shown
    for text in (*written, *(json.dumps(each)[1:-1] for each in written)):
        assert text.strip("\"'").removeprefix("Basic ") not in shown, text


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["json", "terminal"])
@pytest.mark.parametrize("logger", [structlog.get_logger, lambda: logging.getLogger("any")])
def test_secrets_are_struck_out_whoever_logs_them(stream, logger):
    configure_logs("web", [SECRET, "", "no"], stream)
    log = logger()
    log.warning(WORDS)
    if logger is structlog.get_logger:
        log.warning("no values", url=f"redis://:{SECRET}@h", more={"k": [SECRET]})
        raise_and_log(log)
        assert "RuntimeError: it went wrong with ***" in stream.getvalue()
    assert SECRET not in stream.getvalue()
    assert "-local" not in stream.getvalue()
    assert "***" in stream.getvalue()


@pytest.mark.parametrize("name", ["\x1b]0;mine\x07x", "\x1b[2J", "a\u202eb", "\u009b31m", "x\ry"])
def test_a_terminal_obeys_nothing_that_strangers_have_named(name):
    terminal = Terminal()
    configure_logs("worker", stream=terminal)
    structlog.get_logger("any").warning("dispatched", room=name, who=f"{name} {name}")
    logging.getLogger("a.library").warning("it was %s", name)
    assert name not in terminal.getvalue()
    assert terminal.getvalue().count("\n") == 2
