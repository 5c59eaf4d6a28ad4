"""Sequence classification by transformers' own classes, in the layouts in which it saves them."""

import pytest

from tests.reward_models.as_published import AsPublished, HeadRefusals
from tests.reward_models.published import sequence_classification

# The plain one's name is that of `WITHOUT_EFFECT`.
VARIANTS = {"": {}, **sequence_classification.VARIANTS}


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, tmp_path_factory):
    return sequence_classification.build(
        tmp_path_factory.mktemp("sequence_classification"), **VARIANTS[request.param]
    )


class TestSequenceClassification(AsPublished):
    module, judge, head = sequence_classification, "sequence-classification", "score.weight"


class TestHead(HeadRefusals):
    module, judge, head = sequence_classification, "sequence-classification", "score.weight"
