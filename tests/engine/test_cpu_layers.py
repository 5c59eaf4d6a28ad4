"""Layers on a CPU: other products, the same rewards, and the model left as it was."""

import copy

import numpy as np
import pytest
import torch

from tests.text_format.token_texts import as_tokens
from ultrarm_eval.engine import cpu_layers
from ultrarm_eval.engine.cpu_layers import CpuLayers, chosen_product
from ultrarm_eval.engine.decoder_runner import DecoderRunner
from ultrarm_eval.engine.torch_engine import BatchLimits, TorchEngine


def rewards(runner, texts):
    found = {}
    for batch in TorchEngine(lambda: runner, lambda: BatchLimits(200), "shared").compute(
        as_tokens(texts)
    ):
        found.update(zip(batch.texts, batch.values, strict=True))
    return [found[i] for i in range(len(texts))]


@pytest.fixture
def texts():
    draw = np.random.default_rng(6)
    prompt = draw.integers(3, 400, 30).tolist()
    return [tuple(prompt + draw.integers(3, 400, n).tolist()) for n in (5, 9, 40)]


@pytest.fixture
def of_onednn(monkeypatch):
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this torch has no oneDNN")
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX512")
    calls = []

    def counted(rows, weight):
        calls.append(weight)
        return onednn(rows, weight)

    onednn = cpu_layers._onednn
    monkeypatch.setattr(cpu_layers, "_onednn", counted)
    return calls


def test_onednns_products_give_the_loops_rewards(reward_model, texts, of_onednn):
    with torch.inference_mode():
        expected = [float(reward_model(torch.tensor([text]))) for text in texts]
    runner = DecoderRunner(reward_model)
    of_onednn.clear()
    assert rewards(runner, texts) == pytest.approx(expected, abs=5e-5)
    # Seven products a layer, and in the last one keys and values before the layer itself.
    assert len(of_onednn) == 7 * len(reward_model.model.layers) + 2


def test_the_layers_are_left_as_they_were(reward_model, texts):
    rewards(DecoderRunner(reward_model), texts)
    assert not [m for m in reward_model.modules() if "forward" in vars(m)]


def test_torchs_products_stay_where_they_are_faster(monkeypatch):
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX2")
    assert chosen_product(torch.randn(20, 10)) is None


def test_products_in_less_than_float32_are_refused(monkeypatch, caplog):
    def in_bfloat16(rows, weight):
        return (rows.bfloat16() @ weight.bfloat16().t()).float()

    monkeypatch.setattr(cpu_layers, "_onednn", in_bfloat16)
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX512")
    assert chosen_product(torch.randn(20, 10)) is None
    assert "does not compute float32 products in float32" in caplog.text


def test_a_torch_without_onednn_keeps_its_own(monkeypatch):
    def absent(*_):
        raise AttributeError("'_OpNamespace' 'mkldnn' object has no attribute")

    monkeypatch.setattr(cpu_layers, "_onednn", absent)
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX512")
    assert chosen_product(torch.randn(20, 10)) is None


def test_half_precision_is_left_alone(reward_model):
    half = copy.deepcopy(reward_model).to(torch.bfloat16)
    with CpuLayers(half):
        assert not [m for m in half.modules() if "forward" in vars(m)]


def test_another_activation_than_silu_is_computed(reward_model, texts):
    other = copy.deepcopy(reward_model)
    for layer in other.model.layers:
        layer.mlp.act_fn = torch.nn.GELU()
    with torch.inference_mode():
        expected = [float(other(torch.tensor([text]))) for text in texts]
    assert rewards(DecoderRunner(other), texts) == pytest.approx(expected, abs=5e-5)
