from __future__ import annotations

import pytest

from service.cli.processes import too_old


@pytest.mark.parametrize("version", ["6.0.16", "5.0.14", "2.8"])
def test_servers_without_the_commands_we_need(version):
    assert too_old(version)


@pytest.mark.parametrize("version", ["6.2.0", "7.2.4", "10.0.1", "8.1-rc1", "", "unstable"])
def test_servers_that_will_do(version):
    assert not too_old(version)
