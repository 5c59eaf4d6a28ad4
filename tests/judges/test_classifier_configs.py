"""What config.json of a sequence classification model leaves out, or says otherwise."""

import json
import logging

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as CLASSES,
)

from tests.judges.tiny_classifiers import make_classifier, stock_rewards
from ultrarm_eval.errors import CheckpointError, ConfigurationError
from ultrarm_eval.judges.auto import auto_judge
from ultrarm_eval.judges.sequence_classification import SequenceClassificationJudge

PAIRS = [("the sky is blue", "the answer"), ("the sky is blue", "two words"), ("one", "a list")]
PROMPTS, COMPLETIONS = [p for p, _ in PAIRS], [c for _, c in PAIRS]
EOS = 2


@pytest.fixture
def write(tmp_path, chat_tokenizer):
    """Writes a family's tiny model; config.json is changed afterwards, None taking a field out."""

    def written(family, *, making=None, **changed):
        if family not in CLASSES:
            pytest.skip(f"this version of transformers has no classifier of {family}")
        make_classifier(family, **(making or {})).save_pretrained(tmp_path)
        chat_tokenizer.save_pretrained(tmp_path)
        change_config(tmp_path, **changed)
        return tmp_path

    return written


def change_config(folder, **changed):
    path = folder / "config.json"
    values = {**json.loads(path.read_text()), **changed}
    path.write_text(json.dumps({key: one for key, one in values.items() if one is not None}))


def stored(folder):
    """The weights, not mapped from the file that a test writes anew."""
    return {key: one.clone() for key, one in load_file(folder / "model.safetensors").items()}


def judge_of(folder, **settings):
    return SequenceClassificationJudge(str(folder), device="cpu", **settings)


class TestLabels:
    @pytest.mark.few(2)
    @pytest.mark.parametrize("family", ["llama", "gpt_neox", "gemma3", "roberta"])
    def test_are_counted_from_the_head_where_config_json_names_none(self, write, family):
        folder = write(family)
        expected = judge_of(folder, template="chat").score(PROMPTS, COMPLETIONS)
        change_config(folder, id2label=None, label2id=None)
        found = judge_of(folder, template="chat").score(PROMPTS, COMPLETIONS)
        assert found == expected

    def test_several_by_the_head_are_refused_with_its_name(self, write):
        folder = write("llama", making={"num_labels": 3}, id2label=None, label2id=None)
        with pytest.raises(CheckpointError, match=r"3 labels.*'score.weight' has 3 rows"):
            judge_of(folder)

    def test_two_by_config_json_are_refused(self, write):
        folder = write("llama", id2label={"0": "a", "1": "b"}, label2id={"a": 0, "b": 1})
        with pytest.raises(CheckpointError, match="it has 2 labels; a reward"):
            judge_of(folder)

    def test_auto_counts_them_where_config_json_names_no_class_either(self, write):
        folder = write("qwen2", id2label=None, label2id=None, architectures=None)
        assert auto_judge(str(folder), device="cpu").name == "sequence-classification"
        several = write("qwen2", making={"num_labels": 2})
        change_config(several, id2label=None, label2id=None, architectures=None)
        with pytest.raises(CheckpointError, match="does not recognize"):
            auto_judge(str(several), device="cpu")

    def test_a_problem_type_that_transformers_refuses_for_one_label_changes_nothing(self, write):
        for family in ("llama", "gpt_neox"):
            folder = write(family)
            expected = judge_of(folder).score(PROMPTS, COMPLETIONS)
            change_config(folder, problem_type="single_label_classification")
            assert judge_of(folder).score(PROMPTS, COMPLETIONS) == expected


