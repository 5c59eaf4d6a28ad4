"""LoRA adapters as RewardTrainer saves them: merged by ourselves, equal to a reading of the facts."""

import json
import logging
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.reward_models.published import peft_reward
from ultrarm_eval.errors import CheckpointError
from ultrarm_eval.judges.loading import make_judge

VARIANTS = ["seq_cls", *peft_reward.VARIANTS]
PROMPTS = ["What is 7 times 8?", "What is 7 times 8?", "Name a sea."]
COMPLETIONS = ["It is 56.", "It is 54, I think.", "The North Sea."]
WEIGHTS = "adapter_model.safetensors"


def judge_of(folder, **settings):
    given = {"pretrained": str(folder), "device": "cpu", **settings}
    return make_judge(given.pop("judge", "auto"), given)


def expected(folder):
    rows = [peft_reward.text_ids(folder, *text) for text in zip(PROMPTS, COMPLETIONS, strict=True)]
    return [peft_reward.reference(folder, row).reward for row in rows]


def near(rewards):
    return pytest.approx(rewards, abs=1e-5 * max(1, *map(abs, rewards)))


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, tmp_path_factory):
    place = tmp_path_factory.mktemp(request.param) / "adapter"
    return peft_reward.build(place, variant=request.param)


@pytest.fixture
def adapter(tmp_path):
    """One adapter of its own, to be changed."""
    return peft_reward.build(tmp_path / "adapter")


def change(folder, **values):
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_rewards_are_those_of_the_merged_model_in_every_layout(folder):
    rewards = expected(folder)
    for batching in ("shared", "packed", "padded"):
        judge = judge_of(folder, batching=batching)
        assert judge.name == "sequence-classification"
        assert judge.score(PROMPTS, COMPLETIONS) == near(rewards)
        assert judge.score_one_at_a_time(PROMPTS, COMPLETIONS) == near(rewards)
        assert judge.score(PROMPTS[:1], COMPLETIONS[:1]) == near(rewards[:1])


@pytest.mark.slow
def test_a_wrong_reading_would_be_seen(folder, request):
    variant = request.node.callspec.params["folder"]
    rewards = judge_of(folder).score(PROMPTS, COMPLETIONS)
    rows = [peft_reward.text_ids(folder, *text) for text in zip(PROMPTS, COMPLETIONS, strict=True)]
    without_effect = peft_reward.WITHOUT_EFFECT["" if variant == "seq_cls" else variant]
    for name in peft_reward.MUTATIONS.keys() - without_effect:
        wrong = [peft_reward.MUTATIONS[name](folder, row) for row in rows]
        assert max(abs(a - b) for a, b in zip(rewards, wrong, strict=True)) > 1e-3, name


@pytest.mark.slow
def test_base_and_adapter_named_apart_give_the_same(adapter, tmp_path):
    rewards, fingerprint = expected(adapter), judge_of(adapter).fingerprint()
    moved = tmp_path / "elsewhere"
    shutil.move(adapter / "base", moved)
    change(adapter, base_model_name_or_path="someone/else")
    judge = judge_of(moved, peft=str(adapter))
    assert judge.score(PROMPTS, COMPLETIONS) == near(rewards)
    assert judge.fingerprint() == fingerprint
    assert judge.settings()["pretrained"] == str(moved)
    assert judge.identifies()["peft"] == str(adapter)
    assert "base" not in judge.settings()


def test_results_hold_the_base_that_was_found(adapter):
    judge = judge_of(adapter)
    assert judge.settings()["pretrained"] == str(adapter)
    assert judge.identifies()["base"] == str(adapter / "base")
    assert "peft" not in judge.settings()


@pytest.mark.slow
def test_a_base_beside_the_adapter_is_found_by_its_relative_path(adapter):
    rewards = expected(adapter)
    change(adapter, base_model_name_or_path="base")
    assert judge_of(adapter).score(PROMPTS, COMPLETIONS) == near(rewards)


def test_the_fingerprint_is_of_adapter_and_base(adapter, tmp_path):
    fingerprints = {judge_of(adapter).fingerprint()}
    weights = load_file(adapter / WEIGHTS)
    weights[f"{peft_reward.PREFIX}score.weight"] += 0.001
    save_file(weights, adapter / WEIGHTS)
    fingerprints.add(judge_of(adapter).fingerprint())
    path = adapter / "base" / "model.safetensors"
    weights = load_file(path)
    weights["model.norm.weight"] += 0.001
    save_file(weights, path, metadata={"format": "pt"})
    fingerprints.add(judge_of(adapter).fingerprint())
    change(adapter, lora_alpha=9)
    fingerprints.add(judge_of(adapter).fingerprint())
    assert len(fingerprints) == 4


