"""GRM: a value head of one or more layers beside a language model."""

import pytest

from tests.reward_models.as_published import AsPublished, HeadRefusals, variants
from tests.reward_models.published import grm

VARIANTS = variants(grm)


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, tmp_path_factory):
    return grm.build(tmp_path_factory.mktemp("grm"), **VARIANTS[request.param])


class TestGRM(AsPublished):
    module, judge, head = grm, "grm", "v_head.summary.2.weight"


class TestHead(HeadRefusals):
    module, judge, head, second = grm, "grm", "v_head.summary.2.weight", "value_head.weight"
