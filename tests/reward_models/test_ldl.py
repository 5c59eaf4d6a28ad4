"""LDL-Reward: objectives' ratings, weighted by a gate; both in pickles of their own."""

import json

import pytest

from tests.reward_models.as_published import (
    AsPublished,
    HeadRefusals,
    equal,
    judge_of,
    references,
    stored,
    texts,
    variants,
    write,
)
from tests.reward_models.published import ldl
from ultrarm_eval.errors import CheckpointError

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


def test_the_heads_files_are_a_part_of_what_identifies_it(tmp_path):
    folder = ldl.build(tmp_path / "ldl")
    before = judge_of(folder).fingerprint()
    path, weights = stored(folder, "gating_layer.pt:network.6.bias")
    weights["network.6.bias"] += 0.5
    write(path, weights)
    assert judge_of(folder).fingerprint() != before


def test_a_damaged_file_of_a_head_is_refused_before_loading(tmp_path):
    folder = ldl.build(tmp_path / "ldl")
    path = folder / "regression_layer.pt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        CheckpointError, match=r"regression_layer\.pt is damaged\. Copy or download"
    ):
        judge_of(folder)


def test_a_body_without_the_heads_files_is_none(tmp_path):
    folder = ldl.build(tmp_path / "ldl")
    (folder / "gating_layer.pt").unlink()
    for judge in ("ldl", "auto"):
        with pytest.raises(CheckpointError):
            judge_of(folder, judge)


def test_a_configuration_without_a_class_is_known_by_the_files_of_the_heads(tmp_path):
    folder = ldl.build(tmp_path / "checkpoint")
    expected = references(ldl, folder)
    config = json.loads((folder / "config.json").read_text())
    del config["architectures"]
    (folder / "config.json").write_text(json.dumps(config))
    judge = judge_of(folder)
    assert judge.name == "ldl"
    assert judge.score(*texts(ldl)) == [equal(one.reward) for one in expected]
