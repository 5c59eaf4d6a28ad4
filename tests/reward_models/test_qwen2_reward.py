"""Qwen2.5-Math-RM and WorldPM: two layers at the last token."""

import pytest

from tests.reward_models.as_published import AsPublished, HeadRefusals, variants
from tests.reward_models.published import qwen2_reward

VARIANTS = variants(qwen2_reward)


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, tmp_path_factory):
    return qwen2_reward.build(tmp_path_factory.mktemp("qwen2_reward"), **VARIANTS[request.param])


class TestQwen2Reward(AsPublished):
    module, judge, head = qwen2_reward, "qwen2-reward", "score.2.weight"


class TestHead(HeadRefusals):
    module, judge, head, second = qwen2_reward, "qwen2-reward", "score.2.weight", "v_head.weight"
