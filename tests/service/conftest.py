"""The web application on a real Valkey, without a server around it."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import structlog

from service.web import create_app
from tests.service.served import Served
from tests.service.signed import ADMIN_TOKEN, KEY, SECRET, URL, headers
from workers.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

RULES = """
version: 1
rules:
  - id: support
    on: participant_joined
    when: {room: {name: "support-*"}}
    dispatch: {agent: greeter}
"""


class Post(Protocol):
    """Posts a webhook; signed as LiveKit does unless `given` says otherwise."""

    def __call__(
        self, body: bytes | dict[str, Any], given: Mapping[str, str] | None = None
    ) -> TestResponse: ...


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    return file


@pytest.fixture
def environ(redis_url: str, rules_file: Path, tmp_path: Path) -> dict[str, str]:
    return {
        "LIVEKIT_URL": "ws://127.0.0.1:7880",
        "LIVEKIT_API_KEY": KEY,
        "LIVEKIT_API_SECRET": SECRET,
        "REDIS_URL": redis_url,
        "DISPATCHER_RULES": str(rules_file),
        "DISPATCHER_DATA": str(tmp_path / "data"),
        "DISPATCHER_ADMIN_TOKEN": ADMIN_TOKEN,
    }


@pytest.fixture
def settings(environ: dict[str, str]) -> Settings:
    return load_settings(environ)


@pytest.fixture
def client(settings: Settings) -> FlaskClient:
    return create_app(settings).test_client()


@pytest.fixture
def post(client: FlaskClient) -> Post:
    def post(body: bytes | dict[str, Any], given: Mapping[str, str] | None = None) -> TestResponse:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return client.post(URL, data=raw, headers=headers(raw) if given is None else given)

    return post


@pytest.fixture
def logging_stays() -> Iterator[None]:
    """What a test makes of logging is undone."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Served]:
    """`dispatcher serve` on a Valkey of its own, once `house.start()` is called."""
    house = Served(tmp_path, RULES)
    house.start_valkey()
    yield house
    house.stop()
