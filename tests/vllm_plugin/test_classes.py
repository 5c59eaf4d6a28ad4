"""The classes that are registered with vLLM are those that kinds declare."""

import subprocess
import sys

import pytest
import transformers
from torch import nn

from ultrarm_eval.checkpoints.headed_decoder import HeadedDecoder
from ultrarm_eval.checkpoints.known_kinds import architectures
from ultrarm_eval.checkpoints.scalar_decoder import REWARD_MODEL_CLASSES
from ultrarm_eval.errors import CheckpointError
from ultrarm_eval.vllm_plugin.classes import SERVED_CLASSES


def reads_one_token(kind):
    try:
        kind.at_last_token(nn.Identity())
    except CheckpointError:
        return False
    return True


def test_every_class_of_a_kind_that_reads_one_token_is_served():
    kinds = [kind for kind in architectures().values() if isinstance(kind, HeadedDecoder)]
    declared = set(REWARD_MODEL_CLASSES).union(*(k.classes for k in kinds if reads_one_token(k)))
    own = {one for one in declared if not hasattr(transformers, one) and "Config" not in one}
    assert set(SERVED_CLASSES) == own
    assert list(SERVED_CLASSES) == sorted(SERVED_CLASSES)


@pytest.mark.parametrize("name", ["armorm", "qrm"])
def test_a_gate_on_the_prompt_is_refused(name):
    with pytest.raises(CheckpointError, match="a gate at the end of the prompt"):
        architectures()[name].at_last_token(nn.Identity())


def test_a_process_model_is_refused():
    from ultrarm_eval.reward_models.process.qwen2_prm import Qwen2PRM

    with pytest.raises(CheckpointError, match="at the end of each step"):
        Qwen2PRM().at_last_token(nn.Identity())


def test_the_entry_point_imports_nothing_heavy():
    heavy = ("torch", "transformers", "vllm", "lm_eval", "numpy")
    program = (
        "import sys, ultrarm_eval.vllm_plugin, ultrarm_eval.vllm_plugin.classes, "
        "ultrarm_eval.vllm_plugin.registration;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ran.stdout.strip(), ran.stderr) == ("[]", "")
