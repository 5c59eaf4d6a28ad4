"""Checkpoints whose weights are stored quantised: what they need, and their heads."""

import json
import logging

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from tests.judges.conftest import chat_tokenizer, write_model  # noqa: F401
from tests.reward_models.published import armorm
from ultrarm_eval import load_judge
from ultrarm_eval.checkpoints.checkpoint import open_checkpoint
from ultrarm_eval.checkpoints.model_loading import load_decoder
from ultrarm_eval.checkpoints.sequence_classification import SequenceClassification
from ultrarm_eval.checkpoints.stored_quantization import (
    method_of,
    require_heads_as_stored,
    with_heads_kept,
)
from ultrarm_eval.errors import (
    CheckpointError,
    ConfigurationError,
    DeviceError,
    UltrarmEvalError,
)

AUTO = "AutoModelForSequenceClassification"
BLOCK = 16
#: The version of transformers that makes numbers of FP8 where nothing multiplies it.
FIRST_TO_UNPACK = 5
FP8 = {
    "quant_method": "fp8",
    "activation_scheme": "dynamic",
    "weight_block_size": [BLOCK, BLOCK],
    # Made for a language model: it does not name the head.
    "modules_to_not_convert": ["lm_head"],
}
PROMPTS, COMPLETIONS = ["the sky is blue", "the sky is blue", "one"], ["two", "a list", "green"]


def change_config(folder, **changed):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


def weights_of(folder):
    return {key: one.clone() for key, one in load_file(folder / "model.safetensors").items()}


def write(folder, weights):
    contiguous = {key: one.contiguous() for key, one in weights.items()}
    save_file(contiguous, folder / "model.safetensors", {"format": "pt"})


