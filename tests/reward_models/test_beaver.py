"""Beaver reward and cost models of Safe RLHF."""

import pytest

from tests.reward_models.as_published import AsPublished, HeadRefusals
from tests.reward_models.published import beaver

VARIANTS = {"": {}, **beaver.VARIANTS}


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, tmp_path_factory):
    return beaver.build(tmp_path_factory.mktemp("beaver"), **VARIANTS[request.param])


class TestBeaver(AsPublished):
    module, judge, head = beaver, "beaver", "score_head.weight"


class TestHead(HeadRefusals):
    module, judge, head, second = beaver, "beaver", "score_head.weight", "v_head.weight"
