"""Starling-RM: a linear layer behind a body under another name, in pickles."""

import pytest

from tests.reward_models.as_published import AsPublished, HeadRefusals, variants
from tests.reward_models.published import starling

VARIANTS = variants(starling)


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, tmp_path_factory):
    return starling.build(tmp_path_factory.mktemp("starling"), **VARIANTS[request.param])


class TestStarling(AsPublished):
    module, judge, head = starling, "starling", "v_head.weight"


class TestHead(HeadRefusals):
    module, judge, head, second = starling, "starling", "v_head.weight", "value_head.weight"
