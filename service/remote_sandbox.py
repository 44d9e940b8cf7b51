"""The stand-ins of other processes, driven over their control APIs."""

from __future__ import annotations

import http.client
import json
from typing import Any


class _Remote:
    """A stand-in of another process. Every method raises OSError if it cannot be reached."""

    def __init__(self, host: str, port: int) -> None:
        self.port = port
        self._host = host

    @property
    def url(self) -> str:
        """Its address as LIVEKIT_URL or VIDEOSDK_URL takes it."""
        return f"http://{self._host}:{self.port}"

    def answers(self) -> bool:
        """Whether it is there."""
        try:
            self.webhooks()
        except OSError:
            return False
        return True

    def webhooks(self) -> list[dict[str, Any]]:
        """Every webhook so far, and what came of it."""
        found: list[dict[str, Any]] = self._call("GET", "webhooks")["webhooks"]
        return found

    def _call(self, verb: str, thing: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        connection = http.client.HTTPConnection(self._host, self.port, timeout=5)
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


class RemoteSandbox(_Remote):
    """LiveKit's, by the method names of `service.sandbox.Sandbox`."""

    def join(self, room: str, identity: str, **more: Any) -> None:  # noqa: ANN401 - what Sandbox.join takes
        """Let somebody into a room."""
        self._call("POST", "participants", room=room, identity=identity, **more)

    def leave(self, room: str, identity: str) -> None:
        """Let somebody go."""
        self._call("DELETE", "participants", room=room, identity=identity)

    def publish(self, room: str, identity: str) -> None:
        """Let somebody turn the microphone on."""
        self._call("POST", "tracks", room=room, identity=identity)


class RemoteVideoSdk(_Remote):
    """VideoSDK's, by the method names of `service.sandbox.videosdk.VideoSdkSandbox`."""

    def join(self, meeting: str, participant: str, *, name: str = "") -> None:
        """Let somebody into a meeting."""
        self._call("POST", "participants", meeting=meeting, participant=participant, name=name)

    def leave(self, meeting: str, participant: str) -> None:
        """Let somebody go."""
        self._call("DELETE", "participants", meeting=meeting, participant=participant)

    def present(self, meeting: str) -> list[str]:
        """Ids of those who are in the meeting."""
        found: list[str] = self._call("GET", "participants", meeting=meeting)["participants"]
        return found

    def violations(self) -> list[str]:
        """Every request so far that was not as VideoSDK documents it."""
        found: list[str] = self._call("GET", "violations")["violations"]
        return found
