"""Reward servers of the tests, and what torch says of the texts that they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TINY_LLAMA, write_sharded_pickles
from tests.engine.server.reward_server import RewardServer
from tests.engine.server.served_checkpoint import ServedCheckpoint
from tests.engine.server.texts import COMPLETIONS, PROMPTS
from ultrarm_eval.judges.loading import load_judge


@pytest.fixture(scope="session")
def served(checkpoint: Path, _write_checkpoint: None) -> ServedCheckpoint:
    """The tests' tiny UltraRM, as a server has it."""
    return ServedCheckpoint(load_judge(str(checkpoint), judge="ultrarm"))


@pytest.fixture(scope="session")
def other_served(
    tmp_path_factory: pytest.TempPathFactory, sentencepiece_model: Path
) -> ServedCheckpoint:
    """The same with other weights."""
    import torch
    from transformers import LlamaConfig

    from ultrarm_eval import LlamaRewardModel

    torch.manual_seed(1)
    model = LlamaRewardModel(LlamaConfig(**TINY_LLAMA, num_key_value_heads=2)).eval()
    with torch.no_grad():
        model.regression_head.weight.normal_()
    folder = tmp_path_factory.mktemp("other")
    write_sharded_pickles(folder, model)
    (folder / "tokenizer.model").write_bytes(sentencepiece_model.read_bytes())
    return ServedCheckpoint(load_judge(str(folder), judge="ultrarm"))


@pytest.fixture(scope="session")
def rewards(served: ServedCheckpoint) -> list[float]:
    """What torch gives for `COMPLETIONS`, one text at a time."""
    return served.judge.score_one_at_a_time(PROMPTS, COMPLETIONS)


@pytest.fixture
def serve(served: ServedCheckpoint) -> Iterator[Callable[..., RewardServer]]:
    """Starts servers of the tiny checkpoint, and ends them with the test."""
    started: list[RewardServer] = []

    def start(protocol: Any = "vllm", model: ServedCheckpoint = served, **how: Any) -> RewardServer:
        server = RewardServer(model, protocol, **how)
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.__exit__()
