"""The steps of a check, the most valuable first, with the seconds that each may take."""

from __future__ import annotations

from dataclasses import dataclass

#: Seconds of the whole check; the steps' own are in proportion to it.
LIMIT = 460.0
#: What transformers reads the demo's tokenizer with.
TOKENIZER = ("sentencepiece", "google.protobuf")


@dataclass(frozen=True)
class Step:
    """A step, run in a process of its own.

    Attributes:
        name: What it is called.
        title: What it looks at.
        seconds: The most that it may take of `LIMIT`. Together they may take more than that: few
            steps need all of it, and what is last may find no time left.
        where: Module and function.
        needs: What must be installed beside torch, transformers and what those need.
    """

    name: str
    title: str
    seconds: float
    where: str
    needs: tuple[str, ...] = ()


STEPS = (
    Step(
        "environment",
        "the card, its driver, the versions, and what is missing",
        40,
        "gpu_check.environment:check",
    ),
    Step(
        "kernels",
        "every attention kernel against the float32 loop",
        110,
        "gpu_check.kernels:check",
    ),
    Step(
        "shape_13b",
        "13B's shape against RewardBench's batching and the matrix peak",
        130,
        "gpu_check.scoring:check",
    ),
    Step(
        "token_budget",
        "the automatic token budget, and halving one that is too large",
        40,
        "gpu_check.token_budget:check",
    ),
    Step(
        "two_judges",
        "two judges on one card at the same time",
        40,
        "gpu_check.judges:check_two",
        TOKENIZER,
    ),
    Step(
        "token_rewards",
        "rewards after tokens against the loop",
        30,
        "gpu_check.token_rewards:check",
    ),
    Step(
        "default_kernel",
        "the kernel that is chosen, and its speed",
        50,
        "gpu_check.kernel_speed:check",
    ),
    Step(
        "torch_compile",
        "torch_compile: speed and drift",
        50,
        "gpu_check.optional_settings:check_compiled",
    ),
    Step(
        "eight_bits",
        "fp8 and int8: whether they load, drift, speed, memory",
        50,
        "gpu_check.optional_settings:check_eight_bits",
    ),
    Step(
        "beside_a_model",
        "a judge beside a model under evaluation",
        40,
        "gpu_check.judges:check_beside_a_model",
        TOKENIZER,
    ),
)
BY_NAME = {step.name: step for step in STEPS}
