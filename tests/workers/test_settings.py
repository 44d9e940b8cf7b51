from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from workers.settings import SettingsError, load_settings

PAIR = {"LIVEKIT_API_KEY": "one", "LIVEKIT_API_SECRET": "s1"}


def refused(**environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_with_nothing_set_everything_has_its_default():
    settings = load_settings({})
    assert settings.servers == ()
    assert settings.redis_url is None
    assert settings.data == Path.home() / ".local/state/livekit-dispatcher"
    assert (settings.rules, settings.host, settings.port) == ("rules.yaml", "127.0.0.1", 8080)
    assert settings.retention == timedelta(days=7)


def test_empty_variables_count_as_unset():
    assert load_settings(dict.fromkeys(("REDIS_URL", "LIVEKIT_URL", "DISPATCHER_PORT"), "")) == (
        load_settings({})
    )


def test_what_is_set_is_read(tmp_path):
    settings = load_settings(
        {
            "DISPATCHER_DATA": str(tmp_path / "a" / ".." / "b"),
            "DISPATCHER_RULES": "~/rules/*.yaml",
            "DISPATCHER_HOST": "0.0.0.0",
            "DISPATCHER_PORT": "9000",
            "DISPATCHER_RETENTION": "36h",
        }
    )
    assert settings.data == tmp_path / "b"
    assert settings.rules == str(Path.home() / "rules/*.yaml")
    assert (settings.host, settings.port) == ("0.0.0.0", 9000)
    assert settings.retention == timedelta(hours=36)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "8080.5", "http", "８０８０x", "1e3"])
def test_a_port_is_a_number_in_range(port):
    assert refused(DISPATCHER_PORT=port) == (
        f"DISPATCHER_PORT={port!r} is not allowed: it must be a whole number from 1 to 65535"
    )


@pytest.mark.parametrize("text", ["7", "7 d", "-1d", "7days", "1.5h", "0", "0s", "d"])
def test_retention_is_a_duration_longer_than_nothing(text):
    message = refused(DISPATCHER_RETENTION=text)
    assert message.startswith(f"DISPATCHER_RETENTION={text!r} is not allowed: it must be ")


@pytest.mark.parametrize(
    ("text", "size"), [("256MB", 256_000_000), ("1GiB", 2**30), ("1.5 GB", 1_500_000_000), ("9", 9)]
)
def test_the_size_of_history_is_written_as_people_do(text, size):
    assert load_settings({"DISPATCHER_HISTORY_BYTES": text}).history_bytes == size


@pytest.mark.parametrize("text", ["MB", "-1MB", "1.0001kB", "iB", "5i", "1e9", "0"])
def test_a_size_is_a_number_of_bytes(text):
    assert refused(DISPATCHER_HISTORY_BYTES=text).startswith(
        f"DISPATCHER_HISTORY_BYTES={text!r} is not allowed: it must be a "
    )


def test_the_reconcile_interval_is_a_duration_or_0():
    assert load_settings({}).reconcile_interval == timedelta(seconds=30)
    assert load_settings({"DISPATCHER_RECONCILE_INTERVAL": "0"}).reconcile_interval == timedelta(0)
    assert refused(DISPATCHER_RECONCILE_INTERVAL="200ms") == (
        "DISPATCHER_RECONCILE_INTERVAL='200ms' is not allowed:"
        " it must be 1s or longer, or 0 to turn it off"
    )


@pytest.mark.parametrize(
    ("restarts", "of_self_hosted", "of_cloud"),
    [("", True, False), ("auto", True, False), ("ours", True, True), ("livekit", False, False)],
)
def test_livekit_cloud_restarts_agents_itself(restarts, of_self_hosted, of_cloud):
    def is_ours(url: str) -> bool:
        settings = load_settings({"LIVEKIT_URL": url, "DISPATCHER_RESTARTS": restarts, **PAIR})
        return settings.servers[0].id in settings.restarts_ours

    assert is_ours("ws://localhost:7880") is of_self_hosted
    assert is_ours("wss://mine.livekit.cloud") is of_cloud


