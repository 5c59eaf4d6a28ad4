"""Wrong values in the JSON files of a checkpoint: finite rewards or an error of our own."""

import json
import math
import random
import shutil

import pytest

from ultrarm_eval.errors import CheckpointError, UltrarmEvalError
from ultrarm_eval.judges.loading import make_judge

CLASSIFIER, LANGUAGE_MODEL = "AutoModelForSequenceClassification", "AutoModelForCausalLM"
DIGITS, BRACKETS = "9" * 5000, "[" * 200_000 + "]" * 200_000
#: As they stand in the file.
WRONG = {
    "null": "null",
    "text": '"x"',
    "list": "[]",
    "object": "{}",
    "minus one": "-1",
    "zero": "0",
    "infinite": "1e400",
    "true": "true",
    "no number": "NaN",
    "fraction": "1.5",
    "huge": "1" + "0" * 30,
    "digits": DIGITS,
    "brackets": BRACKETS,
    "a list in a list": '[["x"]]',
    "an object with a number": '{"x": 1}',
}
#: Fields that no fixture writes.
FURTHER = {
    "config.json": (
        *("auto_map", "rope_scaling", "torch_dtype", "sliding_window", "architectures"),
        *("num_labels", "id2label", "label2id", "quantization_config", "layer_types"),
        *("rope_parameters/factor", "rope_parameters/rope_type", "is_encoder_decoder"),
    ),
    "tokenizer_config.json": (
        *("auto_map", "tokenizer_class", "model_max_length", "chat_template", "pad_token"),
        *("added_tokens_decoder", "extra_special_tokens", "add_bos_token", "padding_side"),
    ),
    "special_tokens_map.json": ("bos_token", "eos_token", "additional_special_tokens"),
    "added_tokens.json": ("<s>",),
    "index": ("metadata/total_size", "weight_map/model.norm.weight"),
}
KINDS = ("ultrarm", "sequence-classification", "encoder", "likelihood", "dpo", "critique")


def write_value(path, field, raw):
    """Writes a file with one of its fields, or a part of one by a slash, as given."""
    values = json.loads(path.read_text()) if path.exists() else {}
    *parts, last = field.split("/")
    inner = values
    for part in parts:
        inner = inner.setdefault(part, {})
    inner[last] = "@"
    path.write_text(json.dumps(values).replace('"@"', raw))


def fields_of(folder):
    for path in sorted(folder.glob("*.json")):
        if path.name in ("tokenizer.json", "generation_config.json"):
            continue
        kind = "index" if path.name.endswith(".index.json") else path.name
        named = [*json.loads(path.read_text()), *FURTHER.get(kind, ())]
        yield from ((path.name, field) for field in dict.fromkeys(named))
    for name in ("special_tokens_map.json", "added_tokens.json"):
        if not (folder / name).exists():
            yield from ((name, field) for field in FURTHER[name])


@pytest.fixture
def sound(write_model, checkpoint, tmp_path):
    """A sound checkpoint of each kind of judge."""

    def find(kind):
        if kind == "ultrarm":
            return checkpoint
        if kind == "encoder":
            return write_model(
                CLASSIFIER, "modernbert", num_labels=1, pad_token_id=0, vocab_size=400
            )
        auto = CLASSIFIER if kind == "sequence-classification" else LANGUAGE_MODEL
        family = "gemma2" if kind in ("sequence-classification", "dpo") else "qwen2"
        return write_model(auto, family, num_labels=1)

    return find


def outcome(folder, kind):
    """Rewards, or our own error; anything else is raised."""
    judge = "sequence-classification" if kind == "encoder" else kind
    settings = {"pretrained": str(folder)}
    if kind == "dpo":
        settings["reference"] = str(folder)
    if kind == "critique":
        settings["max_new_tokens"] = 2
    if kind == "encoder":
        settings["template"] = "raw"
    try:
        made = make_judge(judge, settings, offered={"device": "cpu"})
        rewards = made.score(["the question", None], ["the answer", "bare text"])
        json.dumps([made.settings(), made.fingerprint()])
    except UltrarmEvalError as error:
        return error
    assert kind == "critique" or all(map(math.isfinite, rewards))
    return rewards


