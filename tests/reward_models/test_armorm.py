"""ArmoRM: nineteen objectives, weighted by a gate on the prompt."""

import pytest

from tests.reward_models.as_published import AsPublished, HeadRefusals, judge_of, variants
from tests.reward_models.published import armorm
from ultrarm_eval.errors import CheckpointError, ScoringError

VARIANTS = {**variants(armorm), "sharded": {"shards": 2}}


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, tmp_path_factory):
    return armorm.build(tmp_path_factory.mktemp("armorm"), **VARIANTS[request.param])


class TestArmoRM(AsPublished):
    module, judge, head = armorm, "armorm", "regression_layer.weight"


class TestHead(HeadRefusals):
    module, judge, head = armorm, "armorm", "regression_layer.weight"


class TestGate(HeadRefusals):
    module, judge, head = armorm, "armorm", "gating.layers.2.weight"


def test_a_prompt_that_is_cut_off_is_refused_with_the_way_out(folder):
    judge = judge_of(folder, max_length=32)
    with pytest.raises(ScoringError, match="where this model reads the prompt.*max_length=32"):
        judge.score(["short"], ["a long answer that leaves no room for its prompt"])


def test_a_template_without_turns_is_refused(folder):
    with pytest.raises(ScoringError, match="the template writes no such turn"):
        judge_of(folder, template="raw").score(["a"], ["b"])


def test_the_class_alone_with_another_gate_is_not_taken(tmp_path):
    from tests.reward_models.as_published import stored, write

    folder = armorm.build(tmp_path / "few")
    path, weights = stored(folder, "gating.layers.3.weight")
    for part in ("weight", "bias"):
        weights[f"gating.layers.3.{part}"] = weights[f"gating.layers.3.{part}"][:7]
    write(path, weights)
    with pytest.raises(CheckpointError, match=r"weighs 7 objectives; ArmoRM has 19"):
        judge_of(folder)
