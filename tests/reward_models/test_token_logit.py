"""Rewards that are the logit of a token, or the log odds of two."""

import json

import pytest

from tests.reward_models.as_published import (
    AsPublished,
    HeadRefusals,
    equal,
    judge_of,
    texts,
    variants,
)
from tests.reward_models.published import token_logit
from ultrarm_eval.errors import CheckpointError, ConfigurationError

NEMOTRON = "Llama-3.1-Nemotron-70B-Reward-HF"
PROMPTS, ANSWERS = ["What is blue?", "What is blue?", None], ["The sky.", "Grass.", "Water."]
QUESTION = "Question: {{ prompt[-1].content }} Answer: {{ completion }} Is it right?"


@pytest.fixture(scope="module", params=variants(token_logit))
def folder(request, tmp_path_factory):
    parent = tmp_path_factory.mktemp("token-logit")
    return token_logit.build(parent / NEMOTRON, **variants(token_logit)[request.param])


@pytest.fixture(scope="module")
def verifier(tmp_path_factory):
    return token_logit.build(tmp_path_factory.mktemp("verifier"))


class TestNemotron(AsPublished):
    module, judge, head = token_logit, "token-logit", "lm_head.weight"


class TestHead(HeadRefusals):
    module, judge, head, called = token_logit, "token-logit", "lm_head.weight", NEMOTRON


class TestYesOrNo:
    def test_it_is_the_log_odds_where_an_answer_would_begin(self, verifier):
        judge = judge_of(verifier, token="Yes", contrast="No", position="answer")
        prompts, completions = texts(token_logit)
        for prompt, completion, found in zip(
            prompts, completions, judge.score(prompts, completions), strict=True
        ):
            ids = token_logit.contrast_ids(verifier, prompt, completion)
            assert list(judge.encoded(prompt, completion)) == ids
            assert found == equal(token_logit.contrast_reference(verifier, ids).reward)

    def test_a_file_asks_and_the_chat_template_opens_the_answer(self, verifier, tmp_path):
        file = tmp_path / "question.jinja"
        file.write_text(QUESTION)
        settings = {"token": "Yes", "contrast": "No", "position": "answer", "template": str(file)}
        judge = judge_of(verifier, "token-logit", **settings)
        tokenizer = judge.tokenizer
        for prompt, completion in zip(PROMPTS, ANSWERS, strict=True):
            asked = f"Question: {prompt or ''} Answer: {completion} Is it right?"
            turns = [{"role": "user", "content": asked}]
            text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            assert list(judge.encoded(prompt, completion)) == ids
            expected = token_logit.contrast_reference(verifier, ids).reward
            assert judge.score([prompt], [completion]) == [equal(expected)]

    def test_the_tokens_swapped_are_the_odds_the_other_way_round(self, verifier):
        one = judge_of(verifier, "token-logit", token="Yes", contrast="No")
        other = judge_of(verifier, "token-logit", token="No", contrast="Yes")
        found, swapped = one.score(PROMPTS, ANSWERS), other.score(PROMPTS, ANSWERS)
        assert found == [equal(-value) for value in swapped]
        assert len(set(found)) == len(found)

    def test_a_token_after_another_is_refused_where_the_whole_answer_is_asked_about(self, verifier):
        judge = judge_of(verifier, "token-logit", token="Yes", position="answer")
        with pytest.raises(ConfigurationError, match="scores a complete answer"):
            judge.rewards_after_tokens("a", "b")

    def test_other_templates_ask_nothing(self, verifier):
        with pytest.raises(ConfigurationError, match="template=ultrarm writes no question"):
            judge_of(verifier, "token-logit", position="answer", template="ultrarm")
        with pytest.raises(
            ConfigurationError, match="parity=rewardbench cannot be combined with position=answer"
        ):
            judge_of(verifier, "token-logit", position="answer", parity="rewardbench")


class TestSettings:
    @pytest.mark.parametrize(
        ("token", "said"),
        [
            ("blue sky over", "splits it into .* tokens"),
            ("999999999", r"an id must be an integer from 0 to .*token=\"'999999999'\""),
            (True, "not True"),
            ("", "not ''"),
        ],
    )
    def test_what_is_no_token_is_refused(self, verifier, token, said):
        with pytest.raises(ConfigurationError, match=said):
            judge_of(verifier, "token-logit", token=token)

    def test_a_token_is_not_compared_with_itself(self, verifier):
        yes = judge_of(verifier, "token-logit", token="Yes").tokenizer("Yes")["input_ids"][-1]
        with pytest.raises(ConfigurationError, match="are the same token"):
            judge_of(verifier, "token-logit", token="Yes", contrast=str(yes))

    def test_a_number_in_quotes_is_text(self, verifier):
        named = judge_of(verifier, "token-logit", token="'7'")
        (number,) = named.tokenizer("7", add_special_tokens=False)["input_ids"]
        by_id = judge_of(verifier, "token-logit", token=str(number))
        assert named.score(PROMPTS, ANSWERS) == by_id.score(PROMPTS, ANSWERS)
        assert named.fingerprint() == by_id.fingerprint()
        other = judge_of(verifier, "token-logit", token="7")
        assert other.fingerprint() != by_id.fingerprint()

    def test_what_is_read_is_a_part_of_the_fingerprint_and_the_results(self, verifier):
        settings = [
            {},
            {"token": "1"},
            {"contrast": "1"},
            {"position": "answer"},
        ]
        judges = [judge_of(verifier, "token-logit", **one) for one in settings]
        assert len({judge.fingerprint() for judge in judges}) == len(settings)
        shown = judges[2].settings()
        assert shown["token"].endswith("(0)")
        assert shown["contrast"].endswith("(1)")
        assert shown["position"] == "end"

    def test_more_tokens_than_the_card_allows_are_told(self, tmp_path, caplog):
        folder = token_logit.build(tmp_path / NEMOTRON)
        path = folder / "config.json"
        path.write_text(
            json.dumps({**json.loads(path.read_text()), "max_position_embeddings": 131072})
        )
        judge_of(folder, max_length=5000)
        assert "was made for: 4,096 tokens (its model card" in caplog.text


def test_what_is_called_a_reward_model_is_never_sent_to_likelihood(tmp_path):
    for name in ("My-Reward-7B", "Llama-8B-RM"):
        folder = token_logit.build(tmp_path / name)
        with pytest.raises(CheckpointError) as error:
            judge_of(folder)
        assert "judge=token-logit" in str(error.value)
        assert "judge=likelihood" not in str(error.value)


def test_what_writes_its_verdict_is_not_taken_for_a_logit(tmp_path):
    folder = token_logit.build(tmp_path / "Llama-3.3-Nemotron-Super-GenRM-Reward")
    with pytest.raises(CheckpointError, match="judge=critique"):
        judge_of(folder)


def test_a_language_head_with_a_bias_is_refused(tmp_path):
    import torch

    from tests.reward_models.as_published import stored, write

    folder = token_logit.build(tmp_path / NEMOTRON)
    path, weights = stored(folder, "lm_head.weight")
    write(path, {**weights, "lm_head.bias": torch.ones(len(weights["lm_head.weight"]))})
    with pytest.raises(CheckpointError, match=r"has a bias, 'lm_head\.bias'"):
        judge_of(folder)
