from __future__ import annotations

import pytest

from workers.connection import passwords_in, without_password
from workers.settings import SettingsError, load_settings


@pytest.mark.parametrize(
    "url",
    [
        "redis://h", "redis://h:6380/3", "redis://user:p%40ss@h", "rediss://h?ssl_cert_reqs=none",
        "unix:///run/redis.sock?db=2", "redis+sentinel://a:1,b:2/main/0",
        "redis+sentinel://u:p@a/main?sentinel_password=q",
    ],
)  # fmt: skip
def test_addresses_that_can_be_used(url):
    assert load_settings({"REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize(
    "url",
    [
        "h", "http://:hush@h", "redis://:hush@h:99999", "redis://:hush@h/x", "redis://[",
        "redis://:hush@h?db=x", "unix://", "redis+sentinel://:hush@a:1", "redis+sentinel:///main",
        "redis+sentinel://a:x/main", "redis+sentinel://a/main/x", "redis+sentinel://,/main",
        "redis+sentinel://a/main?password=hush", "redis://h?socket_timeout=hush@x",
        "redis://u:hush/es@h:x", "redis://u:hush?es@h:x",
    ],
)  # fmt: skip
def test_addresses_that_cannot_say_so_in_one_line_without_the_password(url):
    with pytest.raises(SettingsError) as caught:
        load_settings({"REDIS_URL": url})
    message = str(caught.value)
    assert message.startswith("REDIS_URL=")
    assert "\n" not in message
    assert "hush" not in message


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h:1/2", "redis://h:1/2"),
        ("redis://u:p@h/2", "redis://u:***@h/2"),
        ("redis://:p@h", "redis://:***@h"),
        ("redis://:p@q@h", "redis://:***@h"),
        ("redis://u:p/q@h", "redis://u:***@h"),
        ("redis://h?password=p", "redis://h?***"),
        ("redis+sentinel://u:p@a:1,b:2/main/0", "redis+sentinel://u:***@a:1,b:2/main/0"),
    ],
)
def test_an_address_is_shown_without_its_password(url, shown):
    assert without_password(url) == shown


def test_the_passwords_of_an_address():
    assert passwords_in("redis://u:p%40q@h?password=r") == ("p@q", "r")
    assert passwords_in("unix:///run/redis.sock") == ()
