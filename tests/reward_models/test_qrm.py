"""QRM: quantiles of objectives, weighted by a gate on the prompt."""

import pytest

from tests.reward_models.as_published import (
    AsPublished,
    HeadRefusals,
    judge_of,
    stored,
    variants,
    write,
)
from tests.reward_models.published import qrm
from ultrarm_eval.errors import CheckpointError

VARIANTS = variants(qrm)


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, tmp_path_factory):
    return qrm.build(tmp_path_factory.mktemp("qrm"), **VARIANTS[request.param])


class TestQRM(AsPublished):
    module, judge, head = qrm, "qrm", "regression_layer.weight"


class TestObjectives(HeadRefusals):
    module, judge, head = qrm, "qrm", "regression_layer.weight"


class TestNorm(HeadRefusals):
    module, judge, head = qrm, "qrm", "gating.layers.2.running_mean"


class TestTransform(HeadRefusals):
    module, judge, head = qrm, "qrm", "reward_transform_matrix"

    def test_a_head_of_another_shape_is_named(self, changed):
        def alter(weights):
            weights[self.head] = weights[self.head][..., :-1].clone()

        for said in changed(alter):
            assert "head.transform" in said


@pytest.mark.parametrize(
    ("body", "layer", "parts"),
    [
        ("llama", 2, ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")),
        ("llama", 9, ("bias",)),
        ("gemma2", 11, ("bias",)),
    ],
)
def test_a_gate_without_one_of_its_norms_or_biases_is_refused(tmp_path, body, layer, parts):
    folder = qrm.build(tmp_path / "checkpoint", body=body)
    path, weights = stored(folder, f"gating.layers.{layer}.bias")
    for part in parts:
        weights.pop(f"gating.layers.{layer}.{part}", None)
    write(path, weights)
    with pytest.raises(CheckpointError, match="has neither a bias .* nor a batch norm after it"):
        judge_of(folder)
