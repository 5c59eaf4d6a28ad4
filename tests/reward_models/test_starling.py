"""Starling-RM: a linear layer behind a body under another name, in pickles."""

import pytest

from tests.reward_models.as_published import (
    AsPublished,
    HeadRefusals,
    judge_of,
    stored,
    variants,
    write,
)
from tests.reward_models.published import athene, starling
from ultrarm_eval.judges.auto import recognise

VARIANTS = variants(starling)


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, tmp_path_factory):
    return starling.build(tmp_path_factory.mktemp("starling"), **VARIANTS[request.param])


class TestStarling(AsPublished):
    module, judge, head = starling, "starling", "v_head.weight"


class TestHead(HeadRefusals):
    module, judge, head, second = starling, "starling", "v_head.weight", "value_head.weight"


@pytest.mark.parametrize(("size", "template"), [("7b", "starling"), ("34b", "starling-34b")])
def test_the_text_is_its_own_cards(tmp_path, size, template):
    judge = judge_of(starling.build(tmp_path / "checkpoint", size=size))
    assert judge.settings()["template"] == template


def test_a_body_that_is_there_once_is_enough(tmp_path):
    folder = starling.build(tmp_path / "checkpoint")
    prompts, completions = ["a", "b"], ["c", "d"]
    expected = judge_of(folder).score(prompts, completions)
    path, weights = stored(folder, "v_head.weight")
    write(path, {k: w for k, w in weights.items() if not k.startswith("model.")})
    assert judge_of(folder).score(prompts, completions) == expected


def test_another_llama_with_that_head_is_none(tmp_path):
    """Athene has the same head, and its body under transformers' name."""
    folder = athene.build(tmp_path / "checkpoint")
    assert recognise(str(folder)) == "athene"
