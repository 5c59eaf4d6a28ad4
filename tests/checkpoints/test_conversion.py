"""Converted checkpoints: the same numbers for transformers' own class and for our judges."""

import json
import shutil
import weakref
from collections import namedtuple

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.checkpoints.converted import (
    KINDS,
    TEXTS,
    converted,
    judge_of,
    scores,
    stock_model,
    stock_scores,
    texts_of,
)
from tests.reward_models.published import (
    armorm,
    beaver,
    grm,
    inf_orm,
    openrlhf,
    peft_reward,
    qwen2_reward,
    sequence_classification,
    skywork_prm,
)
from ultrarm_eval.checkpoints.weight_reader import WeightReader
from ultrarm_eval.errors import CheckpointError, ConfigurationError

QUICK = ("ultrarm", "openrlhf")
SOURCES = [
    pytest.param(kind, marks=() if kind in QUICK else pytest.mark.slow)
    for kind in ("ultrarm", *KINDS)
]
#: float32: a reward of 10 has steps of 1e-6.
NEARLY = 1e-5


def alone(judge):
    """The rewards of all texts, each computed by itself."""
    prompts, answers = zip(*TEXTS, strict=True)
    return judge.score_one_at_a_time(list(prompts), list(answers))


def nearly(rewards):
    return [pytest.approx(one, rel=NEARLY, abs=NEARLY) for one in rewards]


def written(folder):
    """All weights of a converted folder."""
    return {
        k: v for file in sorted(folder.glob("*.safetensors")) for k, v in load_file(file).items()
    }


def values_in(folder, file="config.json"):
    return json.loads((folder / file).read_text())


def set_values(folder, file="config.json", **values):
    (folder / file).write_text(json.dumps({**values_in(folder, file), **values}))


@pytest.fixture(scope="module", params=SOURCES)
def pair(request, tmp_path_factory, checkpoint):
    """A source, and the folder that it was converted to."""
    folder = tmp_path_factory.mktemp(request.param)
    kind = request.param
    source = checkpoint if kind == "ultrarm" else KINDS[kind](folder / "source")
    converted(source, folder / "converted")
    return source, folder / "converted"


@pytest.fixture(scope="module")
def ultrarm(tmp_path_factory, checkpoint):
    folder = tmp_path_factory.mktemp("ultrarm") / "converted"
    converted(checkpoint, folder)
    return folder


def test_transformers_own_class_gives_the_rewards_of_the_source(pair):
    source, folder = pair
    judge = judge_of(source)
    expected = alone(judge)
    assert len(set(expected)) > 40
    assert stock_scores(folder, texts_of(judge)) == nearly(expected)


def test_our_judge_gives_the_same_texts_and_rewards(pair):
    source, folder = pair
    before, after = judge_of(source), judge_of(folder)
    assert after.name == "sequence-classification"
    assert texts_of(after) == texts_of(before)
    assert after.settings()["template"] == before.settings()["template"]
    assert after.settings()["dtype"] == before.settings()["dtype"]
    assert after.max_length == before.max_length
    assert scores(after) == nearly(scores(before))


@pytest.mark.slow
def test_a_batch_that_is_padded_by_the_converted_tokenizer_is_read_alike(ultrarm, checkpoint):
    from transformers import AutoTokenizer

    judge = judge_of(checkpoint)
    tokenizer = AutoTokenizer.from_pretrained(ultrarm, padding_side="right")
    texts = texts_of(judge)
    batch = tokenizer.pad({"input_ids": texts}, return_tensors="pt")
    with torch.inference_mode():
        found = stock_model(ultrarm)(**batch).logits[:, 0].tolist()
    assert found == [pytest.approx(one, rel=1e-5, abs=1e-5) for one in scores(judge)]


def test_the_tokenizer_alone_gives_the_ids_of_a_plain_text(ultrarm, checkpoint):
    from transformers import AutoTokenizer

    judge = judge_of(checkpoint)
    text = "Human: the question about one word\n\nAssistant: the answer"
    ids = list(judge.encoded("the question about one word", "the answer"))
    assert AutoTokenizer.from_pretrained(ultrarm)(text)["input_ids"] == ids


