"""Which tests of published kinds are quick: each kind in its first variant, batched as by default."""

from pathlib import Path

import pytest

# Assertions of what the tests here share say what they compared.
pytest.register_assert_rewrite("tests.reward_models.as_published")

# The variants of a kind's checkpoint, and of how it is batched.
_VARIANTS = ("folder", "batching")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if not item.path.is_relative_to(here):
            continue
        indices = getattr(getattr(item, "callspec", None), "indices", {})
        is_variant = any(indices.get(name, 0) > 0 for name in _VARIANTS)
        # About the fixtures themselves, not about what reads them.
        is_fixture = item.path.parent.name == "published" or item.path.name == "test_configs.py"
        if is_variant or is_fixture:
            item.add_marker(pytest.mark.slow)
