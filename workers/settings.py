"""What the environment says, read once and strictly.

`load_settings` is the only reader of these variables. An empty variable counts as unset. Every
secret may also be given as a file's path in `<NAME>_FILE`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from rules.durations import parse_duration
from workers.addresses import WorkerAddress, parse_addresses
from workers.connection import check_redis_url, passwords_in, without_password
from workers.servers import Server, ServerError, find_servers, normal_url, parse_pairs
from workers.sizes import parse_size

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Server", "Settings", "SettingsError", "check_token", "load_settings"]

HAVE_A_FILE_FORM: Final = (
    "LIVEKIT_API_SECRET", "LIVEKIT_KEYS", "REDIS_URL", "DISPATCHER_ADMIN_TOKEN"
)  # fmt: skip
_SECRET: Final = frozenset({"LIVEKIT_API_SECRET", "LIVEKIT_KEYS", "DISPATCHER_ADMIN_TOKEN"})
"""Variables whose value is never shown."""
_ADDRESSES: Final = frozenset({"LIVEKIT_URL", "REDIS_URL"})
"""Variables that are shown without what could be a password."""
_TOKEN: Final = re.compile(r"[!-~]{8,}\Z")


class Restarts(StrEnum):
    """Who sends an agent again that has failed."""

    AUTO = "auto"
    """LiveKit, where it acts on `restart_policy` itself (LiveKit Cloud); elsewhere we do."""
    OURS = "ours"
    LIVEKIT = "livekit"


class SettingsError(Exception):
    """A variable has a value that cannot be used; the text is one line for people."""


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
    retention: timedelta
    """How long history is kept."""
    history_bytes: int
    """How much of Redis's memory it may take, about."""
    reconcile_interval: timedelta
    """How often what webhooks said is compared with what LiveKit lists; 0: never."""
    restarts: Restarts
    agent_workers: tuple[WorkerAddress, ...]
    """Workers of livekit-agents that are asked what they are."""
    redis_url: str | None = field(repr=False)
    """None: the embedded Valkey."""
    admin_token: str | None = field(repr=False)
    """What opens the API; None: nothing does."""
    _secrets: Mapping[str, str] = field(repr=False)
    _owners: Mapping[str, Server] = field(repr=False)

    @property
    def restarts_ours(self) -> frozenset[str]:
        """Ids of the servers on which an agent that fails is sent again by us."""
        if self.restarts is not Restarts.AUTO:
            chosen = self.servers if self.restarts is Restarts.OURS else ()
            return frozenset(server.id for server in chosen)
        return frozenset(server.id for server in self.servers if not server.is_cloud)

    @property
    def secrets(self) -> frozenset[str]:
        """Texts that no log may hold."""
        passwords = passwords_in(self.redis_url) if self.redis_url else ()
        token = () if self.admin_token is None else (self.admin_token,)
        return frozenset({*self._secrets.values(), *passwords, *token})

    def server_of(self, api_key: str) -> Server | None:
        """The server a key belongs to; None for a key nobody configured."""
        return self._owners.get(api_key)

    def secret_of(self, api_key: str) -> str | None:
        """The secret of a key; None for a key nobody configured."""
        return self._secrets.get(api_key)


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment.

    Raises:
        SettingsError: a value is not allowed, or two variables contradict each other.
    """
    try:
        given = _Variables(environ)
        found = find_servers(
            url=given.livekit_url,
            key=given.livekit_api_key,
            secret=given.livekit_api_secret,
            keys=given.livekit_keys,
            urls=given.livekit_urls,
        )
    except ValidationError as error:
        raise SettingsError(_line(error)) from None
    except ServerError as error:
        raise SettingsError(str(error)) from None
    return Settings(
        servers=found.servers,
        data=given.dispatcher_data,
        rules=given.dispatcher_rules,
        host=given.dispatcher_host,
        port=given.dispatcher_port,
        retention=given.dispatcher_retention,
        history_bytes=given.dispatcher_history_bytes,
        reconcile_interval=given.dispatcher_reconcile_interval,
        restarts=given.dispatcher_restarts,
        agent_workers=given.dispatcher_agent_workers,
        redis_url=given.redis_url,
        admin_token=given.dispatcher_admin_token,
        _secrets=found.secrets,
        _owners=found.owners,
    )


def check_token(text: str) -> str:
    """A token as HTTP headers carry it.

    Raises:
        ValueError: it is not one, or short enough to be guessed.
    """
    if not _TOKEN.match(text):
        raise ValueError("it must be 8 or more ASCII characters, without spaces among them")
    return text


def _duration(text: object) -> object:
    return parse_duration(text) if isinstance(text, str) else text


def _directory(text: str | Path) -> Path:
    try:
        return Path(text).expanduser().resolve()
    except (RuntimeError, OSError, ValueError):
        raise ValueError("it must be the path of a directory") from None


def _path_text(text: str) -> str:
    try:
        return str(Path(text).expanduser())
    except RuntimeError:
        raise ValueError("it must be a path; its home directory is not known") from None


def _redis_url(text: str) -> str:
    check_redis_url(text)
    return text


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("it must be longer than nothing, such as 7d")
    return value


def _bytes(text: object) -> object:
    return parse_size(text) if isinstance(text, str) else text


def _not_too_often(value: timedelta) -> timedelta:
    if timedelta(0) < value < timedelta(seconds=1):
        raise ValueError("it must be 1s or longer, or 0 to turn it off")
    return value


def _restarts(text: object) -> object:
    if text not in set(Restarts):
        raise ValueError(f"it must be one of {', '.join(Restarts)}")
    return Restarts(str(text))


_Pairs = Annotated[dict[str, str], BeforeValidator(parse_pairs)]
_Text = Annotated[str, Field(min_length=1)]


class _Variables(BaseSettings):
    """The environment as it is spelled; each field is the variable of its name."""

    model_config = SettingsConfigDict(extra="ignore", enable_decoding=False, strict=True)

    livekit_url: Annotated[str, AfterValidator(normal_url)] | None = None
    livekit_api_key: str | None = None
    livekit_api_secret: str | None = None
    livekit_keys: _Pairs = Field(default_factory=dict)
    livekit_urls: _Pairs = Field(default_factory=dict)
    redis_url: Annotated[str, AfterValidator(_redis_url)] | None = None
    dispatcher_data: Annotated[Path, BeforeValidator(_directory)] = Field(
        default=Path("~/.local/state/livekit-dispatcher"), validate_default=True
    )
    dispatcher_rules: Annotated[_Text, AfterValidator(_path_text)] = "./rules.yaml"
    dispatcher_admin_token: Annotated[str, AfterValidator(check_token)] | None = None
    dispatcher_host: _Text = "127.0.0.1"
    dispatcher_port: Annotated[int, Field(strict=False, ge=1, le=65535)] = 8080
    dispatcher_retention: Annotated[
        timedelta, BeforeValidator(_duration), AfterValidator(_positive)
    ] = timedelta(days=7)
    dispatcher_history_bytes: Annotated[int, BeforeValidator(_bytes)] = Field(
        default="256MB", validate_default=True
    )
    dispatcher_reconcile_interval: Annotated[
        timedelta, BeforeValidator(_duration), AfterValidator(_not_too_often)
    ] = timedelta(seconds=30)
    dispatcher_restarts: Annotated[Restarts, BeforeValidator(_restarts)] = Restarts.AUTO
    dispatcher_agent_workers: Annotated[
        tuple[WorkerAddress, ...], BeforeValidator(parse_addresses)
    ] = ()

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ=environ)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - this and the rest are not used
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (_Environment(settings_cls, init_settings()["environ"]),)


class _Environment(PydanticBaseSettingsSource):
    """Variables from a mapping, secrets also from the files it names."""

    def __init__(self, settings_cls: type[BaseSettings], environ: Mapping[str, str]) -> None:
        super().__init__(settings_cls)
        self._environ = environ

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ANN401, ARG002
        name = field_name.upper()
        value = self._environ.get(name, "").strip()
        path = self._environ.get(f"{name}_FILE", "") if name in HAVE_A_FILE_FORM else ""
        if path and value:
            raise SettingsError(f"{name} and {name}_FILE are both set: set one of them")
        return (_read(f"{name}_FILE", path) if path else value) or None, field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {
            name: self.get_field_value(info, name)[0]
            for name, info in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in values.items() if value is not None}


def _read(name: str, path: str) -> str:
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise SettingsError(f"{name}={path!r} cannot be read: {cause}") from None
    if not text:
        raise SettingsError(f"{name}={path!r} is an empty file: put the secret into it")
    return text


_PORT: Final = "it must be a whole number from 1 to 65535"


def _line(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0]).upper()
    cause = first.get("ctx", {}).get("error")
    words = str(cause) if isinstance(cause, ValueError) else first["msg"]
    if name == "DISPATCHER_PORT":
        words = _PORT
    if name in _SECRET:
        return f"{name} is not allowed: {words}"
    value = str(first["input"])
    shown = without_password(value) if name in _ADDRESSES else value
    return f"{name}={shown!r} is not allowed: {words}"