def test_every_weight_is_bitwise_the_stored_one(ultrarm, checkpoint):
    stored = {}
    for file in checkpoint.glob("*.bin"):
        stored |= torch.load(file, weights_only=True)
    stored["score.weight"] = stored.pop("regression_head.weight")
    found = written(ultrarm)
    assert found.keys() == stored.keys()
    for name, weight in stored.items():
        assert found[name].dtype == weight.dtype
        assert torch.equal(found[name].view(torch.uint8), weight.contiguous().view(torch.uint8))


def test_the_configuration_is_a_standard_classifiers(ultrarm, checkpoint):
    said, before = values_in(ultrarm), values_in(checkpoint)
    assert said["architectures"] == ["LlamaForSequenceClassification"]
    assert (said["num_labels"], said["id2label"], said["label2id"]) == (
        1,
        {"0": "LABEL_0"},
        {"LABEL_0": 0},
    )
    assert said["problem_type"] == "regression"
    assert said["torch_dtype"] == "float32"
    for name in ("max_position_embeddings", "vocab_size", "rms_norm_eps", "hidden_size"):
        assert said[name] == before[name]
    index = values_in(ultrarm, "model.safetensors.index.json")
    assert set(index["weight_map"].values()) == {one.name for one in ultrarm.glob("model-*")}
    assert index["metadata"]["total_size"] == sum(w.nbytes for w in written(ultrarm).values())


def test_a_file_of_weights_is_no_larger_than_was_asked_for(ultrarm):
    sizes = {}
    for file in ultrarm.glob("model-*"):
        weights = load_file(file)
        sizes[file.name] = (sum(one.nbytes for one in weights.values()), len(weights))
    assert len(sizes) > 2
    assert all(size <= 30_000 or count == 1 for size, count in sizes.values())


def test_where_it_is_from_is_written_down(ultrarm, checkpoint):
    said = values_in(ultrarm, "conversion.json")
    before, after = judge_of(checkpoint), judge_of(ultrarm)
    assert said["source"]["pretrained"] == str(checkpoint.resolve())
    assert said["source"]["weights_digest"] == before.settings()["weights_digest"]
    assert said["weights_digest"] == after.settings()["weights_digest"]
    assert (said["judge"], said["template"]) == ("ultrarm", "ultrarm")
    assert values_in(ultrarm)["ultrarm_eval"]["judge"] == "ultrarm"


@pytest.mark.slow
def test_the_digest_of_tensors_survives_other_files_and_a_second_conversion(
    ultrarm, checkpoint, tmp_path
):
    whole = converted(checkpoint, tmp_path / "whole", max_shard_bytes=10**9)
    again = converted(ultrarm, tmp_path / "again")
    expected = values_in(ultrarm, "conversion.json")["tensors_digest"]
    assert whole.weights.files == ("model.safetensors",)
    assert whole.weights.digest == again.weights.digest == expected
    assert values_in(tmp_path / "again") == values_in(ultrarm)
    assert scores(judge_of(tmp_path / "again")) == scores(judge_of(ultrarm))
    changed = tmp_path / "whole" / "model.safetensors"
    weights = load_file(changed)
    weights["score.weight"][0, 0] += 1
    save_file(weights, changed, metadata={"format": "pt"})
    assert converted(tmp_path / "whole", tmp_path / "other").weights.digest != expected


@pytest.mark.slow
def test_the_template_that_is_named_is_kept(checkpoint, tmp_path):
    converted(checkpoint, tmp_path / "raw", settings={"template": "raw"})
    assert judge_of(tmp_path / "raw").settings()["template"] == "raw"
    assert scores(judge_of(tmp_path / "raw")) == scores(judge_of(checkpoint, template="raw"))
    assert judge_of(tmp_path / "raw", template="ultrarm").settings()["template"] == "ultrarm"