def in_blocks(weight):
    """A weight in float8 blocks with a scale each, and the numbers that those stand for."""
    rows, columns = (size // BLOCK for size in weight.shape)
    blocks = weight.float().reshape(rows, BLOCK, columns, BLOCK)
    # Powers of two, so that the numbers are the same in bfloat16.
    largest = torch.finfo(torch.float8_e4m3fn).max
    scale = torch.exp2(torch.ceil(torch.log2(blocks.abs().amax((1, 3)) / largest)))
    small = (blocks / scale[:, None, :, None]).to(torch.float8_e4m3fn)
    numbers = (small.float() * scale[:, None, :, None]).reshape(weight.shape)
    return small.reshape(weight.shape), scale, numbers


def quantise(folder, *, head=False):
    """Turns a checkpoint into FP8; gives the numbers that its weights stand for."""
    found, numbers = {}, {}
    for key, weight in weights_of(folder).items():
        numbers[key] = weight
        if not (key.endswith("_proj.weight") or (head and key == "score.weight")):
            found[key] = weight
            continue
        if key == "score.weight":
            found[key], found["score.weight_scale_inv"] = weight.to(torch.float8_e4m3fn), torch.ones(1, 1)  # fmt: skip
            continue
        found[key], found[f"{key}_scale_inv"], numbers[key] = in_blocks(weight)
    write(folder, found)
    change_config(folder, quantization_config=FP8)
    return numbers


@pytest.mark.few(1)
@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_fp8_gives_the_rewards_of_its_numbers_and_the_head_as_stored(
    write_model,  # noqa: F811
    caplog,
    family,
):
    if torch.cuda.is_available():
        pytest.skip("the GPU multiplies float8, and rounds activations")
    values = {"query_pre_attn_scalar": 8} if family == "gemma2" else {}
    folder = write_model(AUTO, family, num_labels=1, name="fp8", **values)
    plain = write_model(AUTO, family, num_labels=1, name="numbers", **values)
    write(plain, quantise(folder))
    if int(transformers.__version__.split(".")[0]) < FIRST_TO_UNPACK:
        with pytest.raises(DeviceError, match=r"stored quantized \(fp8\).*GPU"):
            load_judge(str(folder), judge="auto", device="cpu")
        return
    expected = load_judge(str(plain), judge="auto", device="cpu", dtype="bfloat16")
    with caplog.at_level(logging.INFO):
        judge = load_judge(str(folder), judge="auto", device="cpu", dtype="bfloat16")
    assert "they are converted to bfloat16 when they are loaded" in caplog.text
    rewards = judge.score(PROMPTS, COMPLETIONS)
    assert rewards == pytest.approx(expected.score(PROMPTS, COMPLETIONS), abs=1e-5)
    assert min(abs(a - b) for i, a in enumerate(rewards) for b in rewards[:i]) > 1e-3
    head = dict(judge.load().named_parameters())["score.weight"]
    assert torch.equal(head.float(), weights_of(folder)["score.weight"].to(head.dtype).float())


HEADS = {
    "awq": {"score.qweight": torch.zeros(32, 1, dtype=torch.int32)},
    "compressed-tensors": {"score.weight_packed": torch.zeros(1, 4, dtype=torch.int32)},
    "bitsandbytes": {
        "score.weight": torch.zeros(16, 1, dtype=torch.uint8),
        "score.weight.absmax": torch.ones(1),
    },
}


@pytest.mark.parametrize("method", HEADS)
def test_a_head_that_is_stored_quantised_is_refused_by_its_name(write_model, method):  # noqa: F811
    folder = write_model(AUTO, "llama", num_labels=1)
    weights = {key: one for key, one in weights_of(folder).items() if key != "score.weight"}
    write(folder, {**weights, **HEADS[method]})
    field = {"awq": "modules_to_not_convert", "bitsandbytes": "llm_int8_skip_modules"}
    listed = {field.get(method, "ignore"): ["lm_head"]}
    change_config(folder, quantization_config={"quant_method": method, **listed})
    with pytest.raises(CheckpointError, match=r"head is stored quantized.*'score\..*lm_head"):
        load_judge(str(folder), judge="auto", device="cpu")


def test_a_head_in_float8_is_refused_with_and_without_a_scale(write_model):  # noqa: F811
    folder = write_model(AUTO, "llama", num_labels=1)
    quantise(folder, head=True)
    with pytest.raises(CheckpointError, match="head is stored quantized.*score.weight_scale_inv"):
        load_judge(str(folder), judge="auto", device="cpu")
    weights = weights_of(folder)
    del weights["score.weight_scale_inv"]
    write(folder, weights)
    with pytest.raises(CheckpointError, match=r"'score.weight' is stored as F8_E4M3"):
        load_judge(str(folder), judge="auto", device="cpu")


@pytest.mark.parametrize("method", ["awq", "gptq", "bitsandbytes", "compressed-tensors"])
def test_what_a_method_needs_is_said_before_loading(write_model, monkeypatch, method):  # noqa: F811
    from ultrarm_eval.checkpoints import model_loading

    package = {
        "awq": "gptqmodel",
        "gptq": "optimum",
        "bitsandbytes": "bitsandbytes",
        "compressed-tensors": "compressed_tensors",
    }[method]
    pytest.importorskip("accelerate")
    if _is_installed(package):
        pytest.skip(f"{package} is installed here")
    monkeypatch.setattr(model_loading, "_loaded", lambda *_, **__: pytest.fail("loaded"))
    folder = write_model(AUTO, "llama", num_labels=1)
    further = {"load_in_8bit": True} if method == "bitsandbytes" else {"bits": 4}
    change_config(folder, quantization_config={"quant_method": method, **further})
    with pytest.raises(UltrarmEvalError, match=rf"stored quantized \({method}\).*says: .*"):
        load_judge(str(folder), judge="auto", device="cpu")


def _is_installed(package):
    from importlib.util import find_spec

    return find_spec(package) is not None


def test_a_method_that_transformers_does_not_know_is_named(write_model):  # noqa: F811
    folder = write_model(AUTO, "llama", num_labels=1)
    change_config(folder, quantization_config={"quant_method": "own-4bit"})
    with pytest.raises(
        CheckpointError, match=r"stored quantized \(own-4bit\), which cannot be read"
    ):
        load_judge(str(folder), judge="auto", device="cpu")


def test_what_is_quantised_is_not_quantised_again(write_model):  # noqa: F811
    folder = write_model(AUTO, "llama", num_labels=1)
    quantise(folder)
    with pytest.raises(ConfigurationError, match="stored quantized already. Remove"):
        load_judge(str(folder), judge="auto", device="cpu", quantization="int8")


def test_a_kind_with_names_of_its_own_is_refused(tmp_path):
    folder = armorm.build(tmp_path)
    change_config(folder, quantization_config=FP8)
    with pytest.raises(CheckpointError, match=r"stored quantized \(fp8\).*ArmoRM.*quantized from"):
        load_judge(str(folder), judge="auto", device="cpu")


class TestHeads:
    @pytest.fixture
    def opened(self, write_model):  # noqa: F811
        folder = write_model(AUTO, "llama", num_labels=1)
        return open_checkpoint(str(folder), architecture=SequenceClassification())

    @pytest.mark.parametrize(
        ("stated", "field", "expected"),
        [
            (FP8, "modules_to_not_convert", ["lm_head", "score"]),
            ({"quant_method": "fp8"}, "modules_to_not_convert", ["score"]),
            ({"load_in_8bit": True}, "llm_int8_skip_modules", ["score"]),
            ({"quant_method": "compressed-tensors", "ignore": ["score"]}, "ignore", ["score"]),
        ],
    )
    def test_are_named_among_what_is_left_alone(self, opened, stated, field, expected):
        opened.config.quantization_config = stated
        kept = with_heads_kept(opened.config, ["score"])
        assert kept.quantization_config == {**stated, field: expected}
        assert opened.config.quantization_config == stated

    def test_are_not_named_where_a_method_never_takes_them(self, opened):
        opened.config.quantization_config = {"quant_method": "gptq", "bits": 4}
        assert with_heads_kept(opened.config, ["score"]) is opened.config

    @pytest.mark.parametrize("how", ["int8", "float8", "other numbers"])
    def test_that_loading_changed_are_refused(self, opened, how):
        model = load_decoder(
            opened,
            type(opened.network),
            torch.float32,
            torch.device("cpu"),
            parallelize=False,
        )
        weight = model.score.weight

        def look():
            reader, keys = opened.reader(), opened.weights.keys
            require_heads_as_stored("x", model, opened.network, reader, keys)

        look()
        dtypes = {"int8": torch.int8, "float8": torch.float8_e4m3fn}
        changed = weight.detach().to(dtypes[how]) if how in dtypes else weight.detach() * 1.001
        model.score.weight = torch.nn.Parameter(changed, requires_grad=False)
        said = "was quantized during" if how in dtypes else "differs from the stored one"
        with pytest.raises(CheckpointError, match=f"'score.weight'.*{said}|{said}"):
            look()


def test_config_json_of_2023_names_no_method():
    assert method_of({"quantization_config": {"load_in_8bit": True}}) == "bitsandbytes"
    assert method_of({"quantization_config": {}}) is None
    assert method_of({}) is None


class TestGGUF:
    SAID = "is a GGUF file.*the reward head would be random.*safetensors"

    def test_a_file_is_refused(self, tmp_path):
        path = tmp_path / "rm-q4_k_m.gguf"
        path.write_bytes(b"GGUF")
        with pytest.raises(CheckpointError, match=f"rm-q4_k_m.gguf {self.SAID}"):
            load_judge(str(path), judge="auto", device="cpu")

    @pytest.mark.parametrize("has_config", [False, True])
    def test_a_folder_of_such_files_is_refused(self, tmp_path, write_model, has_config):  # noqa: F811
        folder = write_model(AUTO, "llama", num_labels=1)
        (folder / "model.safetensors").unlink()
        if not has_config:
            (folder / "config.json").unlink()
        (folder / "rm-f16.gguf").write_bytes(b"GGUF")
        with pytest.raises(CheckpointError, match=f"rm-f16.gguf {self.SAID}"):
            load_judge(str(folder), judge="auto", device="cpu")

    def test_such_a_file_beside_weights_is_no_obstacle(self, write_model):  # noqa: F811
        folder = write_model(AUTO, "llama", num_labels=1)
        (folder / "rm-f16.gguf").write_bytes(b"GGUF")
        load_judge(str(folder), judge="auto", device="cpu")
