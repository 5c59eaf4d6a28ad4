"""ArmoRM: nineteen objectives, weighted by a gate on the prompt."""

import json
import sqlite3
from contextlib import closing

import pytest

from tests.reward_models.as_published import AsPublished, HeadRefusals, judge_of, texts, variants
from tests.reward_models.published import armorm
from ultrarm_eval.errors import CheckpointError, ConfigurationError, ScoringError

VARIANTS = {**variants(armorm), "sharded": {"shards": 2}}


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, tmp_path_factory):
    return armorm.build(tmp_path_factory.mktemp("armorm"), **VARIANTS[request.param])


def test_a_stored_reward_without_its_objectives_is_computed_anew(tmp_path):
    folder, store = armorm.build(tmp_path / "checkpoint"), tmp_path / "store.sqlite"
    given = texts(armorm)
    first = dict(judge_of(folder, score_store=str(store)).judgements(*given))
    with closing(sqlite3.connect(store)) as connection, connection:
        assert connection.execute("DELETE FROM critiques").rowcount == len(first)
    again = judge_of(folder, score_store=str(store))
    assert dict(again.judgements(*given)) == first
    assert again.settings()["counts"]["computed_tokens"] > 0


class TestArmoRM(AsPublished):
    module, judge, head = armorm, "armorm", "regression_layer.weight"


class TestHead(HeadRefusals):
    module, judge, head = armorm, "armorm", "regression_layer.weight"


class TestGate(HeadRefusals):
    module, judge, head = armorm, "armorm", "gating.layers.2.weight"


def test_a_prompt_that_is_cut_off_is_refused_with_the_way_out(folder):
    judge = judge_of(folder, max_length=32)
    with pytest.raises(ScoringError, match="where this model reads the prompt.*max_length=32"):
        judge.score(["short"], ["a long answer that leaves no room for its prompt"])


def test_a_template_without_turns_is_refused(folder):
    with pytest.raises(ScoringError, match="the template writes no such turn"):
        judge_of(folder, template="raw").score(["a"], ["b"])


def test_the_class_alone_with_another_gate_is_not_taken(tmp_path):
    from tests.reward_models.as_published import stored, write

    folder = armorm.build(tmp_path / "few")
    path, weights = stored(folder, "gating.layers.3.weight")
    for part in ("weight", "bias"):
        weights[f"gating.layers.3.{part}"] = weights[f"gating.layers.3.{part}"][:7]
    write(path, weights)
    with pytest.raises(
        CheckpointError, match=r"3\.weight has weights for 7 objectives, but ArmoRM has 19"
    ):
        judge_of(folder)


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_a_gate_without_one_of_its_biases_is_refused(tmp_path, layer):
    from tests.reward_models.as_published import stored, write

    folder = armorm.build(tmp_path / "checkpoint")
    path, weights = stored(folder, f"gating.layers.{layer}.bias")
    del weights[f"gating.layers.{layer}.bias"]
    write(path, weights)
    with pytest.raises(CheckpointError, match=rf"gating\.layers\.{layer}\.bias"):
        judge_of(folder)


def test_positions_that_depend_on_the_length_of_the_whole_text_are_refused(tmp_path):
    folder = armorm.build(tmp_path / "checkpoint")
    config = json.loads((folder / "config.json").read_text())
    pairs = config["hidden_size"] // config["num_attention_heads"] // 2
    config["rope_scaling"] = {
        "rope_type": "longrope",
        "short_factor": [1.0] * pairs,
        "long_factor": [4.0] * pairs,
        "factor": 8.0,
        "original_max_position_embeddings": 48,
    }
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigurationError, match=r"longrope.*over 48 tokens. Set max_length"):
        judge_of(folder)
    reward = judge_of(folder, max_length=48).score(["What is 7?"], ["Seven."])[0]
    ids = armorm.text_ids(folder, "What is 7?", "Seven.")
    assert len(ids) <= 48
    assert reward == pytest.approx(armorm.reference(folder, ids).reward, abs=1e-4)


def test_a_judge_of_another_kind_says_which_one_takes_it_and_not_only_what_to_take_out(tmp_path):
    from tests.reward_models.published import grm

    folder = grm.build(tmp_path / "grm")
    with pytest.raises(CheckpointError, match="judge=grm supports this checkpoint"):
        judge_of(folder, "ultrarm")
    folder = armorm.build(tmp_path / "armorm")
    with pytest.raises(CheckpointError, match="judge=armorm supports this checkpoint"):
        judge_of(folder, head="regression_layer")
