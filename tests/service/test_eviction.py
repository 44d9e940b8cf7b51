from __future__ import annotations

import pytest

from service.eviction import eviction
from service.web import create_app


@pytest.fixture
def policy(redis):
    before = redis.config_get("maxmemory-policy")
    yield lambda name: redis.config_set("maxmemory-policy", name)
    for name, value in before.items():
        redis.config_set(name, value)


def ready(settings):
    answer = create_app(settings).test_client().get("/readyz")
    return answer.status_code, answer.json["checks"]["eviction"]


def test_a_server_that_keeps_everything(redis, policy, settings):
    policy("noeviction")
    assert eviction(redis) == {"status": "ok", "policy": "noeviction"}
    assert ready(settings)[1]["status"] == "ok"


@pytest.mark.parametrize("name", ["allkeys-lru", "allkeys-random", "volatile-ttl", "volatile-lfu"])
def test_one_that_throws_keys_away_is_warned_of(redis, policy, settings, name):
    policy(name)
    status, told = ready(settings)
    assert (status, told["status"], told["policy"]) == (200, "warning", name)
    assert "set maxmemory-policy to noeviction" in told["detail"]


def test_one_that_does_not_let_one_ask(redis):
    redis.acl_setuser("limited", enabled=True, nopass=True, categories=["+@all"], keys=["*"])
    redis.execute_command("ACL", "SETUSER", "limited", "-info")
    kwargs = redis.connection_pool.connection_kwargs
    try:
        with type(redis)(unix_socket_path=kwargs["path"], username="limited") as limited:
            told = eviction(limited)
    finally:
        redis.acl_deluser("limited")
    assert (told["status"], told["policy"]) == ("warning", "unknown")
