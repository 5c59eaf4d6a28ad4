"""adapter_config.json: what of LoRA is read, and what would be read wrongly is refused by name."""

import logging

import pytest

from tests.checkpoints.tiny_adapters import CONFIG, change, judge_of, refusal
from ultrarm_eval.checkpoints.adapter_config import read_adapter_config
from ultrarm_eval.errors import CheckpointError


def read(**values):
    return read_adapter_config("here", {**CONFIG, **values})


def test_scaling_is_alpha_over_rank():
    assert read(r=4, lora_alpha=6).scaling("model.layers.0.q_proj") == 1.5
    assert read(r=4, lora_alpha=6, use_rslora=True).scaling("q_proj") == 3.0


def test_patterns_match_the_end_of_a_name_and_the_first_counts():
    config = read(
        r=4,
        lora_alpha=8,
        rank_pattern={r"layers\.1\.q_proj": 2, "q_proj": 16, "^model.layers.2": 5},
        alpha_pattern={"proj": 100, "model.layers.0.q_proj": 64},
    )
    assert config.rank_of("model.layers.1.q_proj") == 2
    assert config.rank_of("model.layers.11.q_proj") == 16
    assert config.rank_of("model.layers.0.xq_proj") == 4
    assert config.rank_of("model.layers.2.mlp") == 4
    assert config.scaling("model.layers.0.q_proj") == 64 / 16
    assert config.scaling("model.layers.3.q_proj") == 8 / 16


@pytest.mark.few(3)
@pytest.mark.parametrize(
    "kind", ["IA3", "PROMPT_TUNING", "LOHA", "LOKR", "ADALORA", "TRAINABLE_TOKENS", None, 5]
)
def test_other_kinds_of_adapters_are_named_with_the_way_out(adapter, kind):
    change(adapter, peft_type=kind)
    says = refusal(adapter)
    assert f"peft_type {kind!r}" in says
    assert "from_pretrained('base', num_labels=1), ADAPTER).merge_and_unload()" in says


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("alora_invocation_tokens", [1, 2], "activated LoRA"),
        ("arrow_config", {"top_k": 2}, "Arrow"),
        ("kasa_config", {"beta": 1e-4}, "KaSA"),
        ("layer_replication", [[0, 2], [0, 2]], "repeated layers of the base"),
        ("monteclora_config", {"x": 1}, "MonteCLoRA"),
        ("target_parameters", ["mlp.experts.gate_up_proj"], "not layers"),
        ("use_bdlora", {"nblocks": 2}, "block-diagonal"),
        ("use_qalora", True, "QA-LoRA"),
        ("velora_config", {"x": 1}, "VeLoRA"),
        ("megatron_config", {"x": 1}, "Megatron"),
    ],
)
def test_variants_that_compute_something_else_are_named(adapter, field, value, what):
    change(adapter, **{field: value})
    says = refusal(adapter)
    assert what in says
    assert field in says
    assert "merge_and_unload" in says


@pytest.mark.parametrize("start", ["pissa", "pissa_niter_16", "olora", "corda", "loftq", "lora_ga"])
def test_a_training_that_changed_the_base_is_refused(adapter, start):
    change(adapter, init_lora_weights=start)
    says = refusal(adapter)
    assert f"init_lora_weights {start!r}" in says
    assert "path_initial_model_for_weight_conversion" in says


@pytest.mark.few(2)
@pytest.mark.parametrize("start", [True, False, "gaussian", "eva", "orthogonal", "mica"])
def test_other_beginnings_leave_the_base_as_it_is(adapter, start):
    change(adapter, init_lora_weights=start)
    judge_of(adapter)


def test_a_beginning_that_is_not_known(adapter):
    change(adapter, init_lora_weights="newest")
    assert "'newest', and its effect on the base is unknown" in refusal(adapter)


@pytest.mark.parametrize("value", [True, {"a": 1}, [1]])
def test_a_field_that_is_not_known_and_is_switched_on(adapter, value):
    change(adapter, use_newest_lora=value)
    assert "use_newest_lora" in refusal(adapter)


@pytest.mark.few(2)
@pytest.mark.parametrize("value", [None, False, {}, [], ""])
def test_a_field_that_is_not_known_and_is_switched_off(adapter, value, caplog):
    change(adapter, use_newest_lora=value)
    judge_of(adapter)
    assert "use_newest_lora" not in caplog.text


def test_a_number_that_is_not_known_is_said(adapter, caplog):
    change(adapter, newest_size=16)
    with caplog.at_level(logging.WARNING):
        judge_of(adapter)
    assert "ignoring the unknown field of adapter_config.json: newest_size 16" in caplog.text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("r", 0),
        ("r", "8"),
        ("r", True),
        ("lora_alpha", "16"),
        ("lora_alpha", None),
        ("lora_alpha", float("nan")),
        ("rank_pattern", [2]),
        ("rank_pattern", {"q_proj": 1.5}),
        ("rank_pattern", {"(": 2}),
        ("alpha_pattern", {"q_proj": "2"}),
        ("target_modules", [1]),
        ("modules_to_save", {"score": 1}),
        ("layers_to_transform", ["1"]),
        ("trainable_token_indices", {"embed_tokens": [-1]}),
        ("trainable_token_indices", 3),
        ("auto_mapping", "x"),
        ("revision", 5),
        ("task_type", ["SEQ_CLS"]),
    ],
)
def test_values_that_a_field_cannot_have(field, value):
    with pytest.raises(
        CheckpointError, match=f"here: adapter_config.json: {field} is .*, but must be "
    ):
        read(**{field: value})
