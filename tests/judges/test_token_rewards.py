"""The reward after each token, against prefixes that are scored by themselves."""

import copy
import json

import pytest
import torch

from tests.judges.test_encoder_judge import SMALL, tokenizer  # noqa: F401
from ultrarm_eval import load_judge
from ultrarm_eval.checkpoints.decoder_reward_model import DecoderRewardModel
from ultrarm_eval.engine.kernels.cascade import CascadeAttention
from ultrarm_eval.judges.dpo import PreferenceJudge
from ultrarm_eval.judges.likelihood import LikelihoodJudge
from ultrarm_eval.judges.sequence_classification import SequenceClassificationJudge
from ultrarm_eval.judges.ultrarm import UltraRMJudge

CLASSIFIER, LANGUAGE_MODEL = "AutoModelForSequenceClassification", "AutoModelForCausalLM"
# Another embedding for texts of more than 16 tokens.
LONG_ROPE = {
    "rope_scaling": {
        "rope_type": "longrope",
        "short_factor": [1.0] * 4,
        "long_factor": [8.0] * 4,
        "original_max_position_embeddings": 16,
    },
    "original_max_position_embeddings": 16,
}
CASES = [
    ("the question", "the answer is blue"),
    ([{"role": "user", "content": "one"}], "two words"),
    (None, "bare text"),
    ("the question", ""),
    (None, ""),
    ("schön 你好", "👩‍🚀\n</s> é"),
    ("the sky " * 40, "the answer"),
]


def of(folder, kind=UltraRMJudge, **settings):
    return kind(str(folder), device="cpu", **settings)


def one_by_one(judge, ids):
    """Each prefix in a forward pass of its own, through the whole model."""
    model = judge.load()
    with torch.inference_mode():
        return [float(model(torch.tensor([ids[:stop]]))) for stop in range(1, len(ids) + 1)]


def require_same(judge, cases=CASES):
    """Requires rewards of prefixes alone, the last that of `score`."""
    for prompt, completion in cases:
        found = judge.rewards_after_tokens(prompt, completion)
        # The rewards of the tests' model are of the order of 10.
        assert found.rewards == pytest.approx(one_by_one(judge, found.ids), abs=5e-5)
        assert found.reward == pytest.approx(judge.score([prompt], [completion])[0], abs=1e-5)
        assert len({round(reward, 3) for reward in found.rewards}) > len(found.ids) / 2


@pytest.mark.product
@pytest.mark.parametrize("batching", ["shared", "padded"])
@pytest.mark.parametrize("template", ["ultrarm", "rewardbench", "raw"])
def test_each_is_that_of_the_prefix_alone(checkpoint, template, batching):
    require_same(of(checkpoint, template=template, batching=batching, max_length=48))


def test_the_demo_judge_shows_what_it_read():
    judge = load_judge("demo", device="cpu", template="rewardbench")
    require_same(judge, CASES[:3])
    found = judge.rewards_after_tokens("What is 2 plus 3?", "It is 5.")
    before, behind = (
        "".join(found.tokens[part])
        for part in (slice(found.completion_start), slice(found.completion_start, None))
    )
    assert before == "<s> User: What is 2 plus 3?\n\nAssistant:"
    assert behind == " It is 5.\n\n</s>"
    assert found.ids[-1] == judge.tokenizer.eos_token_id
    assert not found.truncated


def test_a_cut_text_says_so_and_is_what_was_scored(checkpoint):
    judge = of(checkpoint, max_length=16)
    found = judge.rewards_after_tokens("the sky " * 20, "the answer")
    assert (found.truncated, len(found.ids), found.tokens[0]) == (True, 16, "<s>")
    assert "".join(found.tokens[found.completion_start :]) == " the answer"


def test_one_pass_gives_them_all_by_the_attention_that_scores(checkpoint, monkeypatch):
    judge, passes, layers = of(checkpoint), [], []
    plain, attend = DecoderRewardModel.hidden_states, CascadeAttention.attend

    def counted(self, input_ids, **inputs):
        passes.append(tuple(input_ids.shape))
        return plain(self, input_ids, **inputs)

    def seen(self, query, *rest):
        layers.append(query.shape[2])
        return attend(self, query, *rest)

    monkeypatch.setattr(DecoderRewardModel, "hidden_states", counted)
    monkeypatch.setattr(CascadeAttention, "attend", seen)
    found = judge.rewards_after_tokens("the question", "the answer")
    assert passes == [(1, len(found.ids))]
    # Behind those of the kernel's trial on a small tree.
    assert layers[-3:] == [221, *[len(found.ids)] * 2]


def test_head_and_norm_are_float32_whatever_the_body(checkpoint):
    judge = of(checkpoint, dtype="bfloat16")
    found = judge.rewards_after_tokens("the question", "the answer is blue")
    rounded = torch.tensor(found.rewards).bfloat16().float().tolist()
    assert rounded != list(found.rewards)
    exact = of(checkpoint, dtype="float32").rewards_after_tokens(
        "the question", "the answer is blue"
    )
    assert found.rewards == pytest.approx(exact.rewards, abs=0.5)


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("model_type", "values"),
    [
        ("qwen3", {}),
        ("mistral", {"sliding_window": None}),
        ("mistral", {"sliding_window": 6}),
        ("llama", LONG_ROPE),
    ],
)
def test_classifiers_of_any_attention_are_exact(write_model, model_type, values):
    folder = write_model(CLASSIFIER, model_type, num_labels=1, **values)
    require_same(of(folder, SequenceClassificationJudge), CASES[:4])


