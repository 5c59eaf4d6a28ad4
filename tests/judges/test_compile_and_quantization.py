"""torch.compile and eight-bit weights: off by default, refused where they do not work."""

import shutil
from types import SimpleNamespace

import pytest
import torch

from ultrarm_eval.checkpoints import quantization
from ultrarm_eval.checkpoints.quantization import checked_quantization, require_quantized
from ultrarm_eval.cli.main import main
from ultrarm_eval.engine.decoder_runner import compile_layers
from ultrarm_eval.errors import ConfigurationError, DeviceError, UltrarmEvalError
from ultrarm_eval.judges.ultrarm import UltraRMJudge

PROMPTS = ["the sky is", "the sky is", "a horse"]
ANSWERS = ["blue", "green and blue", "of the sea"]
CPU = torch.device("cpu")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
# torch's own notes on how it compiles for a CPU.
@pytest.mark.filterwarnings("ignore::UserWarning:torch")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
def test_compiled_layers_give_the_same_rewards(checkpoint):
    plain = UltraRMJudge(str(checkpoint), device="cpu").score(PROMPTS, ANSWERS)
    judge = UltraRMJudge(str(checkpoint), device="cpu", torch_compile=True)
    assert judge.score(PROMPTS, ANSWERS) == pytest.approx(plain, abs=5e-5)
    assert judge.settings()["torch_compile"] is True


def test_a_compiler_that_fails_is_named(reward_model, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("Failed to find C compiler.")

    class Part:
        weight = torch.zeros(1)

        def compile(self, **_):
            return None

        __call__ = broken

    layer = SimpleNamespace(input_layernorm=Part(), post_attention_layernorm=Part(), mlp=Part())
    model = SimpleNamespace(
        model=SimpleNamespace(layers=[layer]),
        config=SimpleNamespace(hidden_size=4),
        dtype=torch.float32,
        device=CPU,
    )
    with pytest.raises(DeviceError, match="torch_compile=True does not work here .*C compiler"):
        compile_layers(model)


def test_compiling_a_spread_model_is_refused(checkpoint):
    with pytest.raises(ConfigurationError, match="torch_compile and parallelize"):
        UltraRMJudge(str(checkpoint), torch_compile=True, parallelize=True)


@pytest.mark.parametrize("value", ["int4", 8, True, ""])
def test_an_unknown_quantisation_is_refused(checkpoint, value):
    with pytest.raises(ConfigurationError, match="quantization"):
        UltraRMJudge(str(checkpoint), quantization=value)


def test_float8_needs_a_gpu():
    with pytest.raises(DeviceError, match="fp8 needs a GPU"):
        checked_quantization("fp8", CPU, torch.bfloat16)


@pytest.mark.parametrize(
    ("capability", "dtype", "message"),
    [
        ((8, 0), torch.bfloat16, "capability 8.9"),
        ((9, 0), torch.float32, "Add dtype=bfloat16"),
        ((9, 0), torch.bfloat16, None),
    ],
)
def test_float8_needs_a_card_and_a_dtype_that_know_it(monkeypatch, capability, dtype, message):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(quantization, "quantization_config", lambda _: None)
    if message is None:
        assert checked_quantization("fp8", torch.device("cuda:0"), dtype) == "fp8"
        return
    with pytest.raises(UltrarmEvalError, match=message):
        checked_quantization("fp8", torch.device("cuda:0"), dtype)


@pytest.mark.parametrize(
    ("auto", "family", "heads"),
    [
        ("AutoModelForCausalLM", "llama", ["lm_head"]),
        # Renamed by transformers 5.
        ("AutoModelForCausalLM", "gpt_neox", ["embed_out", "lm_head"]),
        ("AutoModelForSequenceClassification", "gpt2", ["score"]),
        ("AutoModelForSequenceClassification", "roberta", ["classifier"]),
    ],
)
def test_what_stands_behind_the_body_keeps_its_weights(auto, family, heads):
    import transformers

    from ultrarm_eval.checkpoints.network_parts import layers_behind_body

    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.AutoConfig.for_model(family, **small)
    with torch.device("meta"):
        model = getattr(transformers, auto).from_config(config)
    (found,) = layers_behind_body(model)
    assert found in heads


def test_weights_that_were_not_quantised_are_found_out(reward_model):
    with pytest.raises(DeviceError, match="no weight has eight bits"):
        require_quantized(reward_model, "fp8")


def test_products_that_do_not_work_are_found_out():
    model = torch.nn.Sequential(torch.nn.Linear(4, 4))
    model[0].weight = torch.nn.Parameter(torch.zeros(4, 4, dtype=torch.int8), requires_grad=False)
    with pytest.raises(DeviceError, match="quantization=int8 does not work here"):
        require_quantized(model, "int8")


def test_a_quantiser_that_is_not_installed_is_named(monkeypatch):
    def absent(**_):
        raise ImportError("No package metadata was found for bitsandbytes")

    monkeypatch.setattr("transformers.BitsAndBytesConfig", absent)
    with pytest.raises(ConfigurationError, match="needs the package bitsandbytes"):
        quantization.quantization_config("int8")


def test_rewards_of_quantised_weights_are_another_judges(checkpoint, monkeypatch):
    monkeypatch.setattr(quantization, "quantization_config", lambda _: None)
    plain = UltraRMJudge(str(checkpoint), device="cpu")
    eight = UltraRMJudge(str(checkpoint), device="cpu", quantization="int8")
    assert plain.fingerprint() != eight.fingerprint()
    assert eight.settings()["quantization"] == "int8"
    needed = [judge.network._computing.bytes_of(judge.checkpoint) for judge in (plain, eight)]
    saved = needed[0] - needed[1]
    assert saved == 3 * plain.layer_parameters()


# bitsandbytes says once a layer that it computes in float16.
@pytest.mark.filterwarnings("ignore:MatMul8bitLt")
def test_int8_weights_are_near_the_full_ones(checkpoint, capsys):
    pytest.importorskip("bitsandbytes", reason="int8 weights need bitsandbytes")
    plain = UltraRMJudge(str(checkpoint), device="cpu").score(PROMPTS, ANSWERS)
    eight = UltraRMJudge(str(checkpoint), device="cpu", quantization="int8")
    rewards = eight.score(PROMPTS, ANSWERS)
    assert rewards != pytest.approx(plain, abs=1e-4)
    assert rewards == pytest.approx(plain, abs=0.05 * max(map(abs, plain)))
    assert eight.load().regression_head.weight.dtype == torch.float32
    arguments = ["verify", "--pretrained", "demo", "--device", "cpu", "--quantization", "int8"]
    assert main([*arguments, "--n", "4"]) == 0
    assert "with int8 weights" in capsys.readouterr().out
