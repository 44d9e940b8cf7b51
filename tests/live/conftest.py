"""Tests against the real livekit-server, with real participants and real agents."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.fixtures import *  # noqa: F403 - fixtures are found by name
from tests.live.house import open_house  # noqa: F401


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever stands in this folder needs them."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.live)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(300))
