"""InternLM2-Reward: fused weights of a family of its own, read at a reward token."""

import io
import json
import logging

import pytest

from tests.reward_models.as_published import AsPublished, HeadRefusals, judge_of, variants
from tests.reward_models.published import internlm2_reward
from ultrarm_eval import load_judge
from ultrarm_eval.errors import CheckpointError

VARIANTS = variants(internlm2_reward)


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, tmp_path_factory):
    return internlm2_reward.build(
        tmp_path_factory.mktemp("internlm2_reward"), **VARIANTS[request.param]
    )


class TestInternLM2Reward(AsPublished):
    module, judge, head = internlm2_reward, "internlm2-reward", "v_head.weight"

    def family(self, folder):
        return "llama"

    def test_transformers_is_not_asked_for_a_family_that_it_does_not_know(self, folder):
        said = io.StringIO()
        handler = logging.StreamHandler(said)
        logger = logging.getLogger("transformers")
        logger.addHandler(handler)
        try:
            load_judge(str(folder), judge="auto", device="cpu")
        finally:
            logger.removeHandler(handler)
        assert "instantiate a model of type" not in said.getvalue()


class TestHead(HeadRefusals):
    module, judge, head, second = (
        internlm2_reward,
        "internlm2-reward",
        "v_head.weight",
        "value_head.weight",
    )


@pytest.mark.parametrize("judge", ["auto", "internlm2-reward"])
def test_a_polar_is_known_by_the_token_between_its_answers(tmp_path, judge):
    folder = internlm2_reward.build(tmp_path / "checkpoint")
    path = folder / "tokenizer_config.json"
    stated = json.loads(path.read_text())
    stated.setdefault("added_tokens_decoder", {})["92527"] = {"content": "<|reward|>"}
    path.write_text(json.dumps(stated))
    with pytest.raises(CheckpointError, match=r"reference answer.*has the token <\|reward\|>"):
        judge_of(folder, judge)