def test_a_dry_run_is_asked_for_in_one_word():
    assert not load_settings({}).dry_run
    assert load_settings({"DISPATCHER_DRY_RUN": "true"}).dry_run
    assert refused(DISPATCHER_DRY_RUN="yes") == (
        "DISPATCHER_DRY_RUN='yes' is not allowed: it must be true or false"
    )


def test_who_restarts_is_one_of_three():
    assert refused(DISPATCHER_RESTARTS="theirs") == (
        "DISPATCHER_RESTARTS='theirs' is not allowed: it must be one of auto, ours, livekit"
    )


@pytest.mark.parametrize(
    "url", ["ftp://x", "x", "wss://", "ws://x:99999", "wss://x?a=1", "wss://[", "wss://u:pw@x"]
)
def test_a_livekit_url_is_one(url):
    message = refused(LIVEKIT_URL=url, **PAIR)
    assert message.startswith("LIVEKIT_URL=")
    assert "is not allowed: " in message
    assert "pw" not in message


@pytest.mark.parametrize("token", ["hush-se", "hush hush hush", "hush-hush-é", "hush-hush\n\x00"])
def test_an_admin_token_is_long_enough_and_can_stand_in_a_header(token):
    assert refused(DISPATCHER_ADMIN_TOKEN=token) == (
        "DISPATCHER_ADMIN_TOKEN is not allowed: it must be 8 or more ASCII characters, without"
        " spaces among them"
    )


def test_settings_that_are_shown_hide_every_secret():
    settings = load_settings(
        {
            "LIVEKIT_URL": "ws://x",
            **PAIR,
            "LIVEKIT_API_SECRET": "hush-one",
            "LIVEKIT_KEYS": "two: hush-two",
            "REDIS_URL": "redis://:hush-three@x",
            "DISPATCHER_ADMIN_TOKEN": "hush-four",
        }
    )
    assert "hush" not in repr(settings)
    assert "hush" not in str(settings)
    assert settings.secrets == {"hush-one", "hush-two", "hush-three", "hush-four"}


class TestSecretsInFiles:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        file = tmp_path / "secret"
        file.write_text("hush\n")
        return file

    def test_each_secret_may_come_from_a_file(self, file, tmp_path):
        keys = tmp_path / "keys"
        keys.write_text("two: hush-two\n")
        redis = tmp_path / "redis"
        redis.write_text("redis://:hush@x\n")
        token = tmp_path / "token"
        token.write_text("hush-hush\n")
        settings = load_settings(
            {
                "LIVEKIT_URL": "ws://x",
                "LIVEKIT_API_KEY": "one",
                "LIVEKIT_API_SECRET_FILE": str(file),
                "LIVEKIT_KEYS_FILE": str(keys),
                "REDIS_URL_FILE": str(redis),
                "DISPATCHER_ADMIN_TOKEN_FILE": str(token),
            }
        )
        assert settings.secret_of("one") == "hush"
        assert settings.secret_of("two") == "hush-two"
        assert settings.redis_url == "redis://:hush@x"
        assert settings.admin_token == "hush-hush"

    def test_not_both_at_once(self, file):
        assert refused(LIVEKIT_API_SECRET="hush", LIVEKIT_API_SECRET_FILE=str(file)) == (
            "LIVEKIT_API_SECRET and LIVEKIT_API_SECRET_FILE are both set: set one of them"
        )

    def test_a_file_that_is_not_there(self):
        assert refused(REDIS_URL_FILE="/nowhere/x") == (
            "REDIS_URL_FILE='/nowhere/x' cannot be read: No such file or directory"
        )

    def test_an_empty_file(self, tmp_path):
        empty = tmp_path / "empty"
        empty.touch()
        assert "is an empty file" in refused(LIVEKIT_KEYS_FILE=str(empty))

    def test_a_file_that_is_no_text(self, tmp_path):
        binary = tmp_path / "binary"
        binary.write_bytes(b"\xff\xfe")
        assert "not UTF-8" in refused(LIVEKIT_KEYS_FILE=str(binary))

    def test_a_bad_value_in_a_file_is_not_shown(self, tmp_path):
        keys = tmp_path / "keys"
        keys.write_text("hush-without-a-colon")
        assert "hush" not in refused(LIVEKIT_KEYS_FILE=str(keys))
