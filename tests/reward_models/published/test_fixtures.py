"""Each tiny published checkpoint builds, and its reference tells right readings from wrong ones."""

from __future__ import annotations

import importlib
import math
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

CONVERSATION = [
    {"role": "user", "content": "Name a river."},
    {"role": "assistant", "content": "The Elbe is one."},
    {"role": "user", "content": "And where does it end?"},
]
TEXTS = (
    ("What is 7 times 8?", "It is 56."),
    ("What is 7 times 8?", "It is 54, I think."),
    (CONVERSATION, "It flows into the North Sea."),
)


def kinds() -> dict[str, ModuleType]:
    """The modules beside this file that build a checkpoint, by name."""
    names = sorted(
        p.stem for p in Path(__file__).parent.glob("*.py") if not p.stem.startswith("test_")
    )
    modules = {n: importlib.import_module(f"tests.reward_models.published.{n}") for n in names}
    return {name: module for name, module in modules.items() if hasattr(module, "build")}


def variants(module: ModuleType) -> dict[str, dict[str, Any]]:
    """How else a kind is published: arguments of `build` by name, none by default."""
    return {"": {}, **getattr(module, "VARIANTS", {})}


KINDS = kinds()
CASES = [(kind, variant) for kind, module in KINDS.items() for variant in variants(module)]
BUILT: dict[tuple[str, str], Path] = {}


@pytest.fixture(scope="module", params=CASES, ids=[f"{k}-{v}" if v else k for k, v in CASES])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    kind, variant = request.param
    module = KINDS[kind]
    folder = module.build(tmp_path_factory.mktemp(kind) / "checkpoint", **variants(module)[variant])
    texts = getattr(module, "TEXTS", TEXTS)
    ids = [module.text_ids(folder, prompt, completion) for prompt, completion in texts]
    return module, variant, folder, ids


def test_texts_get_finite_rewards_that_differ(built: Any) -> None:
    module, _, folder, ids = built
    references = [module.reference(folder, row) for row in ids]
    # The reward of a process model depends on how its caller joins the steps.
    values = [r.steps or [r.reward, *r.objectives.values()] for r in references]
    assert all(math.isfinite(value) for row in values for value in row)
    for one, other in combinations(references, 2):
        if one.steps:
            assert one.steps != other.steps
        else:
            assert abs(one.reward - other.reward) > 0.1


def test_every_wrong_reading_gives_another_reward(built: Any) -> None:
    module, variant, folder, ids = built
    right = [module.reference(folder, row).reward for row in ids]
    without_effect = getattr(module, "WITHOUT_EFFECT", {}).get(variant, set())
    seen = {
        name
        for name, wrong in module.MUTATIONS.items()
        if any(
            abs(wrong(folder, row) - value) > 1e-3 for row, value in zip(ids, right, strict=True)
        )
    }
    assert set(module.MUTATIONS) - seen == set(without_effect)


def test_a_seed_gives_the_same_checkpoint_again(built: Any, tmp_path: Path) -> None:
    module, variant, folder, ids = built
    again = module.build(tmp_path / "again", **variants(module)[variant])
    other = module.build(tmp_path / "other", seed=1, **variants(module)[variant])
    first = module.reference(folder, ids[0])
    assert module.reference(again, ids[0]) == first
    assert module.reference(other, ids[0]) != first
