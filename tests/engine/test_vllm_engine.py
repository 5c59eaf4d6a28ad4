"""What engine=vllm refuses before vLLM is imported, and what it says of memory."""

import importlib.util
import json
import logging

import pytest
import torch

from ultrarm_eval.checkpoints.checkpoint import open_checkpoint
from ultrarm_eval.checkpoints.sequence_classification import SequenceClassification
from ultrarm_eval.engine.served_model import ServedModel
from ultrarm_eval.engine.vllm_arguments import engine_arguments, require_possible
from ultrarm_eval.engine.vllm_installation import require_plugin
from ultrarm_eval.engine.vllm_memory import (
    GpuMemory,
    require_share,
    said_beside,
    said_of_share,
)
from ultrarm_eval.engine.vllm_models import VllmModel, vllm_model
from ultrarm_eval.errors import ConfigurationError, DeviceError
from ultrarm_eval.judges.loading import make_judge
from ultrarm_eval.settings import CheckpointSettings

GIB = 1024**3


def served(checkpoint, judge="ultrarm", dtype="bfloat16"):
    return ServedModel(judge, checkpoint, dtype, 128, None, lambda text: text, lambda *_: [])


@pytest.fixture
def ultrarm(checkpoint):
    return served(open_checkpoint(str(checkpoint)))


@pytest.fixture
def classifier(write_classifier):
    return served(open_checkpoint(str(write_classifier()), None, SequenceClassification()))


@pytest.fixture
def write_classifier(tmp_path):
    """Writes a tiny Llama classifier with further fields of config.json."""

    def write(**fields):
        import transformers

        sizes = {"vocab_size": 400, "hidden_size": 32, "intermediate_size": 64}
        config = transformers.LlamaConfig(
            **sizes, num_hidden_layers=2, num_attention_heads=4, num_labels=1, pad_token_id=0
        )
        transformers.LlamaForSequenceClassification(config).save_pretrained(tmp_path)
        path = tmp_path / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
        return tmp_path

    return write


def test_without_vllm_the_command_that_installs_it_is_named(checkpoint, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "vllm" else found(name, *a)
    )
    with pytest.raises(ConfigurationError, match=r'pip install "ultrarm-eval\[vllm\]"'):
        make_judge("ultrarm", {"pretrained": str(checkpoint), "engine": "vllm"})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"data_parallel_size": 2},
            r"vllm serve .* --data-parallel-size 2.*engine=server,base_url",
        ),
        ({"batch_size": 8}, "batch_size=8 is a setting of engine=torch.*max_num_seqs=8"),
        ({"batch_size": "16", "max_batch_size": "32"}, "^batch_size=16 .*max_num_seqs=16"),
        ({"batch_size": 1, "max_batch_size": 4}, "^max_batch_size=4 .*max_num_seqs=4"),
        ({"max_batch_tokens": 64}, "max_batch_tokens=64 .*max_num_batched_tokens=64"),
        ({"tensor_parallel_size": 3}, "tensor_parallel_size=3: .* has 4 attention heads"),
        ({"pipeline_parallel_size": 3}, "pipeline_parallel_size=3: .* has 2 layers"),
    ],
)
def test_settings_that_vllm_in_one_process_does_not_take_are_refused(ultrarm, given, message):
    with pytest.raises(ConfigurationError, match=message):
        require_possible(CheckpointSettings(engine="vllm", **given), ultrarm)


@pytest.mark.parametrize("given", [{}, {"batch_size": 1}, {"batch_size": "auto"}])
def test_a_batch_size_that_lm_eval_passes_of_itself_is_none(ultrarm, given):
    require_possible(CheckpointSettings(engine="vllm", data_parallel_size=1, **given), ultrarm)


