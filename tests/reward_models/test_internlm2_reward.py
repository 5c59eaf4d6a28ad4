"""InternLM2-Reward: fused weights of a family of its own, read at a reward token."""

import pytest

from tests.reward_models.as_published import AsPublished, HeadRefusals, variants
from tests.reward_models.published import internlm2_reward

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


class TestHead(HeadRefusals):
    module, judge, head, second = (
        internlm2_reward,
        "internlm2-reward",
        "v_head.weight",
        "value_head.weight",
    )
