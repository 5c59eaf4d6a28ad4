"""What is off by default: compiled layers, and weights in eight bits."""

from __future__ import annotations

import importlib.util
from typing import Any

import torch
from optional_speed import PLAIN, compare_settings

from gpu_check.random_models import attentive_model, layers_of
from gpu_check.step_run import StepRun

HALF = "bfloat16"
COMPILED = {"cuda": "bfloat16, torch_compile", "cpu": "float32, torch_compile"}
EIGHT_BITS = {"fp8": "bfloat16, fp8", "int8": "float16, int8"}
_LAYERS = 2
_PROMPTS, _PROMPTS_OF_DRY_RUN = 24, 1
_ROUNDS, _ROUNDS_OF_DRY_RUN = 5, 1
# Compiled layers round as the others do; eight bits are off by some hundredths of the spread.
_TIMES_AS_FAR, _OF_SPREAD = 3.0, 0.01
_EIGHT_BITS_OF_SPREAD = 0.5
# Of bfloat16's memory: half for what is quantised, and the embedding and the scales beside it.
_MEMORY = 0.75
_SEED = 2


def check_compiled(run: StepRun) -> None:
    """Compiled norms and MLPs against the same without; on a CPU both in float32."""
    compiled = COMPILED[run.device.type]
    plain = HALF if run.is_on_card else PLAIN
    measured = _measured(run, list(dict.fromkeys((PLAIN, plain, compiled))))
    found, before = measured["settings"][compiled], measured["settings"][plain]
    speed = before["median_s"] / found["median_s"]
    allowed = max(_TIMES_AS_FAR * before["drift"], _OF_SPREAD * measured["spread_of_rewards"])
    run.note(**measured, times_as_fast_as_uncompiled=speed, allowed_drift=allowed)
    run.require(
        found["drift"] <= allowed, f"drift of {found['drift']:.2g}, {allowed:.2g} is allowed"
    )
    run.summarise(
        f"{speed:.2f} x the speed without it; drift {found['drift']:.2g}, without it "
        f"{before['drift']:.2g}"
    )


def check_eight_bits(run: StepRun) -> None:
    """Each quantisation against bfloat16; it passes if one can be used and does what it should."""
    found: dict[str, Any] = {}
    why_not = {name: _why_not(name, run) for name in EIGHT_BITS}
    for name in (name for name, why in why_not.items() if why is None):
        setting = EIGHT_BITS[name]
        try:
            measured = _measured(run, [PLAIN, HALF, setting])
        except Exception as error:
            why_not[name] = f"{type(error).__name__}: {error}"
            if not _lacks_a_package(error):
                run.require(False, f"{name}: {why_not[name]}")
            run.note(why_not=why_not)
            continue
        found[name] = {
            **measured["settings"][setting],
            "times_as_fast_as_bfloat16": measured["settings"][HALF]["median_s"]
            / measured["settings"][setting]["median_s"],
            "bfloat16": measured["settings"][HALF],
            "spread_of_rewards": measured["spread_of_rewards"],
        }
        run.note(quantizations=found)
        _judge(run, name, found[name])
    run.note(why_not=why_not)
    if not found:
        run.leave_out("; ".join(f"{name}: {why}" for name, why in why_not.items()))
    left_out = [f"{name} not run: {why}" for name, why in why_not.items() if why is not None]
    run.summarise(
        "; ".join(
            [
                f"{name}: {one['times_as_fast_as_bfloat16']:.2f} x bfloat16's speed, drift "
                f"{one['drift'] / one['spread_of_rewards']:.2g} of the spread"
                for name, one in found.items()
            ]
            + left_out
        )
    )


def _judge(run: StepRun, name: str, one: dict[str, Any]) -> None:
    drift = one["drift"] / one["spread_of_rewards"]
    run.require(
        drift <= _EIGHT_BITS_OF_SPREAD,
        f"{name}: a drift of {drift:.2g} of the spread, {_EIGHT_BITS_OF_SPREAD} is allowed",
    )
    run.require(one["drift"] > 0, f"{name}: rewards are those of float32; nothing has eight bits")
    if one["weights_gb"] is not None:
        part = one["weights_gb"] / one["bfloat16"]["weights_gb"]
        run.require(part <= _MEMORY, f"{name}: weights take {part:.2f} of bfloat16's memory")


def _why_not(name: str, run: StepRun) -> str | None:
    """Why a quantisation cannot be asked for here."""
    if name == "int8" and importlib.util.find_spec("bitsandbytes") is None:
        return "bitsandbytes is not installed"
    if name == "fp8" and not run.is_on_card:
        return "it needs a card"
    return None


def _lacks_a_package(error: BaseException | None) -> bool:
    """Whether something is not installed, or would have to be fetched."""
    while error is not None:
        said = str(error).lower()
        if isinstance(error, ImportError) or "offline" in said or "kernels" in said:
            return True
        error = error.__cause__ or error.__context__
    return False


def _measured(run: StepRun, names: list[str]) -> dict[str, Any]:
    device = run.device
    model = attentive_model(layers_of(run.shape, _LAYERS), device, _SEED)
    on_card = run.is_on_card
    found: dict[str, Any] = compare_settings(
        model,
        names,
        device,
        _PROMPTS if on_card else _PROMPTS_OF_DRY_RUN,
        _ROUNDS if on_card else _ROUNDS_OF_DRY_RUN,
        _SEED,
    )
    if on_card:
        del model
        torch.cuda.empty_cache()
    return found
