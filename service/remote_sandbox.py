"""The sandbox of another process, driven over its control API."""

from __future__ import annotations

import http.client
import json
from typing import Any


class RemoteSandbox:
    """Makes things happen in a sandbox, by the method names of `service.sandbox.Sandbox`.

    Every method raises OSError if the sandbox cannot be reached.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    @property
    def url(self) -> str:
        """Its address as LIVEKIT_URL takes it."""
        return f"http://{self._host}:{self._port}"

    def answers(self) -> bool:
        """Whether it is there."""
        try:
            self._call("GET", "rooms")
        except OSError:
            return False
        return True

    def join(self, room: str, identity: str, **more: Any) -> None:  # noqa: ANN401 - what Sandbox.join takes
        """Let somebody into a room."""
        self._call("POST", "participants", room=room, identity=identity, **more)

    def leave(self, room: str, identity: str) -> None:
        """Let somebody go."""
        self._call("DELETE", "participants", room=room, identity=identity)

    def publish(self, room: str, identity: str) -> None:
        """Let somebody turn the microphone on."""
        self._call("POST", "tracks", room=room, identity=identity)

    def webhooks(self) -> list[dict[str, Any]]:
        """Every webhook so far, and what came of it."""
        found: list[dict[str, Any]] = self._call("GET", "webhooks")["webhooks"]
        return found

    def _call(self, verb: str, thing: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        connection = http.client.HTTPConnection(self._host, self._port, timeout=5)
        try:
            body = json.dumps(fields) if fields else None
            headers = {"Content-Type": "application/json"} if fields else {}
            connection.request(verb, f"/sandbox/{thing}", body, headers)
            answer = connection.getresponse()
            content = json.loads(answer.read())
        except (http.client.HTTPException, ValueError) as error:
            raise OSError(f"the sandbox gave no answer: {error}") from None
        finally:
            connection.close()
        if answer.status != http.HTTPStatus.OK:
            raise OSError(f"the sandbox would not {verb} {thing}: {content}")
        return dict(content)
