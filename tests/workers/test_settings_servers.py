from __future__ import annotations

import hashlib

import pytest

from workers.settings import SettingsError, load_settings

URL = {"LIVEKIT_URL": "wss://one.example"}
PAIR = {"LIVEKIT_API_KEY": "a", "LIVEKIT_API_SECRET": "sa"}


def refused(**environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    "spelling",
    ["ws://x", "http://x", "ws://x/", "ws://X:80", "WS://x", "http://x:80/"],
)
def test_a_server_is_its_url_however_it_is_spelled(spelling):
    [server] = load_settings({"LIVEKIT_URL": spelling, **PAIR}).servers
    assert server.url == "http://x"
    assert server.id == hashlib.sha256(b"http://x").hexdigest()[:10]


@pytest.mark.parametrize("other", ["wss://x", "ws://x:7880", "ws://x/path", "ws://y", "ws://[::1]"])
def test_other_urls_are_other_servers(other):
    [server] = load_settings({"LIVEKIT_URL": other, **PAIR}).servers
    assert server.id != hashlib.sha256(b"http://x").hexdigest()[:10]


def test_an_ipv6_address_keeps_its_brackets():
    [server] = load_settings({"LIVEKIT_URL": "ws://[::1]:7880", **PAIR}).servers
    assert server.url == "http://[::1]:7880"


@pytest.mark.parametrize(
    "keys", ["b: sb\nc: sc", "b:sb,c:sc", " b : sb ,\n# a comment\n\nc: 'sc'\n"]
)
def test_more_keys_of_a_server_are_lines_or_a_list(keys):
    settings = load_settings({**URL, **PAIR, "LIVEKIT_KEYS": keys})
    assert [settings.secret_of(key) for key in "abcd"] == ["sa", "sb", "sc", None]
    [server] = settings.servers
    assert settings.server_of("a") is settings.server_of("c") is server
    assert settings.server_of("d") is None
    assert (server.api_key, server.api_secret) == ("a", "sa")


def test_without_a_pair_the_first_key_calls():
    [server] = load_settings({**URL, "LIVEKIT_KEYS": "b:sb,c:sc"}).servers
    assert (server.api_key, server.api_secret) == ("b", "sb")


def test_the_secret_of_the_key_may_stand_among_the_keys():
    [server] = load_settings({**URL, "LIVEKIT_API_KEY": "c", "LIVEKIT_KEYS": "b:sb,c:sc"}).servers
    assert (server.api_key, server.api_secret) == ("c", "sc")


def test_keys_belong_to_the_servers_their_lines_name():
    settings = load_settings(
        {
            **URL,
            **PAIR,
            "LIVEKIT_KEYS": "b:sb,c:sc,d:sd",
            "LIVEKIT_URLS": "b: wss://two.example\nc: https://two.example/",
        }
    )
    assert [server.url for server in settings.servers] == [
        "https://one.example", "https://two.example"
    ]  # fmt: skip
    assert settings.server_of("b") is settings.server_of("c") is settings.servers[1]
    assert settings.server_of("d") is settings.servers[0]
    assert settings.servers[1].api_key == "b"


def test_several_servers_need_no_livekit_url():
    settings = load_settings({"LIVEKIT_KEYS": "b:sb", "LIVEKIT_URLS": "b: ws://two"})
    assert [server.url for server in settings.servers] == ["http://two"]


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        (URL, "is set without a key"),
        ({**URL, "LIVEKIT_API_KEY": "a"}, "'a' has no secret: set LIVEKIT_API_SECRET"),
        ({**URL, "LIVEKIT_API_SECRET": "hush"}, "set LIVEKIT_API_KEY"),
        (PAIR, "LIVEKIT_URL is not set"),
        ({**URL, **PAIR, "LIVEKIT_URLS": "z: ws://z"}, "LIVEKIT_KEYS has no secret for it"),
        ({"LIVEKIT_KEYS": "b:s,c:s", "LIVEKIT_URLS": "b: ws://b"}, "add a line for 'c'"),
        ({**URL, **PAIR, "LIVEKIT_KEYS": "a: hush"}, "another secret"),
        ({**URL, "LIVEKIT_KEYS": "b:sb,b:hush"}, "entry 2 gives the key 'b' a second value"),
        ({**URL, "LIVEKIT_KEYS": "b:sb,hush"}, "entry 2 is not `key: value`"),
        ({**URL, "LIVEKIT_KEYS": "b:"}, "entry 1 is not `key: value`"),
        ({**URL, "LIVEKIT_KEYS": ":hush"}, "entry 1 is not `key: value`"),
        ({"LIVEKIT_KEYS": "b:sb", "LIVEKIT_URLS": "b: ftp://b"}, "'ftp://b' of 'b'"),
    ],
)
def test_what_contradicts_itself_is_said_in_one_line_without_secrets(environ, words):
    message = refused(**environ)
    assert words in message
    assert "hush" not in message


@pytest.mark.parametrize(
    "keys", ['{"a":"b"}', "key2: secret2 key3: secret3", "a b: c", "a: 'b c'", "a: b\u00e9"]
)
def test_what_no_key_or_secret_looks_like_is_refused(keys: str) -> None:
    with pytest.raises(SettingsError, match="entry 1 is not `key: value`"):
        load_settings({**URL, "LIVEKIT_KEYS": keys})


def test_two_servers_of_one_key_are_refused() -> None:
    with pytest.raises(SettingsError, match="gives 'a' another server than LIVEKIT_URL"):
        load_settings({**URL, **PAIR, "LIVEKIT_URLS": "a: ws://elsewhere"})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LIVEKIT_URL", "livekit.example.com:7880", "did you mean wss://livekit.example.com:7880?"),
        ("REDIS_URL", "localhost:6379", "it must begin with redis://"),
    ],
)
def test_an_address_without_a_scheme_is_shown(name: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({name: value})
    assert str(caught.value).startswith(f"{name}={value!r} is not allowed: ")
    assert said in str(caught.value)
