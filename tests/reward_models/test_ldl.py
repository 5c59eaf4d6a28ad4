"""LDL-Reward: objectives' ratings, weighted by a gate; both in pickles of their own."""

import pytest

from tests.reward_models.as_published import AsPublished, HeadRefusals, variants
from tests.reward_models.published import ldl

VARIANTS = variants(ldl)


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, tmp_path_factory):
    return ldl.build(tmp_path_factory.mktemp("ldl"), **VARIANTS[request.param])


class TestLDL(AsPublished):
    module, judge, head = ldl, "ldl", "regression_layer.pt:network.2.weight"


class TestRegression(HeadRefusals):
    module, judge, head = ldl, "ldl", "regression_layer.pt:network.2.weight"


class TestGate(HeadRefusals):
    module, judge, head = ldl, "ldl", "gating_layer.pt:network.6.weight"