def plain_classifier(folder, ids):
    """transformers' own class on each prefix."""
    import transformers

    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        return [
            model(input_ids=torch.tensor([ids[:stop]])).logits.item()
            for stop in range(1, len(ids) + 1)
        ]


@pytest.mark.product
@pytest.mark.parametrize("model_type", ["llama", "gemma2", "gpt2"])
@pytest.mark.parametrize("pad", [None, 2])
def test_classifiers_give_what_transformers_own_class_gives_for_prefixes(
    write_model, model_type, pad
):
    sizes = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256}
    values = sizes if model_type == "gpt2" else {}
    folder = write_model(CLASSIFIER, model_type, num_labels=1, pad_token_id=pad, **values)
    judge = of(folder, SequenceClassificationJudge)
    prompt, completion = "the question", "the answer is blue"
    found = judge.rewards_after_tokens(prompt, completion)
    assert found.rewards == pytest.approx(plain_classifier(folder, found.ids), abs=1e-5)
    assert found.reward == pytest.approx(judge.score([prompt], [completion])[0], abs=1e-5)
    # A padding token that ends a turn is not read: the reward stays.
    end = found.ids.index(2)
    assert (found.rewards[end] == found.rewards[end - 1]) == (pad == 2)


@pytest.mark.few(1)
@pytest.mark.parametrize("template", ["raw", None])
def test_an_encoder_reads_every_prefix_closed(write_model, tokenizer, template):  # noqa: F811
    values = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "pooler_hidden_size": 32}
    folder = write_model(CLASSIFIER, "deberta-v2", tokenizer=tokenizer, **SMALL, **values)
    judge = of(folder, SequenceClassificationJudge, template=template, max_batch_tokens=64)
    prompt, completion = "the question", "sky blue green"
    found = judge.rewards_after_tokens(prompt, completion)
    expected = [
        plain_classifier(folder, ids if ids[-1] == 2 else (*ids, 2))[-1]
        for ids in (found.ids[:stop] for stop in range(1, len(found.ids) + 1))
    ]
    assert found.rewards == pytest.approx(expected, abs=1e-5)
    assert found.reward == pytest.approx(judge.score([prompt], [completion])[0], abs=1e-5)
    assert "".join(found.tokens[found.completion_start :]) == " sky blue green[SEP]"
    empty = judge.rewards_after_tokens(prompt, "")
    assert empty.tokens[empty.completion_start :] == ("[SEP]",)


def running_sums(folder, ids, start):
    """Log-likelihood of the completion so far, token by token."""
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    with torch.inference_mode():
        scores = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    sums, total = [], 0.0
    for position in range(start, len(ids)):
        total += scores[position - 1, ids[position]].item()
        sums.append(total)
    return sums


@pytest.mark.few(1)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_likelihood_grows_token_by_token(write_model, reduction):
    folder = write_model(LANGUAGE_MODEL, "llama")
    judge = of(folder, LikelihoodJudge, reduction=reduction, max_length=48)
    for prompt, completion in CASES:
        found = judge.rewards_after_tokens(prompt, completion)
        start = found.completion_start
        sums = running_sums(folder, found.ids, start)
        expected = [s / n if reduction == "mean" else s for n, s in enumerate(sums, start=1)]
        assert found.rewards[:start] == (None,) * start
        assert found.rewards[start:] == pytest.approx(expected, abs=1e-4)
        assert found.reward == pytest.approx(judge.score([prompt], [completion])[0], abs=1e-5)
    assert found.truncated
    assert len(found.ids) == judge.max_length


def test_dpo_is_the_running_difference_to_the_reference(write_model):
    folder = write_model(LANGUAGE_MODEL, "llama")
    reference = write_model(LANGUAGE_MODEL, "llama", name="reference", num_hidden_layers=1)
    judge = of(folder, PreferenceJudge, reference=str(reference), beta=0.1)
    for prompt, completion in CASES:
        found = judge.rewards_after_tokens(prompt, completion)
        start = found.completion_start
        both = [running_sums(one, found.ids, start) for one in (folder, reference)]
        expected = [0.1 * (tuned - before) for tuned, before in zip(*both, strict=True)]
        assert found.rewards == (
            *(None,) * start,
            *[pytest.approx(value, abs=1e-4) for value in expected],
        )
        assert found.reward == pytest.approx(judge.score([prompt], [completion])[0], abs=1e-5)


def test_a_likelihood_without_prompt_and_bos_starts_behind_eos(write_model, chat_tokenizer):
    plain = copy.deepcopy(chat_tokenizer)
    plain.add_bos_token = False
    folder = write_model(LANGUAGE_MODEL, "llama", tokenizer=plain)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config |= {"add_bos_token": False, "bos_token": None}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    found = of(folder, LikelihoodJudge, template="raw").rewards_after_tokens(None, "the sky")
    assert (found.tokens[0], found.completion_start, found.rewards[0]) == ("</s>", 1, None)
    assert "".join(found.tokens[1:]) == " the sky"


def test_nothing_is_counted(checkpoint):
    judge = of(checkpoint)
    judge.rewards_after_tokens("q", "a")
    assert judge.settings()["counts"]["texts"] == 0
