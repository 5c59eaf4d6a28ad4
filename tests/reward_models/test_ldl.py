"""LDL-Reward: objectives' ratings, weighted by a gate; both in pickles of their own."""

import json

import pytest

from tests.reward_models.as_published import (
    AsPublished,
    HeadRefusals,
    equal,
    judge_of,
    references,
    texts,
    variants,
)
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


def test_a_configuration_without_a_class_is_known_by_the_files_of_the_heads(tmp_path):
    folder = ldl.build(tmp_path / "checkpoint")
    expected = references(ldl, folder)
    config = json.loads((folder / "config.json").read_text())
    del config["architectures"]
    (folder / "config.json").write_text(json.dumps(config))
    judge = judge_of(folder)
    assert judge.name == "ldl"
    assert judge.score(*texts(ldl)) == [equal(one.reward) for one in expected]
