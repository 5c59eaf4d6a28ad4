"""The path of a store."""

import pytest


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scores.sqlite"
