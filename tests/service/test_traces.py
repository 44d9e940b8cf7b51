"""A trace of each event, from its webhook to its agent's joining, as a collector receives it."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from service.sandbox import Sandbox, Worker, running
from tests.environment import needed
from tests.ports import free_port
from tests.up import Up
from tests.waiting import eventually
from workers.settings import SettingsError, load_settings
from workers.traces import ids_of

if TYPE_CHECKING:
    from collections.abc import Iterator

RULES = """
version: 1
rules:
  - id: greet
    on: participant_joined
    dispatch: {agent: nobody-serves-it}
    join_within: 300ms
    fallback: [{agent: greeter}]
"""


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Collecting)
        self.spans: list[Any] = []
        self.headers: list[dict[str, str]] = []

    def of(self, trace: int) -> list[Any]:
        wanted = trace.to_bytes(16)
        return sorted(
            (span for span in self.spans if span.trace_id == wanted),
            key=lambda span: (span.start_time_unix_nano, span.name),
        )


class _Collecting(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        request = ExportTraceServiceRequest()
        request.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        self.server.spans += [
            span for each in request.resource_spans for s in each.scope_spans for span in s.spans
        ]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def collecting() -> Iterator[Collector]:
    server = Collector()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def livekit() -> tuple[Sandbox, int]:
    """A stand-in and the port it posts webhooks to."""
    port = free_port()
    quick = Worker("greeter", accept_delay=0.02, join_delay=0.02)
    url = f"http://127.0.0.1:{port}/webhooks/livekit"
    return Sandbox(webhook_urls=[url], workers=[quick]), port


def attributes(span: Any) -> dict[str, str]:
    return {each.key: each.value.string_value for each in span.attributes}


def test_one_trace_goes_from_the_webhook_to_the_joining(tmp_path):
    sandbox, port = livekit()
    with running(sandbox), collecting() as collector:
        environ = {
            "LIVEKIT_URL": sandbox.url,
            "LIVEKIT_API_KEY": sandbox.key,
            "LIVEKIT_API_SECRET": sandbox.secret,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}/",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-team=hush%2Dhush",
        }
        with Up(tmp_path, RULES, environ, port=port) as up:
            sandbox.join("support-1", "ana")
            [_, active] = eventually(lambda: two(up), timeout=20)
            trace, first = ids_of(active["event_id"])
            eventually(lambda: len(collector.of(trace)) == 8, timeout=20)
    spans = collector.of(trace)
    assert sorted(span.name for span in spans) == [
        "accept", "accept", "decide", "dispatch", "dispatch", "join", "join", "webhook"
    ]  # fmt: skip
    by_id = {span.span_id: span for span in spans}
    [webhook] = (span for span in spans if span.name == "webhook")
    assert (webhook.span_id, webhook.parent_span_id) == (first.to_bytes(8), b"")
    for span in spans:
        inside = {"accept": "dispatch", "join": "dispatch", "webhook": ""}.get(span.name, "webhook")
        assert (by_id[span.parent_span_id].name if span.parent_span_id else "") == inside
        assert span.start_time_unix_nano <= span.end_time_unix_nano
    failed, came = (span for span in spans if span.name == "dispatch")
    assert (failed.status.code, came.status.code) == (2, 0)
    assert attributes(came)["dispatcher.dispatch"] == active["id"]
    assert attributes(failed)["dispatcher.state"] == "superseded"
    assert {told["x-team"] for told in collector.headers} == {"hush-hush"}


def two(up):
    found = up.dispatches()
    return found if [each["state"] for each in found] == ["superseded", "active"] else []


def test_a_collector_that_is_away_delays_nothing(tmp_path):
    sandbox, port = livekit()
    with running(sandbox):
        environ = {
            "LIVEKIT_URL": sandbox.url,
            "LIVEKIT_API_KEY": sandbox.key,
            "LIVEKIT_API_SECRET": sandbox.secret,
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-team=hush-hush",
        }
        with Up(tmp_path, RULES, environ, port=port) as up:
            sandbox.join("support-1", "ana")
            eventually(lambda: two(up), timeout=20)
        assert "child_killed" not in up.log, "it ends in time all the same"
        assert "hush-hush" not in up.log


@pytest.mark.parametrize("headers", ["x-team", "=a", "a=b,c"])
def test_headers_are_pairs(headers):
    given = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_EXPORTER_OTLP_HEADERS": headers}
    with pytest.raises(SettingsError) as refused:
        load_settings(given)
    assert str(refused.value) == (
        "OTEL_EXPORTER_OTLP_HEADERS is not allowed: it must be name=value, with commas between"
        " several"
    )


def test_without_the_libraries_it_is_one_line(tmp_path):
    hidden = tmp_path / "opentelemetry"  # found before the real one
    hidden.mkdir()
    (hidden / "__init__.py").touch()
    done = subprocess.run(
        [sys.executable, "-m", "service", "worker"],
        env={
            **needed(), "PYTHONPATH": str(tmp_path), "LIVEKIT_URL": "ws://127.0.0.1:1",
            "LIVEKIT_API_KEY": "k", "LIVEKIT_API_SECRET": "s" * 32,
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318",
        },
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "install 'livekit-dispatcher[otel]'" in line