class TestPaddingToken:
    """Where padding is EOS, transformers' class reads a text that ends in EOS too early."""

    @pytest.fixture
    def source(self, checkpoint, tmp_path):
        folder = shutil.copytree(checkpoint, tmp_path / "source")
        set_values(folder, pad_token_id=2)
        return folder

    @pytest.mark.slow
    def test_texts_that_end_in_eos_are_read_at_it(self, source, tmp_path):
        settings = {"template": "rewardbench"}
        converted(source, tmp_path / "converted", settings=settings)
        judge = judge_of(source, **settings)
        texts = texts_of(judge)
        assert {ids[-1] for ids in texts} == {2}
        assert values_in(tmp_path / "converted")["pad_token_id"] == 0
        assert stock_scores(tmp_path / "converted", texts) == nearly(alone(judge))
        # The trap is one: with the padding token of the source all would be others.
        set_values(tmp_path / "converted", pad_token_id=2)
        wrong = stock_scores(tmp_path / "converted", texts)
        assert min(abs(a - b) for a, b in zip(wrong, scores(judge), strict=True)) > 1e-3

    @pytest.mark.slow
    def test_a_classifier_of_transformers_keeps_it(self, tmp_path):
        source = KINDS["pad-is-eos"](tmp_path / "source")
        converted(source, tmp_path / "converted")
        before = values_in(source)["pad_token_id"]
        assert values_in(tmp_path / "converted")["pad_token_id"] == before
        assert "ultrarm_eval" not in values_in(tmp_path / "converted")
        judge = judge_of(source)
        assert judge.unread_id == before
        assert stock_scores(tmp_path / "converted", texts_of(judge)) == nearly(alone(judge))

    @pytest.mark.slow
    def test_a_padding_token_that_is_an_ordinary_one_is_replaced(self, checkpoint, tmp_path):
        folder = shutil.copytree(checkpoint, tmp_path / "source")
        judge = judge_of(checkpoint)
        last = texts_of(judge)[1][-1]
        set_values(folder, pad_token_id=last)
        found = converted(folder, tmp_path / "converted")
        assert values_in(tmp_path / "converted")["pad_token_id"] == 0
        assert any("because texts can contain it" in remark for remark in found.remarks)
        assert stock_scores(tmp_path / "converted", texts_of(judge)) == nearly(alone(judge))


class TestDtypes:
    @pytest.fixture(scope="class")
    def half(self, checkpoint, tmp_path_factory):
        folder = tmp_path_factory.mktemp("half") / "converted"
        return folder, converted(checkpoint, folder, dtype="bfloat16")

    @pytest.mark.slow
    def test_a_judge_gives_what_it_gives_of_the_source_in_that_dtype(self, half, checkpoint):
        folder, found = half
        judge = judge_of(folder)
        assert judge.settings()["dtype"] == "bfloat16"
        expected = scores(judge_of(checkpoint, dtype="bfloat16"))
        assert scores(judge) == expected
        assert expected != scores(judge_of(checkpoint))
        assert found.rounded == len(written(folder)) - 2
        assert any("rounded to bfloat16" in remark for remark in found.remarks)

    def test_final_norm_and_head_are_never_rounded(self, half, ultrarm):
        found, before = written(half[0]), written(ultrarm)
        kept = {name for name, weight in found.items() if weight.dtype == torch.float32}
        assert kept == {"model.norm.weight", "score.weight"}
        for name in found:
            assert torch.equal(found[name], before[name].to(found[name].dtype))

    def test_weights_are_widened_without_a_loss(self, half, tmp_path):
        found = converted(half[0], tmp_path / "wide", dtype="float32")
        assert found.rounded == 0
        narrow, wide = written(half[0]), written(tmp_path / "wide")
        for name, weight in wide.items():
            assert torch.equal(weight, narrow[name].float())
        assert values_in(tmp_path / "wide")["torch_dtype"] == "float32"

    @pytest.mark.slow
    def test_a_number_that_is_too_large_is_refused(self, tmp_path):
        source = openrlhf.build(tmp_path / "source")
        path = next(source.glob("*.safetensors"))
        weights = load_file(path)
        name = next(key for key in weights if "down_proj" in key)
        weights[name][0, 0] = 1e6
        save_file(weights, path)
        with pytest.raises(
            CheckpointError, match=f"{name} contains numbers.*too large for.*float16"
        ):
            converted(source, tmp_path / "converted", dtype="float16")
        assert sorted(one.name for one in tmp_path.iterdir()) == ["source"]
        converted(source, tmp_path / "converted", dtype="bfloat16")


