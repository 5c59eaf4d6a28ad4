"""The forms in which checkpoints come."""

import json
import shutil

import pytest
import torch

from ultrarm_eval import load_judge
from ultrarm_eval.checkpoints.checkpoint import open_checkpoint
from ultrarm_eval.checkpoints.tokenizer import load_tokenizer

TOLERANCE = 5e-5
PROMPTS = ["the question", "a word list", "</s>", "number one"]
COMPLETIONS = ["the answer", "sky blue green " * 9, "", "two </s> <s>"]


@pytest.fixture(scope="module")
def judge(checkpoint):
    return load_judge(str(checkpoint))


class TestLayouts:
    def test_safetensors_and_pickles_give_the_same_rewards(
        self, judge, reward_model, sentencepiece_model, tmp_path
    ):
        reward_model.save_pretrained(tmp_path)
        shutil.copy(sentencepiece_model, tmp_path / "tokenizer.model")
        assert (tmp_path / "model.safetensors").is_file()
        assert load_judge(str(tmp_path)).score(PROMPTS, COMPLETIONS) == judge.score(
            PROMPTS, COMPLETIONS
        )

    def test_a_single_pickle_works(self, judge, reward_model, checkpoint, tmp_path):
        torch.save(reward_model.state_dict(), tmp_path / "pytorch_model.bin")
        for name in ("config.json", "tokenizer.model"):
            shutil.copy(checkpoint / name, tmp_path)
        assert load_judge(str(tmp_path)).score(PROMPTS, COMPLETIONS) == judge.score(
            PROMPTS, COMPLETIONS
        )

    def test_a_tokenizer_json_alone_keeps_its_bos(self, judge, checkpoint, tmp_path):
        shutil.copytree(checkpoint, tmp_path, dirs_exist_ok=True)
        load_tokenizer(open_checkpoint(str(checkpoint))).tokenizer.save_pretrained(tmp_path / "t")
        shutil.copy(tmp_path / "t" / "tokenizer.json", tmp_path)
        (tmp_path / "tokenizer.model").unlink()
        for choice in ({}, {"template": "rewardbench"}):
            expected = load_judge(str(checkpoint), **choice).score(PROMPTS[:2], COMPLETIONS[:2])
            assert load_judge(str(tmp_path), **choice).score(
                PROMPTS[:2], COMPLETIONS[:2]
            ) == pytest.approx(expected, abs=TOLERANCE)

    def test_a_single_file_beside_an_old_index_is_what_is_loaded_and_fingerprinted(
        self, reward_model, checkpoint, sentencepiece_model, tmp_path
    ):
        reward_model.save_pretrained(tmp_path)
        shutil.copy(sentencepiece_model, tmp_path / "tokenizer.model")
        clean = load_judge(str(tmp_path), dtype="bfloat16")
        reward, fingerprint = clean.score(["q"], ["a"]), clean.fingerprint()
        index = json.loads((checkpoint / "pytorch_model.bin.index.json").read_text())
        index["weight_map"] = dict.fromkeys(index["weight_map"], "gone.safetensors")
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
        stale = load_judge(str(tmp_path), dtype="bfloat16")
        assert (stale.score(["q"], ["a"]), stale.fingerprint()) == (reward, fingerprint)

    def test_a_fast_tokenizer_alone_works(self, judge, checkpoint, tmp_path):
        shutil.copytree(checkpoint, tmp_path, dirs_exist_ok=True)
        tokenizer = load_tokenizer(open_checkpoint(str(checkpoint))).tokenizer
        tokenizer.save_pretrained(tmp_path)
        (tmp_path / "tokenizer.model").unlink(missing_ok=True)
        assert (tmp_path / "tokenizer.json").is_file()
        assert load_judge(str(tmp_path)).score(PROMPTS[:2], COMPLETIONS[:2]) == judge.score(
            PROMPTS[:2], COMPLETIONS[:2]
        )
