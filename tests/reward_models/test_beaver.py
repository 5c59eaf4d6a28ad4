"""Beaver reward and cost models of Safe RLHF."""

import json
import logging

import pytest

from tests.reward_models.as_published import AsPublished, HeadRefusals, judge_of, stored, write
from tests.reward_models.published import beaver
from ultrarm_eval.errors import CheckpointError, UnwritableTextError

VARIANTS = {"": {}, **beaver.VARIANTS}


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, tmp_path_factory):
    return beaver.build(tmp_path_factory.mktemp("beaver"), **VARIANTS[request.param])


class TestBeaver(AsPublished):
    module, judge, head = beaver, "beaver", "score_head.weight"


class TestHead(HeadRefusals):
    module, judge, head, second = beaver, "beaver", "score_head.weight", "v_head.weight"


def changed(folder, without=(), **values):
    path = folder / "config.json"
    said = {**json.loads(path.read_text()), **values}
    path.write_text(json.dumps({k: v for k, v in said.items() if k not in without}))
    return folder


def test_a_cost_is_said_to_be_negated(tmp_path, caplog):
    folder = beaver.build(tmp_path / "checkpoint", score_type="cost")
    with caplog.at_level(logging.INFO):
        judge_of(folder)
    assert "is a cost model: rewards are its negated costs" in caplog.text


def test_a_reward_is_not_said_to_be_negated(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        judge_of(beaver.build(tmp_path / "checkpoint"))
    assert "negated costs" not in caplog.text


def test_another_kind_of_score_is_refused(tmp_path):
    folder = changed(beaver.build(tmp_path / "checkpoint"), score_type="critic")
    with pytest.raises(CheckpointError, match="score_type is 'critic', but must be reward or cost"):
        judge_of(folder)


def test_a_cost_model_that_does_not_say_so_is_refused(tmp_path):
    folder = changed(beaver.build(tmp_path / "beaver-7b-cost"), without={"score_type"})
    with pytest.raises(CheckpointError, match='its name suggests a cost model.*"score_type"'):
        judge_of(folder)


def test_a_score_without_a_type_is_a_reward(tmp_path):
    folder = beaver.build(tmp_path / "checkpoint")
    expected = judge_of(folder).score(["a"], ["b"])
    assert judge_of(changed(folder, without={"score_type"})).score(["a"], ["b"]) == expected


def test_a_normalizer_that_is_asked_for_and_missing_is_refused(tmp_path):
    folder = beaver.build(tmp_path / "checkpoint", do_normalize=True)
    path, weights = stored(folder, "normalizer.var")
    weights.pop("normalizer.var")
    write(path, weights)
    with pytest.raises(CheckpointError, match=r"normalizer\.var"):
        judge_of(folder)


def test_a_bias_that_config_json_names_and_the_weights_lack_is_refused(tmp_path):
    folder = changed(beaver.build(tmp_path / "checkpoint"), score_bias=True)
    with pytest.raises(CheckpointError, match=r"score_head\.bias"):
        judge_of(folder)


def test_a_system_turn_is_refused_with_the_way_out(tmp_path):
    judge = judge_of(beaver.build(tmp_path / "checkpoint"))
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    with pytest.raises(UnwritableTextError, match=r"role 'system'.*system=fold"):
        judge.score([turns], ["So."])


def test_a_bias_that_the_configuration_denies_is_refused(tmp_path):
    folder = changed(beaver.build(tmp_path / "checkpoint", bias=True), bias=False, score_bias=False)
    with pytest.raises(
        CheckpointError, match="has no bias, but the weights contain score_head.bias"
    ):
        judge_of(folder)
