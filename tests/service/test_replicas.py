from __future__ import annotations

import signal

import pytest

from service.replicas import replicas
from service.web import create_app
from tests.sentinels import watched
from tests.waiting import eventually
from workers.settings import load_settings


@pytest.fixture(scope="module")
def servers():
    with watched() as servers:
        yield servers


def told(servers, environ):
    app = create_app(load_settings({**environ, "REDIS_URL": servers.url}))
    answer = app.test_client().get("/readyz")
    return answer.status_code, answer.json["checks"].get("replicas")


def test_a_primary_that_works_on_when_it_is_cut_off_is_a_warning(servers, environ):
    servers.at_primary.config_set("min-replicas-to-write", 0)
    status, found = told(servers, environ)
    assert (status, found["status"], found["connected"], found["needed"]) == (200, "warning", 1, 0)
    assert "set min-replicas-to-write to 1" in found["detail"]


def test_one_that_stops_is_well(servers, environ):
    servers.at_primary.config_set("min-replicas-to-write", 1)
    assert told(servers, environ) == (200, {"status": "ok", "connected": 1, "needed": 1})


def test_so_it_is_where_one_may_not_ask_for_its_configuration(servers):
    servers.at_primary.acl_setuser(
        "limited", enabled=True, nopass=True, categories=["+@all"], keys=["*"]
    )
    servers.at_primary.execute_command("ACL", "SETUSER", "limited", "-config")
    kwargs = servers.at_primary.connection_pool.connection_kwargs
    with type(servers.at_primary)(port=kwargs["port"], username="limited") as limited:
        found = []
        for needed in (0, 1):
            servers.at_primary.config_set("min-replicas-to-write", needed)
            found.append(replicas(limited)["needed"])
    assert found == [0, 1]


def test_one_server_alone_is_not_asked_for_replicas(settings):
    checks = create_app(settings).test_client().get("/readyz").json["checks"]
    assert "replicas" not in checks


def test_a_primary_without_a_replica_is_a_warning(servers, environ):
    """The last, for it ends the replica."""
    servers.at_primary.config_set("min-replicas-to-write", 1)
    servers.replica.send_signal(signal.SIGKILL)
    eventually(lambda: servers.at_primary.info("replication")["connected_slaves"] == 0)
    status, found = told(servers, environ)
    assert (status, found["status"], found["connected"]) == (200, "warning", 0)
    assert "answered with 503" in found["detail"]
