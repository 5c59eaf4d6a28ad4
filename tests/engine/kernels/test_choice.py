"""The choice of a kernel: one that is missing, broken or wrong is never used."""

import logging
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from tests.engine.kernels.test_kernels import variable_length
from ultrarm_eval.engine.batching import resolve_batching
from ultrarm_eval.engine.kernels import choice
from ultrarm_eval.engine.kernels.cascade import CascadeAttention
from ultrarm_eval.engine.kernels.choice import (
    ROW_KERNELS,
    Place,
    checked_attention,
    choose_kernel,
    largest_difference,
    why_not,
)
from ultrarm_eval.engine.kernels.varlen import VarlenAttention, flash_attn_kernel
from ultrarm_eval.errors import ConfigurationError, DeviceError
from ultrarm_eval.judges.ultrarm import UltraRMJudge

pytestmark = pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")


@pytest.fixture
def place(reward_model):
    return Place(reward_model.config, torch.device("cpu"), torch.float32)


def upper_left():
    return partial(VarlenAttention, kernel=partial(variable_length, lower_right=False))


def missing():
    raise ImportError("No module named 'flash_attn'")


def broken():
    def kernel(*_):
        raise RuntimeError("FlashAttention only supports Ampere GPUs or newer.\nmore")

    return partial(VarlenAttention, kernel=kernel)


def giving_nan():
    def kernel(query, *_):
        return query * torch.nan

    return partial(VarlenAttention, kernel=kernel)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (upper_left, "on a small test tree"),
        (missing, "it is not installed (ImportError: No module named 'flash_attn')"),
        (broken, "RuntimeError: FlashAttention only supports Ampere GPUs or newer."),
        (giving_nan, "on a small test tree is inf"),
    ],
)
def test_a_kernel_that_is_missing_broken_or_wrong_is_passed_over(
    place, monkeypatch, caplog, make, reason
):
    monkeypatch.setitem(ROW_KERNELS, "flash_attention_2", make)
    monkeypatch.setattr(choice, "_candidates", lambda *_: ("flash_attention_2",))
    caplog.set_level(logging.INFO)
    name, kernel = choose_kernel("auto", place)
    assert (name, kernel) == ("sdpa", CascadeAttention)
    assert reason in caplog.text
    with pytest.raises(DeviceError, match="attn_implementation=flash_attention_2 cannot be used"):
        checked_attention("flash_attention_2", place)


def test_a_kernel_that_is_right_is_taken(place, monkeypatch):
    right = partial(VarlenAttention, kernel=variable_length)
    monkeypatch.setitem(ROW_KERNELS, "torch_varlen", lambda: right)
    assert checked_attention("torch_varlen", place) == "torch_varlen"
    assert choose_kernel("torch_varlen", place) == ("torch_varlen", right)
    assert largest_difference(right, place) < 1e-5


def test_half_precision_is_compared_with_float32(reward_model, monkeypatch):
    half = Place(reward_model.config, torch.device("cpu"), torch.bfloat16)
    assert why_not("sdpa", half) is None
    monkeypatch.setitem(ROW_KERNELS, "torch_varlen", upper_left)
    assert "on a small test tree" in why_not("torch_varlen", half)


def test_flash_attn_is_an_import_error_where_it_is_not_installed():
    pytest.importorskip("torch")
    try:
        import flash_attn  # noqa: F401
    except ImportError:
        with pytest.raises(ImportError):
            flash_attn_kernel()


def test_the_gpus_candidates_come_fastest_first():
    cuda, cpu = torch.device("cuda"), torch.device("cpu")
    assert choice._candidates(cuda, torch.bfloat16) == (
        "flash_attention_2",
        "torch_varlen",
        "flex_attention",
    )
    assert choice._candidates(cuda, torch.float32) == ()
    assert choice._candidates(cpu, torch.bfloat16) == ()


def test_an_unknown_attention_is_refused(place):
    with pytest.raises(ConfigurationError, match="attn_implementation"):
        checked_attention("flash", place)


def test_an_attention_that_cannot_work_is_refused_before_the_weights(checkpoint):
    with pytest.raises(DeviceError, match="torch_varlen cannot be used on cpu in float32"):
        UltraRMJudge(str(checkpoint), device="cpu", attn_implementation="torch_varlen")


def test_the_attention_that_was_used_is_recorded(checkpoint):
    judge = UltraRMJudge(str(checkpoint), device="cpu")
    assert judge.settings()["attn_implementation"] == "auto"
    judge.score(["q"], ["a"])
    assert judge.settings()["attn_implementation"] == "sdpa"
    padded = UltraRMJudge(str(checkpoint), device="cpu", batching="padded")
    padded.score(["q"], ["a"])
    assert padded.settings()["attn_implementation"] == "sdpa"
    eager = UltraRMJudge(str(checkpoint), device="cpu", attn_implementation="eager")
    assert eager.score(["q"], ["a"]) == pytest.approx(judge.score(["q"], ["a"]), abs=5e-5)
    assert eager.settings()["attn_implementation"] == "eager"


@pytest.mark.parametrize(
    ("batching", "attention", "allowed"),
    [
        ("padded", "torch_varlen", "sdpa, eager, flash_attention_2, flex_attention"),
        ("shared", "eager", "flash_attention_2, torch_varlen, flex_attention, sdpa"),
        ("packed", "eager", "flash_attention_2, torch_varlen, flex_attention, sdpa"),
    ],
)
def test_an_attention_that_does_not_serve_the_batching_is_refused(batching, attention, allowed):
    with pytest.raises(ConfigurationError, match=f"does not support batching={batching}") as caught:
        resolve_batching(batching, None, attention)
    assert allowed in str(caught.value)


def test_a_model_that_falls_back_to_padding_needs_an_attention_that_pads():
    config = SimpleNamespace(rope_scaling={"rope_type": "dynamic"})
    with pytest.raises(ConfigurationError, match="does not support batching=padded"):
        resolve_batching("auto", config, "torch_varlen")


def test_eager_attention_pads_and_says_so(caplog):
    assert resolve_batching("auto", None, "eager") == ("padded", True)
    assert "does not support rows without padding" in caplog.text
