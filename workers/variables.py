"""The environment's variables, each with its check; `workers.settings` brings them together.

An empty variable counts as unset. Every secret may also be given as a file's path in `<NAME>_FILE`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import unquote

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from rules.durations import parse_duration
from workers.addresses import WorkerAddress, parse_addresses
from workers.connection import check_redis_url, without_password
from workers.receivers import Topic, parse_secrets, parse_topics, parse_urls
from workers.redaction import RedactPath, parse_redactions
from workers.servers import normal_url, parse_pairs
from workers.sizes import parse_size
from workers.videosdk_account import check_rsa_key

if TYPE_CHECKING:
    from collections.abc import Mapping

HAVE_A_FILE_FORM: Final = (
    "LIVEKIT_API_SECRET", "LIVEKIT_KEYS", "REDIS_URL", "DISPATCHER_ADMIN_TOKEN",
    "DISPATCHER_VIEWER_TOKEN", "DISPATCHER_NOTIFY_URL", "DISPATCHER_NOTIFY_SECRET",
    "VIDEOSDK_SECRET", "VIDEOSDK_TOKEN", "VIDEOSDK_WEBHOOK_PUBLIC_KEY",
    "OTEL_EXPORTER_OTLP_HEADERS",
)  # fmt: skip
_SECRET: Final = frozenset(HAVE_A_FILE_FORM) - {"REDIS_URL"}
"""Variables whose value is never shown."""
_ADDRESSES: Final = frozenset(
    {"LIVEKIT_URL", "REDIS_URL", "VIDEOSDK_URL", "OTEL_EXPORTER_OTLP_ENDPOINT"}
)
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


def _header(text: str) -> str:
    if not text.isascii() or any(character.isspace() for character in text):
        raise ValueError("it must be ASCII without spaces, as it stands in a header")
    return text


def _headers(text: object) -> object:
    if not isinstance(text, str):
        return text
    pairs = [each.partition("=") for each in text.split(",") if each.strip()]
    if not all(name.strip() and equals for name, equals, _ in pairs):
        raise ValueError("it must be name=value, with commas between several")
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs}


def _web_url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("it must begin with https:// or http://")
    return normal_url(text)


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


def _truth(text: object) -> object:
    words = {"true": True, "false": False}
    if text not in (*words, False):
        raise ValueError("it must be true or false")
    return words.get(str(text), False)


_Pairs = Annotated[dict[str, str], BeforeValidator(parse_pairs)]
_Port = Annotated[int, Field(strict=False, ge=1, le=65535)]
_Text = Annotated[str, Field(min_length=1)]


class Variables(BaseSettings):
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
    dispatcher_viewer_token: Annotated[str, AfterValidator(check_token)] | None = None
    dispatcher_host: _Text = "127.0.0.1"
    dispatcher_port: _Port = 8080
    dispatcher_admin_port: _Port | None = None
    dispatcher_retention: Annotated[
        timedelta, BeforeValidator(_duration), AfterValidator(_positive)
    ] = timedelta(days=7)
    dispatcher_history_bytes: Annotated[int, BeforeValidator(_bytes)] = Field(
        default="256MB", validate_default=True
    )
    dispatcher_redact: Annotated[tuple[RedactPath, ...], BeforeValidator(parse_redactions)] = ()
    dispatcher_reconcile_interval: Annotated[
        timedelta, BeforeValidator(_duration), AfterValidator(_not_too_often)
    ] = timedelta(seconds=30)
    dispatcher_dry_run: Annotated[bool, BeforeValidator(_truth)] = False
    dispatcher_restarts: Annotated[Restarts, BeforeValidator(_restarts)] = Restarts.AUTO
    dispatcher_agent_workers: Annotated[
        tuple[WorkerAddress, ...], BeforeValidator(parse_addresses)
    ] = ()
    dispatcher_notify_url: Annotated[tuple[str, ...], BeforeValidator(parse_urls)] = ()
    dispatcher_notify_secret: Annotated[tuple[str, ...], BeforeValidator(parse_secrets)] = ()
    dispatcher_notify: Annotated[tuple[Topic, ...], BeforeValidator(parse_topics)] = Field(
        default=Topic.FAILED.value, validate_default=True
    )

    videosdk_api_key: str | None = None
    videosdk_secret: str | None = None
    videosdk_token: Annotated[str, AfterValidator(_header)] | None = None
    videosdk_url: Annotated[str, AfterValidator(_web_url)] = "https://api.videosdk.live"
    videosdk_webhook_public_key: Annotated[str, AfterValidator(check_rsa_key)] | None = None

    otel_exporter_otlp_endpoint: Annotated[str, AfterValidator(_web_url)] | None = None
    otel_exporter_otlp_headers: Annotated[dict[str, str], BeforeValidator(_headers)] = Field(
        default_factory=dict
    )

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
        """Read the mapping this was made with, and nothing else."""
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


_PORTS: Final = frozenset({"DISPATCHER_PORT", "DISPATCHER_ADMIN_PORT"})
_PORT: Final = "it must be a whole number from 1 to 65535"


def line(error: ValidationError) -> str:
    """What is wrong with a variable, without its value where that is a secret."""
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0]).upper()
    cause = first.get("ctx", {}).get("error")
    words = str(cause) if isinstance(cause, ValueError) else first["msg"]
    if name in _PORTS:
        words = _PORT
    if name in _SECRET:
        return f"{name} is not allowed: {words}"
    value = str(first["input"])
    shown = without_password(value) if name in _ADDRESSES else value
    return f"{name}={shown!r} is not allowed: {words}"
