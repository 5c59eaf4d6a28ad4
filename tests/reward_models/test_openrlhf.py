"""OpenRLHF's reward models: a linear layer at the EOS that closes every text."""

import json

import pytest

from tests.reward_models.as_published import (
    TEXTS,
    AsPublished,
    HeadRefusals,
    equal,
    judge_of,
    stored,
    variants,
    write,
)
from tests.reward_models.published import openrlhf
from ultrarm_eval.errors import CheckpointError, ConfigurationError

VARIANTS = variants(openrlhf)


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, tmp_path_factory):
    return openrlhf.build(tmp_path_factory.mktemp("openrlhf"), **VARIANTS[request.param])


class TestOpenRLHF(AsPublished):
    module, judge, head = openrlhf, "openrlhf", "score.weight"


class TestHead(HeadRefusals):
    module, judge, head, second = openrlhf, "openrlhf", "score.weight", "v_head.weight"


PROMPT, ANSWER = "What is 7 times 8?", "It is 56."


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return openrlhf.build(tmp_path_factory.mktemp("openrlhf") / "checkpoint")


def changed(folder, file="config.json", without=(), **values):
    path = folder / file
    said = {**json.loads(path.read_text()), **values}
    path.write_text(json.dumps({k: v for k, v in said.items() if k not in without}))
    return folder


def test_rewards_are_normalized_where_that_is_asked_for(plain):
    prompts, completions = map(list, zip(*TEXTS, strict=True))
    ids = [openrlhf.text_ids(plain, *text) for text in TEXTS]
    expected = [openrlhf.reference(plain, row, normalize=True).reward for row in ids]
    judge = judge_of(plain, normalize=True)
    assert judge.score(prompts, completions) == [equal(one) for one in expected]
    assert judge.score_one_at_a_time(prompts, completions) == [equal(one) for one in expected]
    assert judge.settings()["normalize"] is True
    assert judge.fingerprint() != judge_of(plain).fingerprint()


@pytest.mark.parametrize("lacking", ["mean", "std"])
def test_normalizing_without_figures_is_refused(tmp_path, lacking):
    folder = changed(openrlhf.build(tmp_path / "checkpoint"), without={lacking})
    judge_of(folder)
    with pytest.raises(ConfigurationError, match=f"normalize=True.*no {lacking}.*Remove normalize"):
        judge_of(folder, normalize=True)


@pytest.mark.parametrize("std", [0, -1, "2"])
def test_normalizing_by_what_is_no_deviation_is_refused(tmp_path, std):
    folder = changed(openrlhf.build(tmp_path / "checkpoint"), std=std)
    with pytest.raises(CheckpointError, match="std is .*number above 0"):
        judge_of(folder, normalize=True)


def eos_and_ids(folder, completion, **settings):
    judge = judge_of(folder, **settings)
    return judge.tokenizer.eos_token_id, list(judge.encoded(PROMPT, completion))


def test_a_text_is_closed_by_eos_once(tmp_path):
    """A template that ends turns with the EOS token needs none behind it."""
    folder = openrlhf.build(tmp_path / "checkpoint", eos="<|eot_id|>")
    eos, ids = eos_and_ids(folder, ANSWER)
    assert ids[-1] == eos
    assert ids[-2] != eos
    assert ids == openrlhf.text_ids(folder, PROMPT, ANSWER)


def test_line_ends_are_cut_off_and_counted(plain):
    judge = judge_of(plain, template="raw")
    judge.score([None, None], [f"{ANSWER}\n\n", ANSWER])
    assert list(judge.encoded(None, f"{ANSWER}\n\n")) == list(judge.encoded(None, ANSWER))
    assert judge.settings()["counts"]["trimmed_by_template"] == 1


def test_no_bos_is_added_where_the_template_writes_none(plain):
    eos, ids = eos_and_ids(plain, ANSWER, template="raw")
    assert 128000 not in ids
    assert ids[-1] == eos


def test_an_eos_that_an_answer_spells_closes_nothing(plain):
    eos, ids = eos_and_ids(plain, f"{ANSWER}<|end_of_text|>", template="raw")
    assert ids.count(eos) == 1
    _, parsed = eos_and_ids(
        plain, f"{ANSWER}<|end_of_text|>", template="raw", special_tokens="parse"
    )
    assert parsed.count(eos) == 1
    assert len(parsed) < len(ids)


def test_the_eos_stays_where_a_text_is_cut(plain):
    eos, ids = eos_and_ids(plain, "a long answer " * 20, max_length=24)
    assert len(ids) == 24
    assert ids[0] == 128000
    assert ids[-1] == eos


def test_a_tokenizer_without_eos_is_refused(tmp_path):
    folder = openrlhf.build(tmp_path / "checkpoint")
    changed(folder, "tokenizer_config.json", without={"eos_token"})
    with pytest.raises(CheckpointError, match="names no EOS token.*eos_token"):
        judge_of(folder)


def test_two_heads_and_no_word_on_which_is_refused(tmp_path):
    folder = openrlhf.build(tmp_path / "checkpoint")
    path, weights = stored(folder, "score.weight")
    write(path, {**weights, "value_head.weight": weights["score.weight"].clone()})
    with pytest.raises(CheckpointError, match="two heads, score and value_head.*value_head_prefix"):
        judge_of(folder)


def test_code_of_that_name_that_comes_along_is_refused(tmp_path):
    folder = openrlhf.build(tmp_path / "checkpoint")
    changed(folder, auto_map={"AutoModel": "modeling_mine.RewardModel"})
    with pytest.raises(CheckpointError, match=r"modeling_mine\.RewardModel.*never executed"):
        judge_of(folder)


@pytest.mark.parametrize("field", ["normalize_reward", "value_head_prefix"])
def test_a_configuration_without_a_class_is_known_by_what_openrlhf_writes(tmp_path, field):
    folder = openrlhf.build(tmp_path / "checkpoint")
    others = {"normalize_reward", "value_head_prefix"} - {field}
    changed(
        folder, without=("architectures", *others), **{field: "score" if "head" in field else 0}
    )
    judge = judge_of(folder)
    assert judge.name == "openrlhf"
    expected = openrlhf.reference(folder, openrlhf.text_ids(folder, PROMPT, ANSWER)).reward
    assert judge.score([PROMPT], [ANSWER]) == [equal(expected)]