@pytest.mark.slow
def test_an_adapter_is_merged(tmp_path):
    source = peft_reward.build(tmp_path / "source")
    converted(source, tmp_path / "alone")
    settings = {"peft": str(source)}
    converted(source / "base", tmp_path / "named", settings=settings)
    judge = judge_of(source)
    expected = scores(judge)
    for name in ("alone", "named"):
        assert stock_scores(tmp_path / name, texts_of(judge)) == nearly(expected)
        assert scores(judge_of(tmp_path / name)) == nearly(expected)
    assert values_in(tmp_path / "named", "conversion.json")["source"]["peft"] == str(source)


@pytest.mark.slow
def test_a_bias_of_nothing_is_left_out(tmp_path):
    source = beaver.build(tmp_path / "source", bias=True, pickled=False, shards=1)
    path = source / "model.safetensors"
    weights = load_file(path)
    weights["score_head.bias"].zero_()
    save_file(weights, path)
    converted(source, tmp_path / "converted")
    assert "score.bias" not in written(tmp_path / "converted")
    judge = judge_of(source)
    assert stock_scores(tmp_path / "converted", texts_of(judge)) == nearly(alone(judge))


def test_one_weight_is_in_memory_at_a_time(tmp_path, monkeypatch):
    source = openrlhf.build(tmp_path / "source")
    alive, most = [], []
    read = WeightReader.read

    def watched(self, name):
        most.append(sum(one() is not None for one in alive))
        weight = read(self, name)
        alive.append(weakref.ref(weight))
        return weight

    monkeypatch.setattr(WeightReader, "read", watched)
    converted(source, tmp_path / "converted", max_shard_bytes=10**9)
    assert len(most) > 15
    assert max(most) <= 1


REFUSED = {
    "perceptron": (grm.build, "GRM.*2 linear layers.*judge=grm.*Use engine=vllm.*plugin.*torch"),
    "bias": (
        lambda folder: grm.build(folder, **grm.VARIANTS["linear"]),
        "its head has the bias -6.2.*judge=grm.*engine=torch",
    ),
    "normalized": (
        lambda folder: beaver.build(folder, do_normalize=True),
        "normalized.*judge=beaver",
    ),
    "qwen": (qwen2_reward.build, "two layers with a ReLU.*judge=qwen2-reward"),
    "inf-orm": (inf_orm.build, "INF-ORM.*judge=inf-orm"),
    "gate": (armorm.build, "judge=armorm.*ArmoRM.*several.*Use engine=torch"),
    "process": (skywork_prm.build, "judge=process.*Skywork.*Use engine=torch"),
    "images": (
        lambda folder: sequence_classification.build(folder, family="gemma3"),
        r"texts and images \(gemma3\)",
    ),
}


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=() if kind in ("perceptron", "bias", "gate") else pytest.mark.slow)
        for kind in REFUSED
    ],
)
def test_what_is_no_linear_scalar_at_one_token_is_refused_by_name(kind, tmp_path):
    build, message = REFUSED[kind]
    source = build(tmp_path / "source")
    with pytest.raises(CheckpointError, match=message):
        converted(source, tmp_path / "converted")
    assert not (tmp_path / "converted").exists()


