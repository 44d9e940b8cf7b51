"""The documents' token endpoints, as they are written there, get their tokens from the service."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient
from livekit.api import TokenVerifier
from werkzeug.serving import make_server

from service.web import create_app
from tests.service.signed import ADMIN_TOKEN, KEY, SECRET
from tests.test_readme import DOCS, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.settings import Settings


@pytest.fixture
def served(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The service on a port, and the environment of an application that asks it."""
    server = make_server("127.0.0.1", 0, create_app(settings), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("DISPATCHER_URL", f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("DISPATCHER_ADMIN_TOKEN", ADMIN_TOKEN)
    monkeypatch.setenv("SECRET_KEY", "of the example")
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def example(framework: str) -> dict[str, Any]:
    """The names of the one example for this framework, run as a module."""
    [text] = [
        block
        for block in blocks("python", (DOCS / "tokens.md").read_text())
        if f"from {framework} import" in block
    ]
    names: dict[str, Any] = {"__name__": framework}
    exec(compile(text, f"tokens.md, {framework}", "exec", dont_inherit=True), names)  # noqa: S102 - its own code
    return names


def agents(token: str) -> tuple[str, list[str]]:
    claims = TokenVerifier(KEY, SECRET).verify(token)
    return claims.identity, [agent.agent_name for agent in claims.room_config.agents]


@pytest.mark.usefixtures("served")
def test_with_flask() -> None:
    names = example("flask")
    with names["dispatcher"], names["app"].test_client() as client:
        with client.session_transaction() as session:
            session["user"] = "ana"
        answer = client.post("/rooms/support-1/token")
    assert agents(answer.json["token"]) == ("ana", ["greeter"])


@pytest.mark.usefixtures("served")
def test_with_fastapi() -> None:
    names = example("fastapi")
    with TestClient(names["app"]) as client:
        answer = client.post("/rooms/support-1/token", headers={"X-User": "ana"})
        client.portal.call(names["dispatcher"].aclose)
    assert agents(answer.json()["token"]) == ("ana", ["greeter"])
