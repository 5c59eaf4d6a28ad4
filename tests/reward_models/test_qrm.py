"""QRM: quantiles of objectives, weighted by a gate on the prompt."""

import pytest

from tests.reward_models.as_published import AsPublished, HeadRefusals, variants
from tests.reward_models.published import qrm

VARIANTS = variants(qrm)


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, tmp_path_factory):
    return qrm.build(tmp_path_factory.mktemp("qrm"), **VARIANTS[request.param])


class TestQRM(AsPublished):
    module, judge, head = qrm, "qrm", "regression_layer.weight"


class TestObjectives(HeadRefusals):
    module, judge, head = qrm, "qrm", "regression_layer.weight"


class TestNorm(HeadRefusals):
    module, judge, head = qrm, "qrm", "gating.layers.2.running_mean"