def test_more_gpus_than_there_are_are_refused(ultrarm, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    both = CheckpointSettings(engine="vllm", tensor_parallel_size=2, pipeline_parallel_size=2)
    with pytest.raises(DeviceError, match="need 4 GPUs, but there are 2 here.*engine=server"):
        require_possible(both, ultrarm)
    require_possible(CheckpointSettings(engine="vllm", tensor_parallel_size=2), ultrarm)


def test_several_processes_do_not_each_start_vllm(ultrarm, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigurationError, match="without accelerate launch"):
        require_possible(CheckpointSettings(engine="vllm"), ultrarm)


def test_what_rewards_depend_on_is_named_and_not_left_to_vllm(ultrarm):
    given = CheckpointSettings(
        engine="vllm", tensor_parallel_size=2, gpu_memory_utilization=0.5, max_num_seqs=7
    )
    assert engine_arguments(ultrarm, given, VllmModel({"num_labels": 1})) == {
        "model": ultrarm.checkpoint.name,
        "revision": None,
        "config_format": "hf",
        "trust_remote_code": False,
        "runner": "pooling",
        "dtype": "bfloat16",
        "max_model_len": 128,
        "hf_overrides": {"num_labels": 1},
        "enforce_eager": False,
        "tensor_parallel_size": 2,
        "gpu_memory_utilization": 0.5,
        "max_num_seqs": 7,
    }


def test_a_classifier_is_read_by_vllms_own_class(classifier):
    found = vllm_model(classifier)
    assert found.overrides == {
        "architectures": ["LlamaForSequenceClassification"],
        "num_labels": 1,
    }
    assert found.convert == "classify"


def test_a_head_that_vllm_makes_of_a_language_head_is_refused(write_classifier):
    checkpoint = open_checkpoint(
        str(write_classifier(method="no_post_processing")), None, SequenceClassification()
    )
    with pytest.raises(ConfigurationError, match=r"'method'.*engine=torch.*ultrarm-eval convert"):
        vllm_model(served(checkpoint, "sequence-classification"))


def test_stored_quantised_weights_are_refused(write_classifier):
    quantised = {"quant_method": "fp8", "modules_to_not_convert": ["score"]}
    folder = str(write_classifier(quantization_config=quantised))
    checkpoint = open_checkpoint(folder, None, SequenceClassification())
    with pytest.raises(ConfigurationError, match="stored quantized.*ultrarm-eval convert"):
        vllm_model(served(checkpoint, "sequence-classification"))


def test_a_family_that_was_not_compared_is_said(write_classifier, caplog):
    checkpoint = open_checkpoint(str(write_classifier()), None, SequenceClassification())
    checkpoint.config.model_type = "mistral"
    with caplog.at_level(logging.WARNING):
        found = vllm_model(served(checkpoint))
    assert found.overrides["architectures"] == ["MistralForSequenceClassification"]
    assert "vLLM's rewards of mistral models were not compared" in caplog.text
    assert "ultrarm-eval verify --pretrained" in caplog.text


def test_a_plugin_that_vllm_does_not_load_is_refused(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: [])
    with pytest.raises(ConfigurationError, match="Reinstall ultrarm-eval"):
        require_plugin()


def test_a_plugin_that_the_user_left_out_is_refused(monkeypatch):
    ours = importlib.metadata.EntryPoint(
        "ultrarm_eval", "ultrarm_eval.vllm_plugin:register", "vllm.general_plugins"
    )
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: [ours])
    require_plugin()
    monkeypatch.setenv("VLLM_PLUGINS", "another")
    with pytest.raises(ConfigurationError, match="VLLM_PLUGINS=another.*Add ultrarm_eval"):
        require_plugin()


def test_the_memory_that_vllm_takes_is_said():
    memory = [GpuMemory(0, 80 * GIB, 79 * GIB), GpuMemory(1, 80 * GIB, 80 * GIB)]
    assert said_of_share(0.92, memory) == (
        "vLLM reserves gpu_memory_utilization=0.92 of each GPU: cuda:0 73.6 of 80.0 GiB "
        "(79.0 free), cuda:1 73.6 of 80.0 GiB (80.0 free)."
    )


def test_beside_an_evaluated_model_the_share_to_set_is_said():
    memory = [GpuMemory(0, 80 * GIB, 60 * GIB, 20 * GIB)]
    said = said_beside(memory, None)
    assert "A model of this process uses 20.0 GiB of cuda:0" in said
    # 60 of 80 are free, and three hundredths are left.
    assert "Set gpu_memory_utilization=0.72:" in said
    assert "engine=server" in said


def test_a_share_that_is_not_free_is_refused_with_the_one_that_is():
    memory = [GpuMemory(0, 80 * GIB, 60 * GIB)]
    require_share(0.7, memory, 26 * GIB)
    with pytest.raises(DeviceError, match=r"73\.6 GiB of cuda:0.*Set gpu_memory_utilization=0\.72"):
        require_share(0.92, memory, 26 * GIB)


def test_weights_that_do_not_fit_are_refused():
    memory = [GpuMemory(0, 80 * GIB, 20 * GIB)]
    with pytest.raises(DeviceError, match=r"need 26\.0 GiB.*20\.0 GiB are free.*tensor_parallel"):
        require_share(0.2, memory, 26 * GIB)
    with pytest.raises(DeviceError, match=r"need 26\.0 GiB.*0\.2 is only 16\.0 GiB.*up to 0\.72"):
        require_share(0.2, [GpuMemory(0, 80 * GIB, 60 * GIB)], 26 * GIB)
