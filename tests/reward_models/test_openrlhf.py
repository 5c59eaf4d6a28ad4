"""OpenRLHF's reward models: a linear layer at the EOS that closes every text."""

import pytest

from tests.reward_models.as_published import AsPublished, HeadRefusals, variants
from tests.reward_models.published import openrlhf

VARIANTS = variants(openrlhf)


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, tmp_path_factory):
    return openrlhf.build(tmp_path_factory.mktemp("openrlhf"), **VARIANTS[request.param])


class TestOpenRLHF(AsPublished):
    module, judge, head = openrlhf, "openrlhf", "score.weight"


class TestHead(HeadRefusals):
    module, judge, head, second = openrlhf, "openrlhf", "score.weight", "v_head.weight"
