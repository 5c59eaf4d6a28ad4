"""What cannot be judged with, and what is said about it."""

import json
import shutil

import pytest
import torch

from ultrarm_eval import load_judge
from ultrarm_eval.errors import CheckpointError, ConfigurationError, DeviceError, ScoringError
from ultrarm_eval.judges.ultrarm import UltraRMJudge


class TestRefusals:
    @pytest.fixture
    def copy(self, checkpoint, tmp_path):
        shutil.copytree(checkpoint, tmp_path, dirs_exist_ok=True)
        return tmp_path

    def test_a_checkpoint_without_the_head(self, copy):
        path = copy / "pytorch_model.bin.index.json"
        index = json.loads(path.read_text())
        del index["weight_map"]["regression_head.weight"]
        path.write_text(json.dumps(index))
        with pytest.raises(CheckpointError, match=r"lack 'regression_head.weight'.*random"):
            UltraRMJudge(str(copy))

    def test_a_language_model_is_recognised_as_one(self, copy):
        path = copy / "pytorch_model.bin.index.json"
        index = json.loads(path.read_text())
        index["weight_map"]["lm_head.weight"] = index["weight_map"].pop("regression_head.weight")
        path.write_text(json.dumps(index))
        with pytest.raises(CheckpointError, match="those of a language model"):
            UltraRMJudge(str(copy))

    def test_a_shard_that_lacks_weights_its_index_promises(self, copy):
        path = copy / "pytorch_model-00002-of-00003.bin"
        state = torch.load(path, weights_only=True)
        lost = min(state)
        torch.save({k: v for k, v in state.items() if k != lost}, path)
        # transformers 4 stops by itself, transformers 5 only reports it.
        with pytest.raises(CheckpointError, match=f"weights are missing.*{lost}|lacks weights"):
            load_judge(str(copy))

    def test_a_missing_shard_is_named_before_anything_is_loaded(self, copy):
        (copy / "pytorch_model-00002-of-00003.bin").unlink()
        with pytest.raises(CheckpointError, match="names pytorch_model-00002-of-00003.bin"):
            UltraRMJudge(str(copy))

    def test_weights_that_the_model_would_not_use(self, copy):
        path = copy / "pytorch_model-00001-of-00003.bin"
        state = torch.load(path, weights_only=True)
        old = "model.layers.0.self_attn.rotary_emb.inv_freq"
        torch.save({**state, old: torch.ones(4)}, path)
        load_judge(str(copy))
        bias = "model.layers.0.self_attn.q_proj.bias"
        torch.save({**state, bias: torch.ones(32)}, path)
        path = copy / "pytorch_model.bin.index.json"
        index = json.loads(path.read_text())
        index["weight_map"][bias] = "pytorch_model-00001-of-00003.bin"
        path.write_text(json.dumps(index))
        with pytest.raises(CheckpointError, match=f"does not use.*{bias}"):
            load_judge(str(copy))

    def test_a_shard_that_is_cut_off(self, copy):
        path = copy / "pytorch_model-00002-of-00003.bin"
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(CheckpointError, match="a file is damaged"):
            load_judge(str(copy))

    def test_a_pickle_with_code_in_it_is_not_executed(self, copy):
        class Payload:
            def __reduce__(self):
                return (copy.joinpath("executed").touch, ())

        (copy / "pytorch_model.bin.index.json").unlink()
        torch.save({"regression_head.weight": Payload()}, copy / "pytorch_model.bin")
        with pytest.raises(CheckpointError, match="never executed"):
            UltraRMJudge(str(copy))
        assert not (copy / "executed").exists()

    def test_another_architecture(self, copy):
        config = json.loads((copy / "config.json").read_text())
        (copy / "config.json").write_text(json.dumps({**config, "model_type": "mistral"}))
        with pytest.raises(CheckpointError, match="describes a 'mistral' model"):
            UltraRMJudge(str(copy))

    def test_weights_that_do_not_fit_into_memory(self, copy):
        path = copy / "pytorch_model.bin.index.json"
        index = json.loads(path.read_text())
        index["metadata"]["total_size"] = 4 * 2**50
        path.write_text(json.dumps(index))
        with pytest.raises(DeviceError, match=r"need 2097152\.0 GiB, but cpu has only .* GiB free"):
            UltraRMJudge(str(copy), dtype="bfloat16")

    def test_a_folder_without_tokenizer(self, copy):
        (copy / "tokenizer.model").unlink()
        with pytest.raises(CheckpointError, match="there are no tokenizer files"):
            UltraRMJudge(str(copy))

    def test_a_folder_that_does_not_exist(self):
        with pytest.raises(CheckpointError, match="there is no such folder"):
            UltraRMJudge("./no/such/folder")

    def test_a_hub_id_that_cannot_be_reached_names_the_ways_out(self):
        with pytest.raises(CheckpointError) as error:
            UltraRMJudge("nobody/nothing-here")
        assert "--model_args pretrained=demo" in str(error.value)
        assert """--metadata '{"data": "demo"}'""" in str(error.value)

    def test_more_length_than_the_model_has_positions(self, checkpoint):
        with pytest.raises(
            ConfigurationError, match="has 256 positions. Use an integer from 1 to 256"
        ):
            UltraRMJudge(str(checkpoint), max_length=257)

    def test_the_default_length_is_the_models_where_that_is_less(self, checkpoint):
        assert UltraRMJudge(str(checkpoint)).max_length == 256

    @pytest.mark.parametrize(
        ("setting", "value", "message"),
        [
            ("dtype", "float8", "Choose one of: auto, bfloat16, float16, float32"),
            ("template", "ultra", "Choose one of: .*ultrarm"),
            ("special_tokens", "no", "Choose one of: parse, text"),
            ("batch_size", 0, "integer of at least 1"),
            ("batch_size", "many", "integer of at least 1"),
            ("max_length", -5, "integer from 1 to 256"),
            ("max_batch_tokens", 1.5, "integer of at least 1"),
            ("parallelize", "yes", "True or False"),
        ],
    )
    def test_values_that_are_not_allowed(self, checkpoint, setting, value, message):
        with pytest.raises(ConfigurationError, match=message):
            UltraRMJudge(str(checkpoint), **{setting: value})

    @pytest.mark.parametrize("broken", [float("nan"), float("inf")])
    def test_a_reward_that_is_no_number_names_the_text(self, copy, broken):
        path = copy / "pytorch_model-00003-of-00003.bin"
        for shard in copy.glob("*.bin"):
            state = torch.load(shard, weights_only=True)
            # A head that is no number is refused when it is opened; a body is read when it runs.
            if "model.norm.weight" in state:
                state["model.norm.weight"][:] = broken
                torch.save(state, shard)
        assert path.is_file()
        with pytest.raises(
            ScoringError, match=r"reward of completion 0 is (nan|inf|-inf); it starts 'the sky'"
        ):
            load_judge(str(copy)).score(["q", "q"], ["the sky", "the sky"])
