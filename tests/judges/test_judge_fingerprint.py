"""What makes two judges the same."""

import shutil

import pytest
import torch

from ultrarm_eval.judges.ultrarm import UltraRMJudge


class TestFingerprint:
    def test_it_is_the_same_for_the_same_judge(self, checkpoint):
        assert (
            UltraRMJudge(str(checkpoint)).fingerprint()
            == UltraRMJudge(str(checkpoint), batch_size=7).fingerprint()
        )

    @pytest.mark.parametrize(
        "changed",
        [
            {"template": "raw"},
            {"template": "ultrarm-one-newline"},
            {"dtype": "bfloat16"},
            {"special_tokens": "parse"},
            {"max_length": 100},
        ],
    )
    def test_each_setting_that_changes_rewards_changes_it(self, checkpoint, changed):
        plain = UltraRMJudge(str(checkpoint)).fingerprint()
        assert UltraRMJudge(str(checkpoint), **changed).fingerprint() != plain

    def test_a_templates_source_counts_and_its_path_does_not(self, checkpoint, tmp_path):
        sources = {"a": "{{ completion }}", "b": "{{ completion }}", "c": "{{ completion }} "}
        prints = {}
        for name, source in sources.items():
            (tmp_path / f"{name}.jinja").write_text(source)
            judge = UltraRMJudge(str(checkpoint), template=str(tmp_path / f"{name}.jinja"))
            prints[name] = judge.fingerprint()
        assert prints["a"] == prints["b"] != prints["c"]

    def test_the_tokenizers_configuration_changes_it(self, checkpoint, tmp_path):
        shutil.copytree(checkpoint, tmp_path, dirs_exist_ok=True)
        (tmp_path / "tokenizer_config.json").write_text('{"add_bos_token": false}')
        assert (
            UltraRMJudge(str(tmp_path)).fingerprint() != UltraRMJudge(str(checkpoint)).fingerprint()
        )

    def test_a_folder_called_as_the_hubs_snapshots_are_is_no_commit(self, checkpoint, tmp_path):
        folders = [tmp_path / name / "snapshots" / "1000" for name in ("a", "b")]
        for folder in folders:
            shutil.copytree(checkpoint, folder)
        shard = folders[1] / "pytorch_model-00001-of-00003.bin"
        state = torch.load(shard, weights_only=True)
        next(iter(state.values())).view(-1)[0] += 1
        torch.save(state, shard)
        first, second = (UltraRMJudge(str(folder)) for folder in folders)
        assert first.fingerprint() != second.fingerprint()
        assert first.settings()["revision"] is None

    def test_one_weight_changes_it(self, checkpoint, tmp_path):
        shutil.copytree(checkpoint, tmp_path, dirs_exist_ok=True)
        shard = tmp_path / "pytorch_model-00001-of-00003.bin"
        state = torch.load(shard, weights_only=True)
        next(iter(state.values())).view(-1)[0] += 1
        torch.save(state, shard)
        assert (
            UltraRMJudge(str(tmp_path)).fingerprint() != UltraRMJudge(str(checkpoint)).fingerprint()
        )
