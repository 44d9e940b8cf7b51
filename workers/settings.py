"""What the environment says, read once and strictly.

`load_settings` is the only reader of these variables.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pydantic import ValidationError

from rules.decision import Provider
from workers.connection import passwords_in
from workers.receivers import find_receivers
from workers.redacting import Redaction
from workers.servers import Server, ServerError, find_servers
from workers.variables import Restarts, SettingsError, Variables, check_token, line
from workers.videosdk_account import VideoSdkAccount, find_account

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta
    from pathlib import Path

    from workers.addresses import WorkerAddress
    from workers.receivers import Receivers

__all__ = ["Restarts", "Server", "Settings", "SettingsError", "check_token", "load_settings"]


@dataclass(frozen=True, slots=True)
class Otlp:
    """An OpenTelemetry collector that takes OTLP over HTTP."""

    endpoint: str
    """Without a slash at its end; `/v1/traces` is added."""
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything this process was told."""

    servers: tuple[Server, ...]
    """The LiveKit servers, LIVEKIT_URL's first; empty where none is configured."""
    data: Path
    """Where the embedded Valkey keeps its files; absolute."""
    rules: str
    """A file, a folder or a glob."""
    host: str
    port: int
    admin_port: int
    """Where all but webhooks is answered: `port`, unless it is one of its own."""
    retention: timedelta
    """How long history is kept."""
    history_bytes: int
    """How much of Redis's memory it may take, about."""
    redaction: Redaction
    """What neither history nor a page or log shows."""
    reconcile_interval: timedelta
    """How often what webhooks said is compared with what LiveKit lists; 0: never."""
    restarts: Restarts
    dry_run: bool
    """Whether everything is decided as usual, and no agent is sent."""
    agent_workers: tuple[WorkerAddress, ...]
    """Workers of livekit-agents that are asked what they are."""
    receivers: Receivers | None
    """Who is told of dispatches; None: nobody."""
    videosdk: VideoSdkAccount | None
    """None: VideoSDK is not configured."""
    otlp: Otlp | None
    """Where traces are sent; None: nowhere."""
    redis_url: str | None = field(repr=False)
    """None: the embedded Valkey."""
    admin_token: str | None = field(repr=False)
    """What opens the API; None: nothing does."""
    viewer_token: str | None = field(repr=False)
    """What lets somebody look and change nothing; None: nothing does."""
    _secrets: Mapping[str, str] = field(repr=False)
    _owners: Mapping[str, Server] = field(repr=False)

    @property
    def restarts_ours(self) -> frozenset[str]:
        """Ids of the servers on which an agent that fails is sent again by us: VideoSDK's too."""
        videosdk = {self.videosdk.id} if self.videosdk is not None else set()
        if self.restarts is not Restarts.AUTO:
            chosen = self.servers if self.restarts is Restarts.OURS else ()
        else:
            chosen = tuple(server for server in self.servers if not server.is_cloud)
        return frozenset({server.id for server in chosen} | videosdk)

    @property
    def secrets(self) -> frozenset[str]:
        """Texts that no log may hold."""
        passwords = passwords_in(self.redis_url) if self.redis_url else ()
        tokens = {token for token in (self.admin_token, self.viewer_token) if token is not None}
        account = self.videosdk
        of_account = (account.secret, account.token) if account is not None else ()
        of_collector = self.otlp.headers.values() if self.otlp is not None else ()
        of_receivers = self.receivers.private if self.receivers is not None else ()
        of_others = (*of_account, *of_collector, *of_receivers)
        found = {*self._secrets.values(), *passwords, *tokens, *of_others}
        return frozenset(found - {""})

    @property
    def providers(self) -> frozenset[Provider]:
        """Whose agents can be sent. LiveKit's are what one asks about before it is configured."""
        return frozenset({Provider.LIVEKIT} | ({Provider.VIDEOSDK} if self.videosdk else set()))

    @property
    def places(self) -> Mapping[str, str]:
        """URLs of the LiveKit servers and of VideoSDK's account, by id."""
        account = () if self.videosdk is None else (self.videosdk,)
        return {each.id: each.url for each in (*self.servers, *account)}

    def server_of(self, api_key: str) -> Server | None:
        """The server a key belongs to; None for a key nobody configured."""
        return self._owners.get(api_key)

    def keys_of(self, server: Server) -> tuple[str, ...]:
        """The API keys of a server, the one it is called with first."""
        return tuple(key for key, owner in self._owners.items() if owner == server)

    def place_of(self, api_key: str) -> str | None:
        """Id of the LiveKit server or VideoSDK account a key belongs to; None as `server_of`."""
        if self.videosdk is not None and api_key == self.videosdk.api_key:
            return self.videosdk.id
        server = self.server_of(api_key)
        return server.id if server is not None else None

    def secret_of(self, api_key: str) -> str | None:
        """The secret of a key; None for a key nobody configured."""
        return self._secrets.get(api_key)


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment.

    Raises:
        SettingsError: a value is not allowed, or two variables contradict each other.
    """
    try:
        given = Variables(environ)
        found = find_servers(
            url=given.livekit_url,
            key=given.livekit_api_key,
            secret=given.livekit_api_secret,
            keys=given.livekit_keys,
            urls=given.livekit_urls,
        )
        account = find_account(
            url=given.videosdk_url,
            key=given.videosdk_api_key,
            secret=given.videosdk_secret,
            token=given.videosdk_token,
            webhook_key=given.videosdk_webhook_public_key,
        )
        receivers = find_receivers(
            given.dispatcher_notify_url, given.dispatcher_notify_secret, given.dispatcher_notify
        )
    except ValidationError as error:
        raise SettingsError(line(error)) from None
    except ServerError as error:
        raise SettingsError(str(error)) from None
    if given.dispatcher_viewer_token and (
        given.dispatcher_viewer_token == given.dispatcher_admin_token
    ):
        raise SettingsError(
            "DISPATCHER_VIEWER_TOKEN is that of DISPATCHER_ADMIN_TOKEN: whoever has it could change"
            " everything; make another"
        )
    return Settings(
        servers=found.servers,
        data=given.dispatcher_data,
        rules=given.dispatcher_rules,
        host=given.dispatcher_host,
        port=given.dispatcher_port,
        admin_port=given.dispatcher_admin_port or given.dispatcher_port,
        retention=given.dispatcher_retention,
        history_bytes=given.dispatcher_history_bytes,
        redaction=Redaction(given.dispatcher_redact),
        reconcile_interval=given.dispatcher_reconcile_interval,
        restarts=given.dispatcher_restarts,
        dry_run=given.dispatcher_dry_run,
        agent_workers=given.dispatcher_agent_workers,
        receivers=receivers,
        videosdk=account,
        otlp=_otlp(given),
        redis_url=given.redis_url,
        admin_token=given.dispatcher_admin_token,
        viewer_token=given.dispatcher_viewer_token,
        _secrets=found.secrets,
        _owners=found.owners,
    )


def can_trace() -> bool:
    """Whether the libraries for traces are installed."""
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


def _otlp(given: Variables) -> Otlp | None:
    if given.otel_exporter_otlp_endpoint is None:
        return None
    if not can_trace():
        raise SettingsError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set and OpenTelemetry is not installed: install"
            " 'livekit-dispatcher[otel]', or unset it"
        )
    return Otlp(given.otel_exporter_otlp_endpoint, given.otel_exporter_otlp_headers)
