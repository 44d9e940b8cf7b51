"""Webhooks as VideoSDK signs them, and a server that tells the key."""

from __future__ import annotations

import base64
import json
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from collections.abc import Iterator

URL = "/webhooks/videosdk"
KEY = rsa.generate_private_key(65537, 2048)
OTHER_KEY = rsa.generate_private_key(65537, 2048)
ACCOUNT = {"VIDEOSDK_API_KEY": "vkey", "VIDEOSDK_SECRET": "hush-videosdk"}


def pem(key: rsa.RSAPrivateKey) -> str:
    """The public half, as VideoSDK gives its own."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()


PINNED = {**ACCOUNT, "VIDEOSDK_WEBHOOK_PUBLIC_KEY": pem(KEY)}


def came(participant: str = "p-ana", kind: str = "participant-joined", **data: Any) -> bytes:
    """The body of somebody's joining, with spaces another writer would not make."""
    told = {
        "meetingId": "support-1",
        "sessionId": "s-1",
        "participantId": participant,
        "participantName": "Ana",
        **data,
    }
    return json.dumps({"webhookType": kind, "data": told}, separators=(" , ", ":")).encode()


def signature(body: bytes, key: rsa.RSAPrivateKey = KEY) -> str:
    return base64.b64encode(key.sign(body, PKCS1v15(), SHA256())).decode()


def headers(body: bytes, key: rsa.RSAPrivateKey = KEY) -> dict[str, str]:
    return {"videosdk-signature": signature(body, key), "Content-Type": "application/json"}


class KeyServer:
    """Tells a key at the path where VideoSDK does, and counts who asks."""

    def __init__(self) -> None:
        self.content = json.dumps({"publicKey": pem(KEY)}).encode()
        self.status = 200
        self.asked = 0
        self.going = threading.Event()
        """Cleared: those who ask wait."""
        self.going.set()
        self.url = ""

    def tell(self, key: rsa.RSAPrivateKey) -> None:
        self.content = json.dumps({"publicKey": pem(key)}).encode()


@contextmanager
def key_server() -> Iterator[KeyServer]:
    told = KeyServer()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked += 1
            told.going.wait()
            self.send_response(told.status if self.path == "/v2/public/rsa-public-key" else 404)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(told.content)))
            self.end_headers()
            self.wfile.write(told.content)

        def handle(self) -> None:
            with suppress(OSError):  # whoever asked has gone
                super().handle()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        told.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield told
        finally:
            told.going.set()
            server.shutdown()
