"""URM: means of attributes, weighted by a second network."""

import pytest

from tests.reward_models.as_published import AsPublished, HeadRefusals, variants
from tests.reward_models.published import urm

VARIANTS = {**variants(urm), "sharded": {"shards": 2}}


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, tmp_path_factory):
    return urm.build(tmp_path_factory.mktemp("urm"), **VARIANTS[request.param])


class TestURM(AsPublished):
    module, judge, head = urm, "urm", "score.weight"


class TestMeans(HeadRefusals):
    module, judge, head = urm, "urm", "score.weight"


class TestWeights(HeadRefusals):
    module, judge, head = urm, "urm", "weights.fc.2.weight"
