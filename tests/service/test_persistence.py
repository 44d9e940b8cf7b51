from __future__ import annotations

import pytest

from service.persistence import persistence


@pytest.fixture
def configured(redis):
    """Sets the server's configuration for one test."""
    names = ("appendonly", "appendfsync")
    before = {name: value for one in names for name, value in redis.config_get(one).items()}

    def configure(**values):
        for name, value in values.items():
            redis.config_set(name, value)

    yield configure
    for name, value in before.items():
        redis.config_set(name, value)


@pytest.mark.parametrize(
    ("policy", "status"), [("always", "ok"), ("everysec", "warning"), ("no", "warning")]
)
def test_the_servers_policy_is_told(redis, configured, policy, status):
    configured(appendonly="yes", appendfsync=policy)
    told = persistence(redis)
    assert (told["policy"], told["status"]) == (policy, status)


def test_a_server_without_a_file(redis):
    assert persistence(redis)["policy"] == "none"


@pytest.mark.parametrize(
    ("file", "forbidden", "policy"),
    [
        ("no", "-config", "none"),
        ("yes", "-config", "unknown"),
        ("yes", "-@dangerous", "unknown"),
    ],
)
def test_a_server_that_does_not_let_one_ask(redis, configured, file, forbidden, policy):
    configured(appendonly=file)
    redis.acl_setuser("limited", enabled=True, nopass=True, categories=["+@all"], keys=["*"])
    redis.execute_command("ACL", "SETUSER", "limited", forbidden)
    kwargs = redis.connection_pool.connection_kwargs
    try:
        with type(redis)(unix_socket_path=kwargs["path"], username="limited") as limited:
            told = persistence(limited)
    finally:
        redis.acl_deluser("limited")
    assert (told["policy"], told["status"]) == (policy, "warning")