def try_values(folder, kind, tmp_path, number):
    cases = [(*field, wrong) for field in fields_of(folder) for wrong in WRONG]
    for file, field, wrong in random.Random(kind).sample(cases, min(number, len(cases))):
        broken = tmp_path / "broken"
        shutil.copytree(folder, broken)
        write_value(broken / file, field, WRONG[wrong])
        try:
            found = outcome(broken, kind)
            assert not isinstance(found, UltrarmEvalError) or len(str(found)) < 2500
        except BaseException as error:
            raise AssertionError(f"{kind}: {file}, {field}, {wrong}: {error!r}") from error
        shutil.rmtree(broken)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "number",
    [
        12,
        pytest.param(60, marks=pytest.mark.slow),
        pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.campaign]),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_any_value_of_any_field_gives_rewards_or_our_own_error(sound, kind, tmp_path, number):
    folder = sound(kind)
    assert not isinstance(outcome(folder, kind), UltrarmEvalError)
    try_values(folder, kind, tmp_path, number)


@pytest.mark.few(14)
@pytest.mark.parametrize(
    ("file", "field", "raw", "said"),
    [
        (
            "config.json",
            "max_position_embeddings",
            '"x"',
            r"max_position_embeddings is 'x'.*integer",
        ),
        ("config.json", "hidden_size", '"32"', r"hidden_size is '32'.*integer of at least 1"),
        ("config.json", "num_attention_heads", "0", r"num_attention_heads is 0.*at least 1"),
        ("config.json", "num_attention_heads", "3", r"\[32, 32\]|cannot|can make|belong together"),
        ("config.json", "torch_dtype", '"float99"', r"torch_dtype is 'float99'.*bfloat16"),
        (
            "config.json",
            "num_hidden_layers",
            "10000000",
            r"num_hidden_layers is 10000000.*no model",
        ),
        ("config.json", "num_hidden_layers", "50000", r"is 50000, but there are \d+ weights"),
        ("config.json", "vocab_size", "401", r"embed_tokens.*\[400, 32\].*\[401, 32\]"),
        ("config.json", "hidden_size", DIGITS, "not valid JSON"),
        ("config.json", "extra", BRACKETS, "not valid JSON"),
        ("config.json", "num_labels", "1000000000", "num_labels is 1000000000"),
        (
            "config.json",
            "architectures",
            '"LlamaRewardModel"',
            "architectures is .*list of strings",
        ),
        ("config.json", "model_type", "5", "model_type is 5.*a text"),
        ("config.json", "pad_token_id", '"x"', "pad_token_id is 'x'"),
        ("config.json", "rope_scaling", '{"type": "linear", "factor": "x"}', "rope_scaling is"),
        ("pytorch_model.bin.index.json", "weight_map", "[]", "weight_map is .*an object"),
        ("pytorch_model.bin.index.json", "weight_map", '{"a": 5}', "weight_map of 'a' is 5"),
        (
            "pytorch_model.bin.index.json",
            "weight_map",
            '{"a": "../b.bin"}',
            "in the folder of the index",
        ),
        (
            "pytorch_model.bin.index.json",
            "weight_map",
            '{"a": "/b.bin"}',
            "in the folder of the index",
        ),
        ("pytorch_model.bin.index.json", "metadata", "[]", r"metadata is \[\].*an object"),
        ("pytorch_model.bin.index.json", "metadata", '{"total_size": "x"}', "total_size is 'x'"),
        ("pytorch_model.bin.index.json", "metadata", '{"total_size": -1}', "total_size is -1"),
        ("pytorch_model.bin.index.json", "metadata", '{"total_size": NaN}', "total_size is nan"),
        ("tokenizer_config.json", "model_max_length", '"x"', "model_max_length is 'x'"),
        ("tokenizer_config.json", "eos_token", "5", "eos_token is 5"),
        ("special_tokens_map.json", "eos_token", "[]", "special_tokens_map.json: eos_token is"),
        ("added_tokens.json", "<a>", '"x"', "added_tokens.json: <a> is 'x'"),
    ],
)
def test_file_field_value_and_what_is_allowed_are_named(
    checkpoint, tmp_path, file, field, raw, said
):
    folder = tmp_path / "copy"
    shutil.copytree(checkpoint, folder)
    write_value(folder / file, field, raw)
    error = outcome(folder, "ultrarm")
    assert isinstance(error, CheckpointError)
    with pytest.raises(CheckpointError, match=said):
        raise error


@pytest.mark.product
@pytest.mark.parametrize("kind", ["ultrarm", "sequence-classification", "likelihood"])
@pytest.mark.parametrize(
    "values",
    [
        {"pad_token_id": -1},
        {"eos_token_id": [2, 3]},
        {"torch_dtype": "bfloat16"},
        {"max_window_layers": 0},
        {"_name_or_path": ""},
    ],
)
def test_values_that_real_checkpoints_have_are_taken(sound, tmp_path, kind, values):
    folder = tmp_path / "copy"
    shutil.copytree(sound(kind), folder)
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    assert not isinstance(outcome(folder, kind), UltrarmEvalError)