class TestPadding:
    @pytest.mark.product
    @pytest.mark.parametrize("family", ["llama", "gpt_neox", "gemma3_text"])
    @pytest.mark.parametrize("padding", [None, -1])
    def test_where_there_is_none_the_last_token_is_read(self, write, caplog, family, padding):
        folder = write(family)
        # pad_token_id: null, as transformers writes it, is not the same as no such field.
        values = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**values, "pad_token_id": padding}))
        with caplog.at_level(logging.INFO):
            rewards = judge_of(folder).score(PROMPTS, COMPLETIONS)
        assert "names no padding token" in caplog.text
        if padding is None:
            assert rewards == pytest.approx(stock_rewards(folder, PAIRS), abs=1e-5)
        change_config(folder, pad_token_id=EOS)
        assert judge_of(folder).score(PROMPTS, COMPLETIONS) != pytest.approx(rewards, abs=1e-3)

    @pytest.mark.few(1)
    @pytest.mark.parametrize("family", ["llama", "gpt_neox", "gemma3_text"])
    def test_where_it_is_eos_the_read_is_before_it_and_that_is_said(self, write, caplog, family):
        folder = write(family, pad_token_id=EOS)
        with caplog.at_level(logging.INFO):
            rewards = judge_of(folder).score(PROMPTS, COMPLETIONS)
        assert "is also EOS (id 2)" in caplog.text
        assert rewards == pytest.approx(stock_rewards(folder, PAIRS), abs=1e-5)

    @pytest.mark.parametrize("family", ["llama", "gpt_neox"])
    def test_in_parity_it_is_eos_where_the_tokenizer_has_none(self, write, family):
        folder = write(family, pad_token_id=EOS)
        before_eos = judge_of(folder, special_tokens="parse").score(PROMPTS, COMPLETIONS)
        change_config(folder, pad_token_id=0)
        own = judge_of(folder, special_tokens="parse")
        official = judge_of(folder, parity="rewardbench")
        assert official.tokenizer.pad_token_id is None
        assert official.score(PROMPTS, COMPLETIONS) == pytest.approx(before_eos, abs=1e-5)
        assert own.score(PROMPTS, COMPLETIONS) != pytest.approx(before_eos, abs=1e-3)
        assert own.fingerprint() != official.fingerprint()

    def test_of_a_whole_model_is_not_that_of_its_text_part(self, write, caplog):
        folder = write("gemma3", pad_token_id=EOS)
        with caplog.at_level(logging.INFO):
            rewards = judge_of(folder).score(PROMPTS, COMPLETIONS)
        assert "the padding token 2 for the complete model and 0 for texts" in caplog.text
        assert rewards == pytest.approx(stock_rewards(folder, PAIRS), abs=1e-5)


class TestTextsAndImages:
    def test_what_reads_images_is_counted_and_not_loaded(self, write, caplog):
        folder = write("gemma3")
        with caplog.at_level(logging.INFO):
            judge = judge_of(folder)
        images = [
            key
            for key in make_classifier("gemma3").state_dict()
            if "vision_tower" in key or "projector" in key
        ]
        assert f"its {len(images)} weights are not loaded" in caplog.text
        text = judge.load()
        assert not any("vision" in name for name, _ in text.named_parameters())
        assert judge.settings()["parameters"] == sum(p.numel() for p in text.parameters())

    def test_weights_have_the_names_of_the_files_or_of_the_network(self, write):
        folder = write("gemma3")
        expected = judge_of(folder).score(PROMPTS, COMPLETIONS)
        written = stored(folder)
        # As transformers writes Gemma 3; a Qwen 3.5 has the network's names in its files.
        assert "language_model.model.norm.weight" in written
        save_file(
            {
                key.replace("language_model.model.", "model.language_model."): value
                for key, value in written.items()
            },
            folder / "model.safetensors",
            {"format": "pt"},
        )
        assert judge_of(folder).score(PROMPTS, COMPLETIONS) == expected

    def test_a_missing_weight_is_named_before_loading(self, write):
        folder = write("gemma3")
        state = stored(folder)
        gone = "language_model.model.layers.1.mlp.up_proj.weight"
        save_file(
            {key: value for key, value in state.items() if key != gone},
            folder / "model.safetensors",
            {"format": "pt"},
        )
        with pytest.raises(CheckpointError, match=gone):
            judge_of(folder)
        further = {"second_head.weight": torch.ones(1, 32)}
        save_file({**state, **further}, folder / "model.safetensors", {"format": "pt"})
        with pytest.raises(CheckpointError, match="second_head"):
            judge_of(folder)


def test_capped_attention_is_not_left_to_sdpa(write, caplog):
    # So low that it matters to these texts.
    folder = write("gemma2", making={"attn_logit_softcapping": 0.1})
    with caplog.at_level(logging.INFO):
        judge = judge_of(folder)
    assert "attn_implementation=eager: this gemma2 model caps attention scores" in caplog.text
    assert judge.settings()["attn_implementation"] == "eager"
    expected = stock_rewards(folder, PAIRS)
    assert judge.score(PROMPTS, COMPLETIONS) == pytest.approx(expected, abs=1e-5)
    with pytest.raises(ConfigurationError, match="caps attention scores at 0.1, which sdpa"):
        judge_of(folder, attn_implementation="sdpa")
    change_config(folder, attn_logit_softcapping=1000.0)
    assert judge_of(folder).score(PROMPTS, COMPLETIONS) != pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("special_tokens", ["text", "parse"])
def test_bos_is_read_once_where_template_and_tokenizer_both_write_it(write, special_tokens):
    judge = judge_of(write("llama"), special_tokens=special_tokens)
    tokenizer = judge.tokenizer
    assert tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id
    assert tokenizer.chat_template.startswith("{{ bos_token }}")
    (encoded,) = judge._encoder.encode(["one"], ["two"])
    assert list(encoded.tokens).count(tokenizer.bos_token_id) == 1


def test_a_block_sparse_attention_that_depends_on_earlier_texts_is_refused(write):
    folder = write("big_bird", attention_type="block_sparse")
    with pytest.raises(CheckpointError, match="depend on earlier texts.*original_full"):
        judge_of(folder, template="chat")
