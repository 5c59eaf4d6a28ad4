"""Assertions of what the tests here share say what they compared."""

import pytest

pytest.register_assert_rewrite("tests.reward_models.as_published")