def test_a_score_store_gives_the_same_again(adapter, tmp_path):
    store = str(tmp_path / "scores.sqlite")
    rewards = judge_of(adapter, score_store=store).score(PROMPTS, COMPLETIONS)
    again = judge_of(adapter, score_store=store)
    assert again.score(PROMPTS, COMPLETIONS) == rewards
    assert again.network.runner is None


def test_sharded_and_pickled_bases(adapter):
    from tests.conftest import write_sharded_pickles

    rewards = expected(adapter)
    base = adapter / "base"
    weights = load_file(base / "model.safetensors")
    config = (base / "config.json").read_text()
    (base / "model.safetensors").unlink()

    class Model:
        config = type("Config", (), {"__getattr__": lambda self, name: 1})()

        @staticmethod
        def state_dict():
            return weights

    write_sharded_pickles(base, Model)
    (base / "config.json").write_text(config)
    assert judge_of(adapter).score(PROMPTS, COMPLETIONS) == near(rewards)


def test_the_merge_is_made_in_float32_and_rounded_once(adapter):
    """A base in bfloat16 scored in float32 is PEFT's own float32 computation."""
    base = adapter / "base" / "model.safetensors"
    weights = {key: value.to(torch.bfloat16) for key, value in load_file(base).items()}
    save_file(weights, base, metadata={"format": "pt"})
    exact = judge_of(adapter, dtype="float32").score(PROMPTS, COMPLETIONS)
    save_file({key: value.float() for key, value in weights.items()}, base)
    assert exact == near(expected(adapter))
    half = judge_of(adapter, dtype="bfloat16")
    assert half.score(PROMPTS, COMPLETIONS) == pytest.approx(exact, abs=0.3)
    assert {p.dtype for n, p in half.load().named_parameters() if "proj" in n} == {torch.bfloat16}


@pytest.mark.parametrize("variant", peft_reward.BROKEN)
def test_a_head_that_is_nowhere_is_refused_before_weights_are_loaded(tmp_path, variant):
    folder = peft_reward.build(tmp_path / "adapter", variant=variant)
    says = {
        "no_head": "neither this adapter nor its base.*'score.weight'.*random.*modules_to_save",
        "lora_on_head": "LoRA on the head 'score'.*random.*modules_to_save",
    }[variant]
    for judge in ("auto", "sequence-classification"):
        with pytest.raises(CheckpointError, match=says):
            judge_of(folder, judge=judge)


def test_it_is_said_which_padding_token_counts(adapter, caplog):
    with caplog.at_level(logging.INFO):
        judge = judge_of(adapter)
    pad = judge.tokenizer.pad_token_id
    assert f"The padding token has the id {pad}." in caplog.text
    assert judge.checkpoint.config.pad_token_id == pad
    assert judge.encoder.unread_id == pad


def test_a_tokenizer_that_is_with_the_base_alone(adapter):
    rewards = expected(adapter)
    for path in adapter.glob("*token*"):
        path.unlink()
    for path in adapter.glob("chat_template.jinja"):
        path.unlink()
    assert judge_of(adapter).score(PROMPTS, COMPLETIONS) == near(rewards)


def test_what_is_said_of_a_tokenizer_whose_vocabulary_is_with_the_base(adapter):
    for name in ("tokenizer.json", "chat_template.jinja"):
        (adapter / name).unlink(missing_ok=True)
    stated = json.loads((adapter / "tokenizer_config.json").read_text())
    stated |= {"pad_token": "<|im_end|>", "chat_template": "{{ messages[-1]['content'] }}"}
    stated.pop("added_tokens_decoder", None)
    (adapter / "tokenizer_config.json").write_text(json.dumps(stated))
    judge = judge_of(adapter)
    im_end = judge.tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert judge.checkpoint.config.pad_token_id == im_end
    assert list(judge.encoded("one", "two")) == judge.tokenizer("two")["input_ids"]


@pytest.mark.slow
def test_the_adapters_chat_template_comes_before_the_bases(adapter):
    (adapter / "base" / "chat_template.jinja").write_text("{{ raise_exception('the base') }}")
    rewards = expected(adapter)
    assert judge_of(adapter).score(PROMPTS, COMPLETIONS) == near(rewards)


def test_int8_is_made_of_the_merged_weights(adapter):
    pytest.importorskip("bitsandbytes", reason="int8 weights need bitsandbytes")
    rewards = expected(adapter)
    eight = judge_of(adapter, quantization="int8", dtype="float32")
    assert eight.score(PROMPTS, COMPLETIONS) == pytest.approx(rewards, abs=0.5)
