"""Critiques: the score that is read in them, and the judge that writes them."""

import pytest
import torch

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.base import Judgement
from ultrarm_eval.judges.critique import CritiqueJudge, read_score

SMALL = {"max_new_tokens": 8, "device": "cpu"}


@pytest.mark.parametrize(
    ("critique", "score"),
    [
        ("8\nGood.", 8.0),
        (" 10/10 perfect", 10.0),
        ("7.5", 7.5),
        ("[6] fair", 6.0),
        ("Too short.\nOverall Score: 3", 3.0),
        ("**Overall Score**: 4/10", 4.0),
        ("overall score: [9]", 9.0),
        ("9. A full sentence.", 9.0),
        ("0", None),
        ("11", None),
        ("100", None),
        ("4/5", None),
        ("[1-10]", None),
        ("1 to 10", None),
        ("Overall Score: [1-10]", None),
        ("Good, I would give it 8.", None),
        ("", None),
    ],
)
def test_a_score_is_read_or_not_and_never_guessed(critique, score):
    assert read_score(critique) == score


@pytest.fixture
def model(write_model):
    return str(write_model("AutoModelForCausalLM", "llama", max_position_embeddings=2048))


def writing(judge, *critiques):
    """Has the judge's model write these, one for each sample, in turn."""
    network, tokenizer = judge.load(), judge.tokenizer
    written = iter(critiques)

    def generate(input_ids, num_return_sequences, **_):
        texts = [next(written) for _ in range(num_return_sequences)]
        rows = tokenizer(texts, add_special_tokens=False)["input_ids"]
        width = max(map(len, rows))
        padded = torch.tensor([row + [tokenizer.eos_token_id] * (width - len(row)) for row in rows])
        return torch.cat([input_ids.expand(len(rows), -1), padded], 1)

    network.generate = generate
    return judge


def test_the_reward_is_the_mean_of_the_readable_scores(model):
    judge = writing(
        CritiqueJudge(model, samples=3, **SMALL), "8\nGood", "no idea", "4/10", "1", "2", "3"
    )
    assert judge.score(["q", "q"], ["a", "b"]) == [6.0, 2.0]
    settings = judge.settings()
    assert (settings["samples"], settings["temperature"], settings["template"]) == (
        3,
        1.0,
        "critique",
    )


def test_answers_without_a_readable_score_are_counted_and_none_is_guessed(model, caplog):
    judge = writing(CritiqueJudge(model, **SMALL), "nothing", "7", "nothing")
    found = dict(judge.judgements(["q", None, "q"], ["a", "b", "c"]))
    assert sorted(str(judgement.value) for judgement in found.values()) == ["7.0", "None", "None"]
    assert sum(judgement.unscored for judgement in found.values()) == 2
    assert judge.settings()["counts"]["unreadable"] == 2
    assert "2 of 3 answers have no critique with a readable overall score" in caplog.text


def test_the_store_keeps_critiques_beside_rewards_and_asks_again_for_the_others(model, tmp_path):
    store = {"score_store": str(tmp_path / "rewards.sqlite")}
    judge = writing(CritiqueJudge(model, **SMALL, **store), "nothing", "7 good", "nothing")
    judge.score(["q", None, "q"], ["a", "b", "c"])
    again = writing(CritiqueJudge(model, **SMALL, **store), "5", "6")
    found = dict(again.judgements(["q", None, "q"], ["a", "b", "c"]))
    by_score = {judgement.value: judgement for judgement in found.values()}
    assert sorted(by_score) == [5.0, 6.0, 7.0]
    assert by_score[7.0] == Judgement(7.0, ("7 good",), {"scores": [7.0]})
    assert by_score[5.0].explanation == ("5",)
    assert sorted(again.score(["q", None, "q"], ["a", "b", "c"])) == [5.0, 6.0, 7.0]


def test_turns_of_a_conversation_are_told_apart(model):
    judge = CritiqueJudge(model, max_new_tokens=8)
    turns = [{"role": role, "content": role[0]} for role in ("system", "user", "assistant", "user")]
    (encoded,) = judge._encoder.encode([turns], ["an answer"])
    text = judge.tokenizer.decode(list(encoded.tokens))
    assert "### Instruction\nSystem: s\nUser: u\nAssistant: a\nUser: u\n" in text


def test_the_prompt_quotes_instruction_and_answer_and_ends_where_the_score_begins(model):
    judge = CritiqueJudge(model, max_new_tokens=8)
    (encoded,) = judge._encoder.encode(["What is blue?"], ["The sky.</s>"])
    text = judge.tokenizer.decode(list(encoded.tokens))
    assert "### Instruction\nWhat is blue?\n\n### Answer\nThe sky.</s>\n---" in text
    assert text.rstrip(" ").endswith("Assistant: ### Feedback\nOverall Score:")
    # The template's own ends of turn are control tokens, and the answer's is text.
    assert list(encoded.tokens).count(2) == 2


def said(judge, prompts, answers):
    return [judgement for _, judgement in sorted(judge.judgements(prompts, answers))]


def test_samples_of_a_text_do_not_depend_on_the_texts_beside_it(model):
    judge = CritiqueJudge(model, samples=2, **SMALL)
    prompts, answers = ["q", "q", "r"], ["a", "b", "c"]
    together = said(judge, prompts, answers)
    torch.rand(3)
    alone = [
        said(CritiqueJudge(model, samples=2, **SMALL), [p], [a])[0]
        for p, a in zip(prompts, answers, strict=True)
    ]
    assert together == alone
    assert len(set(together[0].explanation)) == 2
    other = CritiqueJudge(model, samples=2, seed=1, **SMALL)
    assert said(other, ["q"], ["a"])[0] != together[0]
    assert other.fingerprint() != judge.fingerprint()


def test_a_prompt_of_ones_own(model, tmp_path):
    own = tmp_path / "own.jinja"
    own.write_text("{{ prompt[0].content }} / {{ completion }} Overall Score:")
    judge = CritiqueJudge(model, template=str(own), **SMALL)
    assert writing(judge, "9").score(["q"], ["a"]) == [9.0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 0}, "integer of at least 1"),
        ({"samples": 2, "temperature": 0}, "above 0 for several samples"),
        ({"temperature": "hot"}, "at least 0"),
        ({"max_new_tokens": 4096}, "leaves no room for a prompt"),
        ({"seed": -1}, "integer of at least 0"),
    ],
)
def test_settings_that_are_not_allowed(model, settings, message):
    with pytest.raises(ConfigurationError, match=message):
        CritiqueJudge(model, **settings)


@pytest.mark.parametrize(
    ("critique", "score"),
    [
        ("8\nGood answer.\n\n### Feedback\nOverall Score: 3\nBad", 8.0),
        ("7\n- 2 factual errors remain", 7.0),
        ("7\n-1 for style", 7.0),
        ("**8**", 8.0),
        ("[1-10]", None),
    ],
)
def test_the_score_stands_where_the_prompt_asks_for_it(critique, score):
    assert read_score(critique) == score


def test_what_is_written_is_counted_with_what_is_read(model):
    judge = writing(CritiqueJudge(model, samples=2, **SMALL), "8", "7 water")
    judge.score(["q"], ["a"])
    (encoded,) = judge._encoder.encode(["q"], ["a"])
    longest = len(judge.tokenizer("7 water", add_special_tokens=False)["input_ids"])
    counts = judge.settings()["counts"]
    assert counts["computed_tokens"] == len(encoded.tokens) + 2 * longest