def test_quantised_weights_are_refused(tmp_path):
    source = openrlhf.build(tmp_path / "source")
    set_values(source, quantization_config={"quant_method": "bitsandbytes", "load_in_8bit": True})
    with pytest.raises(CheckpointError, match=r"stored quantized \(bitsandbytes\)"):
        converted(source, tmp_path / "converted")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"normalize": True}, "normalize=True.*no mean"),
        ({"max_length": 100}, "max_length=100: this setting belongs to a run"),
        ({"engine": "vllm"}, "engine=vllm: this setting belongs to a run"),
        ({"template": "nothing"}, "template.*nothing"),
    ],
)
def test_settings_of_a_run_are_refused(settings, message, tmp_path):
    source = openrlhf.build(tmp_path / "source")
    with pytest.raises(ConfigurationError, match=message):
        converted(source, tmp_path / "converted", settings=settings)


def test_a_damaged_record_is_refused(ultrarm, tmp_path):
    folder = shutil.copytree(ultrarm, tmp_path / "copy")
    record = values_in(folder)["ultrarm_eval"]
    for changed, message in (
        ({**record, "template": 3}, "contain the judge and template"),
        ([], "contain the judge and template"),
        ({**record, "text_end": {"final_id": -1}}, "final_id is -1"),
        ({**record, "text_end": {"ends": 1}}, "allowed are final_id, closed_by_eos"),
        ({**record, "template": "unheard-of"}, "unheard-of"),
    ):
        set_values(folder, ultrarm_eval=changed)
        with pytest.raises((CheckpointError, ConfigurationError), match=message):
            judge_of(folder)


class TestFolder:
    def test_what_is_there_is_left_as_it_is(self, checkpoint, tmp_path):
        folder = tmp_path / "converted"
        folder.mkdir()
        (folder / "notes.txt").write_text("mine")
        for overwrite in (False, True):
            with pytest.raises(ConfigurationError, match="not a finished conversion"):
                converted(checkpoint, folder, overwrite=overwrite)
        assert [one.name for one in folder.iterdir()] == ["notes.txt"]
        with pytest.raises(ConfigurationError, match="this is a file"):
            converted(checkpoint, folder / "notes.txt")

    def test_a_finished_conversion_is_replaced_when_that_is_asked_for(
        self, checkpoint, ultrarm, tmp_path
    ):
        folder = shutil.copytree(ultrarm, tmp_path / "converted")
        with pytest.raises(ConfigurationError, match="Use --overwrite to replace it"):
            converted(checkpoint, folder)
        converted(checkpoint, folder, overwrite=True, max_shard_bytes=10**9)
        assert {one.name for one in folder.glob("*.safetensors*")} == {"model.safetensors"}
        assert [one.name for one in tmp_path.iterdir()] == ["converted"]

    @pytest.mark.slow
    def test_an_empty_folder_is_filled(self, checkpoint, tmp_path):
        (tmp_path / "converted").mkdir()
        converted(checkpoint, tmp_path / "converted")
        assert (tmp_path / "converted" / "conversion.json").is_file()

    def test_what_fails_leaves_nothing_and_keeps_what_was_there(
        self, checkpoint, ultrarm, tmp_path, monkeypatch
    ):
        folder = shutil.copytree(ultrarm, tmp_path / "converted")
        before = {one.name: one.read_bytes() for one in folder.iterdir()}
        read, count = WeightReader.read, iter(range(100))

        def failing(self, name):
            if next(count) > 9:
                raise CheckpointError("the disk is gone")
            return read(self, name)

        monkeypatch.setattr(WeightReader, "read", failing)
        with pytest.raises(CheckpointError, match="the disk is gone"):
            converted(checkpoint, folder, overwrite=True)
        assert [one.name for one in tmp_path.iterdir()] == ["converted"]
        assert {one.name: one.read_bytes() for one in folder.iterdir()} == before

    def test_a_disk_without_room_is_refused_before_anything_is_written(
        self, checkpoint, tmp_path, monkeypatch
    ):
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr("shutil.disk_usage", lambda _: usage(1, 1, 1000))
        with pytest.raises(
            ConfigurationError, match=r"need 0\.0 GiB.*0\.0 GiB of the disk are free"
        ):
            converted(checkpoint, tmp_path / "a" / "converted")
        assert list(tmp_path.iterdir()) == []
