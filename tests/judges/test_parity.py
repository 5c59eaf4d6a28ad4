"""`parity=rewardbench`: the texts of RewardBench's official runs."""

import pytest

from tests.judges.conftest import chat_tokenizer, write_model  # noqa: F401
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.sequence_classification import SequenceClassificationJudge
from ultrarm_eval.judges.ultrarm import UltraRMJudge


def decoded(judge, prompt, completion):
    (encoded,) = judge._encoder.encode([prompt], [completion])
    ids = tuple(encoded.tokens)
    return ids, judge.tokenizer.decode(list(ids))


def test_ultrarm_reads_rewardbenchs_turns_between_bos_and_eos(checkpoint):
    judge = UltraRMJudge(str(checkpoint), device="cpu", parity="rewardbench")
    ids, text = decoded(judge, "the question", "the answer")
    assert (ids[0], ids[-1]) == (1, 2)
    assert "User: the question\n\nAssistant: the answer\n\n" in text
    turns = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "three"},
    ]
    _, text = decoded(judge, turns, "four")
    assert "User: one\n\nAssistant: two\n\nUser: three\n\nAssistant: four\n\n" in text


def test_an_empty_answer_is_not_closed(checkpoint):
    judge = UltraRMJudge(str(checkpoint), device="cpu", parity="rewardbench")
    _, text = decoded(judge, "q", "")
    assert text.removesuffix("</s>").endswith("User: q\n\nAssistant: ")


def test_spelled_special_tokens_become_tokens_as_officially(checkpoint):
    official = UltraRMJudge(str(checkpoint), device="cpu", parity="rewardbench")
    ids, _ = decoded(official, "q", "a</s>b")
    assert list(ids).count(2) == 2
    plain = UltraRMJudge(str(checkpoint), device="cpu", template="rewardbench")
    ids, _ = decoded(plain, "q", "a</s>b")
    assert list(ids).count(2) == 1


def test_a_text_that_is_too_long_keeps_bos_and_eos_and_loses_its_beginning(checkpoint):
    judge = UltraRMJudge(str(checkpoint), device="cpu", parity="rewardbench")
    assert judge.max_length == 256
    ids, text = decoded(judge, "the first word " * 400, "the end")
    assert (len(ids), ids[0], ids[-1]) == (256, 1, 2)
    assert "the end\n\n" in text


def test_a_chat_template_of_the_tokenizer_wins(write_model):  # noqa: F811
    folder = write_model("AutoModelForSequenceClassification", "llama", num_labels=1)
    judge = SequenceClassificationJudge(str(folder), device="cpu", parity="rewardbench")
    assert judge.settings()["template"] == "chat"
    ids, _ = decoded(judge, "q", "a")
    # The template writes BOS itself: there is one.
    assert list(ids).count(1) == 1


def test_what_it_changes_stands_in_the_results(checkpoint):
    judge = UltraRMJudge(str(checkpoint), device="cpu", parity="rewardbench")
    said = judge.settings()["parity"]
    assert (said["name"], said["template"], said["special_tokens"], said["max_length"]) == (
        "rewardbench",
        "rewardbench",
        "parse",
        2048,
    )
    assert "8 bit" in said["known_differences"][0]
    plain = UltraRMJudge(str(checkpoint), device="cpu")
    assert "parity" not in plain.settings()
    assert plain.fingerprint() != judge.fingerprint()


def test_a_named_template_is_closed_by_eos_as_officially(checkpoint):
    judge = UltraRMJudge(str(checkpoint), device="cpu", parity="rewardbench", template="mistral")
    ids, text = decoded(judge, "q", "a")
    assert ids[-1] == 2
    assert "[INST] q [/INST] a" in text
    assert judge.settings()["appends_eos"] is True


def test_official_runs_know_no_template_beside_the_tokenizers(write_model):  # noqa: F811
    folder = write_model("AutoModelForSequenceClassification", "llama", num_labels=1)
    with pytest.raises(ConfigurationError, match="the tokenizer has a chat template"):
        SequenceClassificationJudge(
            str(folder), device="cpu", parity="rewardbench", template="mistral"
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"parity": "rewardbench2"}, "Unknown parity 'rewardbench2'. Did you mean 'rewardbench'"),
        (
            {"parity": "rewardbench", "special_tokens": "text"},
            "sets special_tokens=parse, but special_tokens='text' was given",
        ),
        ({"parity": "rewardbench", "template": "raw"}, "writes the prompt before it"),
        (
            {"parity": "rewardbench", "max_length": 100},
            "sets max_length=2048, but max_length=100 was given",
        ),
    ],
)
def test_settings_that_contradict_it_are_refused(checkpoint, settings, message):
    with pytest.raises(ConfigurationError, match=message):
        UltraRMJudge(str(checkpoint), device="cpu", **settings)
