"""Merged weights against PEFT's own forward pass, on adapters that PEFT made.

PEFT is no dependency and stands in an environment of its own: ULTRARM_EVAL_PEFT_PYTHON names a
Python that has it, with transformers and torch. Without one these tests are skipped.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch

from tests.checkpoints.peft_adapters import CASES, IDS
from ultrarm_eval.checkpoints.causal_language_model import CausalLanguageModel
from ultrarm_eval.checkpoints.checkpoint import open_checkpoint
from ultrarm_eval.checkpoints.decoder_reward_model import DecoderRewardModel
from ultrarm_eval.checkpoints.model_loading import load_decoder, load_own_forward
from ultrarm_eval.checkpoints.sequence_classification import SequenceClassification

VARIABLE = "ULTRARM_EVAL_PEFT_PYTHON"
CPU = torch.device("cpu")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    python = os.environ.get(VARIABLE)
    if not python:
        pytest.skip(f"PEFT has an environment of its own: {VARIABLE}=PYTHON")
    folder = tmp_path_factory.mktemp("peft")
    script = Path(__file__).with_name("peft_adapters.py")
    subprocess.run([python, "-W", "ignore", str(script), str(folder)], check=True)
    return folder


@pytest.mark.parametrize("case", CASES)
def test_merged_weights_compute_what_peft_does(made, case):
    expected = json.loads((made / case / "expected.json").read_text())
    assert computed(made / case / "adapter", case) == pytest.approx(expected, abs=1e-5)


def computed(adapter, case):
    import transformers

    ids = torch.tensor([IDS])
    is_language_model = CASES[case][2].get("task_type") == "CAUSAL_LM"
    kind = CausalLanguageModel() if is_language_model else SequenceClassification()
    checkpoint = open_checkpoint(str(adapter), architecture=kind)
    with torch.no_grad():
        if isinstance(checkpoint.network, DecoderRewardModel):
            network = type(checkpoint.network)
            model = load_decoder(checkpoint, network, torch.float32, CPU, parallelize=False)
            return model(ids).flatten().tolist()
        auto = "AutoModelForCausalLM" if is_language_model else "AutoModelForSequenceClassification"
        model = load_own_forward(getattr(transformers, auto), checkpoint, torch.float32, CPU)
        logits = model(input_ids=ids).logits
    if is_language_model:
        return logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0].tolist()
    return logits.flatten().tolist()
