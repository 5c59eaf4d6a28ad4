"""Every family with a sequence classification model in transformers, against its own class."""

import pytest
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as CLASSES,
)

from tests.judges.tiny_classifiers import REFUSED, make_classifier, stock_rewards, values_of
from ultrarm_eval.checkpoints.classifier_families import HEADS, NOT_READ, SEES_PADDING
from ultrarm_eval.errors import CheckpointError
from ultrarm_eval.judges.auto import auto_judge
from ultrarm_eval.judges.sequence_classification import SequenceClassificationJudge

LONG = "the sky is blue and the question is green " * 3
PAIRS = [
    (LONG, "the answer"),
    (LONG, "sky blue green " * 9),
    (LONG, "the answer two"),
    ("a word list", ""),
    ("one", "two words"),
]
PROMPTS, COMPLETIONS = [p for p, _ in PAIRS], [c for _, c in PAIRS]
# A few of each make; the others are slow together.
QUICK = {"gemma2", "gemma3", "qwen3_5", "xlnet", "fnet", "modernbert", "gpt_neox", "mixtral"}
FAMILIES = [
    pytest.param(family, marks=[] if family in QUICK else [pytest.mark.slow])
    for family in CLASSES
    if family not in REFUSED
]
# Their attention or activation gives some of these texts the same reward.
ALIKE = {"mobilebert", "mra"}


@pytest.mark.few(3)
@pytest.mark.parametrize("family", FAMILIES)
def test_rewards_are_those_of_the_familys_own_class_whatever_is_beside_a_text(
    tmp_path, chat_tokenizer, caplog, family
):
    model = make_classifier(family)
    model.save_pretrained(tmp_path)
    chat_tokenizer.save_pretrained(tmp_path)
    judge = SequenceClassificationJudge(str(tmp_path), device="cpu", template="chat")
    expected = stock_rewards(tmp_path, PAIRS)
    assert judge.score(PROMPTS, COMPLETIONS) == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert ("one at a time" in caplog.text) == (family in SEES_PADDING)
    gaps = [abs(a - b) for i, a in enumerate(expected) for b in expected[:i]]
    assert family in ALIKE or min(gaps) > 1e-4
    # By its rows labels are counted; Perceiver's is within its body.
    shapes = {name: tuple(weight.shape) for name, weight in model.named_parameters()}
    head = next((name for name in HEADS if name in shapes), None)
    assert (family, head) == ("perceiver", None) or shapes[head][0] == 1


@pytest.mark.few(5)
@pytest.mark.parametrize("family", [family for family in CLASSES if family in REFUSED])
def test_families_that_are_not_read_are_refused_with_the_reason(tmp_path, chat_tokenizer, family):
    import torch
    import transformers
    from safetensors.torch import save_file

    config = transformers.AutoConfig.for_model(family, **values_of(family))
    config.architectures = [CLASSES[family]]
    config.save_pretrained(tmp_path)
    save_file({"classifier.weight": torch.ones(1, 32)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=REFUSED[family]):
        auto_judge(str(tmp_path), device="cpu")


def test_the_tables_name_families_that_there_are():
    assert {*NOT_READ, *SEES_PADDING} <= set(CLASSES)
    assert set(NOT_READ) <= set(REFUSED)
