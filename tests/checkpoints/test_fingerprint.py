"""What makes two judges the same."""

import shutil

import pytest
import torch

from ultrarm_eval.judges.base import statement
from ultrarm_eval.judges.ultrarm import UltraRMJudge
from ultrarm_eval.runs.identity import model_settings, task_settings
from ultrarm_eval.runs.run import Run


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

    def test_the_eos_that_parity_adds_counts(self, checkpoint):
        # The same template, special tokens and length; the texts differ by EOS alone.
        named = {"template": "mistral", "max_length": 256}
        plain = UltraRMJudge(str(checkpoint), special_tokens="parse", **named)
        closed = UltraRMJudge(str(checkpoint), parity="rewardbench", template="mistral")
        assert plain.settings()["max_length"] == closed.settings()["max_length"]
        assert closed.settings()["appends_eos"]
        assert not plain.settings()["appends_eos"]
        assert plain.fingerprint() != closed.fingerprint()

    def test_an_eos_of_the_templates_own_is_in_its_name(self, checkpoint):
        alike = UltraRMJudge(str(checkpoint), special_tokens="parse", template="rewardbench")
        parity = UltraRMJudge(str(checkpoint), parity="rewardbench")
        assert parity.settings()["template"] == "rewardbench"
        assert parity.fingerprint() == alike.fingerprint()


class TestWhatAJudgeSaysOfItself:
    def test_what_identifies_and_what_describes_are_all_that_it_reports(self, checkpoint):
        judge = UltraRMJudge(str(checkpoint), system="fold", batch_size=4)
        identifies, describes = judge.identifies(), judge.describes()
        assert identifies == {
            "template": "ultrarm",
            "dtype": "float32",
            "special_tokens": "text",
            "system": "fold",
            "max_length": judge.max_length,
            "truncation": "left",
            "appends_eos": False,
        }
        assert {"pretrained", "device", "batching", "weights_digest"} <= describes.keys()
        told = {**identifies, **describes}
        reported = {n: v for n, v in judge.settings().items() if v is not None}
        assert set(reported) - set(told) == {"counts", "scoring_seconds"}
        assert not identifies.keys() & describes.keys()

    def test_the_usual_engine_is_the_same_judge_named_or_not(self, checkpoint):
        unnamed, named = (
            UltraRMJudge(str(checkpoint), **given) for given in ({}, {"engine": "torch"})
        )
        assert named.fingerprint() == unnamed.fingerprint()
        assert named.identifies() == unnamed.identifies()
        assert named.describes()["engine"] == unnamed.describes()["engine"] == "torch"
        said = [
            model_settings(
                Run(
                    "r",
                    "",
                    {
                        "config": {
                            "judge": "ultrarm",
                            "judge_settings": judge.settings(),
                            "fingerprint": judge.fingerprint(),
                            "model_args": {"pretrained": str(checkpoint), **given},
                            **statement(judge),
                        }
                    },
                )
            )
            for judge, given in ((unnamed, {}), (named, {"engine": "torch"}))
        ]
        assert said[0] == said[1]

    def test_results_of_the_version_before_are_of_the_same_judge(self, checkpoint):
        judge = UltraRMJudge(str(checkpoint), special_tokens="parse", batch_size=4)
        given = {"pretrained": str(checkpoint), "special_tokens": "parse", "batch_size": 4}
        before = {
            "judge": "ultrarm",
            "judge_settings": judge.settings(),
            "judge_parameters": [],
            "fingerprint": judge.fingerprint(),
            "model_args": given,
        }
        now = {**before, **statement(judge)}
        old, new = (Run("r", "", {"config": config}) for config in (before, now))
        assert model_settings(old) == model_settings(new)
        assert "judge_identifies" in now
        used = {"name": "ultrarm", **judge.settings(), "fingerprint": judge.fingerprint()}
        old, new = (
            Run("r", "", {"configs": {"t": {"metadata": {"judge_used": one}}}})
            for one in (used, {**used, **statement(judge)})
        )
        assert task_settings(old, "t") == task_settings(new, "t")
