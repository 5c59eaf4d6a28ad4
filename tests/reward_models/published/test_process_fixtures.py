"""Process checkpoints: a value a step, and every wrong reading is seen."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch

from tests.reward_models import tiny_tokenizers as tokenizers
from tests.reward_models.published import math_shepherd, qwen2_prm, rlhflow_prm, skywork_prm

KINDS = {
    m.__name__.rpartition(".")[2]: m for m in (qwen2_prm, skywork_prm, math_shepherd, rlhflow_prm)
}
CASES = [(name, variant) for name, kind in KINDS.items() for variant in ("", *kind.VARIANTS)]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(case).strip("-"))
def built(request, tmp_path_factory):
    name, variant = request.param
    kind = KINDS[name]
    options = kind.VARIANTS[variant] if variant else {}
    return kind, kind.build(tmp_path_factory.mktemp(name) / "checkpoint", **options)


def test_every_step_has_a_value_between_zero_and_one(built):
    kind, folder = built
    for prompt, steps in kind.TEXTS:
        values = kind.reference(folder, kind.text_ids(folder, prompt, steps)).steps
        assert len(values) == len(steps)
        assert all(0.01 < value < 0.99 for value in values)
        assert max(values) - min(values) > 0.01


def test_two_answers_to_one_question_differ(built):
    kind, folder = built
    (right, other) = (
        kind.reference(folder, kind.text_ids(folder, *text)) for text in kind.TEXTS[:2]
    )
    assert max(abs(a - b) for a, b in zip(right.steps, other.steps, strict=True)) > 0.1
    assert abs(right.reward - other.reward) > 0.01


def test_a_step_does_not_depend_on_those_after_it(built):
    kind, folder = built
    prompt, steps = kind.TEXTS[2]
    whole = kind.reference(folder, kind.text_ids(folder, prompt, steps)).steps
    for count in range(1, len(steps)):
        part = kind.reference(folder, kind.text_ids(folder, prompt, steps[:count])).steps
        assert part == pytest.approx(whole[:count], abs=1e-5)


def test_every_wrong_reading_gives_another_reward(built):
    kind, folder = built
    rows = [kind.text_ids(folder, *text) for text in kind.TEXTS]
    rewards = [kind.reference(folder, row).reward for row in rows]
    for name, wrong in kind.MUTATIONS.items():
        apart = [abs(wrong(folder, row) - right) for row, right in zip(rows, rewards, strict=True)]
        assert max(apart) > 1e-3, name


def stock_logits(folder, ids) -> torch.Tensor:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits[0]


def test_rlhflow_one_pass_gives_what_the_authors_get_from_one_pass_a_step(tmp_path):
    folder = rlhflow_prm.build(tmp_path)
    tokenizer = tokenizers.load(folder)
    signs = [tokenizer.encode("+")[-1], tokenizer.encode("-")[-1]]
    for question, steps in rlhflow_prm.TEXTS:
        found = rlhflow_prm.reference(folder, rlhflow_prm.text_ids(folder, question, steps))
        for count in range(1, len(steps) + 1):
            turns = rlhflow_prm.turns(question, steps[:count])
            ids = tokenizer.apply_chat_template(turns, return_dict=True)["input_ids"]
            expected = stock_logits(folder, ids)[-3, signs].softmax(-1)[0]
            assert found.steps[count - 1] == pytest.approx(float(expected), abs=1e-5)
        assert found.reward == pytest.approx(sum(found.steps) / len(steps))


def test_math_shepherd_is_what_the_card_computes(tmp_path):
    folder = math_shepherd.build(tmp_path)
    tokenizer = tokenizers.load(folder)
    candidates = tokenizer.encode("+ -")[1:]
    assert tokenizer.convert_ids_to_tokens(candidates) == ["▁+", "▁-"]
    tag = tokenizer.encode("ки")[-1]
    assert tokenizer.convert_ids_to_tokens(tag) == "▁ки"
    question, steps = math_shepherd.TEXTS[0]
    text = "What is 7 times 8? Step 1: 7 times 8 is 56. ки\nStep 2: The answer is: 56 ки"
    ids = tokenizer.encode(text)
    assert math_shepherd.text_ids(folder, question, steps) == ids
    expected = stock_logits(folder, ids)[:, candidates].softmax(-1)[:, 0]
    found = math_shepherd.reference(folder, ids).steps
    assert found == pytest.approx(expected[torch.tensor(ids) == tag].tolist(), abs=1e-5)


def test_skywork_newlines_stand_alone_and_are_where_the_steps_end(tmp_path):
    folder = skywork_prm.build(tmp_path)
    tokenizer = tokenizers.load(folder)
    newline = tokenizer.encode("\n")[-1]
    for prompt, steps in skywork_prm.TEXTS:
        ids = skywork_prm.text_ids(folder, prompt, steps)
        at = skywork_prm.step_positions(folder, prompt, steps)
        assert [ids[i] for i in at] == [newline] * len(steps)
        assert tokenizer.decode(ids) == tokenizer.bos_token + "\n".join([prompt, *steps, ""])
        assert ids != tokenizer.encode(tokenizer.decode(ids)), "nothing merges with a newline"
        assert skywork_prm.reference(folder, ids) == skywork_prm.reference(folder, ids, at)


def test_skywork_problems_of_several_lines_need_positions(tmp_path):
    folder = skywork_prm.build(tmp_path)
    text = ("One line\nand another", ["It is so."])
    ids, at = skywork_prm.text_ids(folder, *text), skywork_prm.step_positions(folder, *text)
    assert len(skywork_prm.reference(folder, ids, at).steps) == 1
    with pytest.raises(ValueError, match="newline"):
        skywork_prm.text_ids(folder, "x", ["two\nlines"])


def test_qwen_separator_follows_every_step(tmp_path):
    folder = qwen2_prm.build(tmp_path)
    ids = qwen2_prm.text_ids(folder, "Why?", ["So.", "And so."])
    assert tokenizers.load(folder).decode(ids) == (
        "<|im_start|>system\nPlease reason step by step, and put your final answer within "
        "\\boxed{}.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n"
        "<|im_start|>assistant\nSo.<extra_0>And so.<extra_0><|im_end|>\n"
    )


@pytest.mark.parametrize(
    "kind", [skywork_prm, math_shepherd, rlhflow_prm], ids=lambda k: k.__name__
)
def test_a_conversation_is_refused_where_the_code_takes_a_question(kind: ModuleType, tmp_path):
    folder = kind.build(tmp_path)
    turn = {"role": "user", "content": "What is 7 times 8?"}
    steps = ["It is 56."]
    assert kind.text_ids(folder, [turn], steps) == kind.text_ids(folder, turn["content"], steps)
    with pytest.raises(ValueError, match="not a conversation"):
        kind.text_ids(folder, [{"role": "system", "content": "Be brief."}, turn], steps)
