"""`ultrarm-eval convert`: what it prints, and what it refuses."""

import json
import re

import pytest

from tests.reward_models.published import openrlhf, sequence_classification
from ultrarm_eval.cli import main
from ultrarm_eval.cli.convert import byte_count
from ultrarm_eval.errors import ConfigurationError


@pytest.fixture
def shown(capsys):
    """What the command prints, line by line."""

    def run(*arguments):
        status = main(["convert", *map(str, arguments)])
        found = capsys.readouterr()
        assert status == 0, found.err
        return [re.split(r"  +", line, maxsplit=1) for line in found.out.splitlines()]

    return run


@pytest.fixture
def refused(capsys):
    def run(*arguments):
        assert main(["convert", *map(str, arguments)]) == 2
        found = capsys.readouterr()
        assert found.out == ""
        return found.err

    return run


def test_it_says_what_was_written_and_how_it_is_served(shown, checkpoint, tmp_path):
    folder = tmp_path / "a b"
    lines = shown(checkpoint, "-o", folder, "--max-shard-size", "20KB")
    said = dict(lines)
    assert said["written"] == f"{folder} (LlamaForSequenceClassification)"
    files = len(list(folder.glob("*.safetensors")))
    assert re.fullmatch(rf"0\.1 MiB in {files} files: 21 in float32", said["weights"])
    provenance = json.loads((folder / "conversion.json").read_text())
    assert said["SHA-256"] == provenance["tensors_digest"]
    assert said["judge"].startswith("was ultrarm")
    assert said["template"].startswith("ultrarm (recorded in config.json")
    assert said["padding"].startswith("<unk> (0)")
    # The judge's own max_length, so that no server cuts or refuses its texts.
    assert said["vllm"] == (
        f"vllm serve '{folder}' --runner pooling --dtype float32 --max-model-len 256"
    )
    assert said["sglang"] == (
        f"python -m sglang.launch_server --model-path '{folder}' --is-embedding --dtype float32 "
        "--context-length 256"
    )
    assert said["tei"].startswith("supports only classifiers of encoders")
    assert f"pretrained='{folder}',engine=server,base_url=" in said["rewards"]


def test_what_it_wrote_is_recognised(shown, checkpoint, tmp_path, capsys):
    shown(checkpoint, "-o", tmp_path / "converted", "--template", "ultrarm-one-newline")
    assert main(["inspect-checkpoint", str(tmp_path / "converted"), "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["judge"] == "sequence-classification"
    assert said["template"] == "ultrarm-one-newline"
    assert said["text"].endswith("Human: QUESTION\nAssistant: ANSWER")


@pytest.mark.slow
def test_the_servers_that_are_named_know_the_class(shown, tmp_path):
    encoder = sequence_classification.build(tmp_path / "encoder", family="modernbert")
    said = dict(shown(encoder, "-o", tmp_path / "a"))
    assert said["tei"] == f"text-embeddings-router --model-id {tmp_path / 'a'} --port 8080"
    assert said["sglang"] == "does not support ModernBertForSequenceClassification"
    assert "already" in said["note"]
    gemma = sequence_classification.build(tmp_path / "gemma")
    said = dict(shown(gemma, "-o", tmp_path / "b"))
    assert "--is-embedding" in said["sglang"]
    assert said["tei"].endswith("of encoders, not Gemma2ForSequenceClassification")


def test_judge_and_settings_are_named_as_in_other_commands(shown, tmp_path):
    source = openrlhf.build(tmp_path / "source")
    lines = shown(
        *(source, "--judge", "value-head", "--judge-args", "head=score", "-o", tmp_path / "a")
    )
    assert dict(lines)["judge"].startswith("was value-head")
    provenance = json.loads((tmp_path / "a" / "conversion.json").read_text())
    assert provenance["source"]["head"] == "score"


def test_a_conversion_is_replaced_with_overwrite_alone(shown, refused, checkpoint, tmp_path):
    shown(checkpoint, "-o", tmp_path / "a")
    assert "Use --overwrite to replace it" in refused(checkpoint, "-o", tmp_path / "a")
    lines = shown(checkpoint, "-o", tmp_path / "a", "--overwrite", "--dtype", "bfloat16")
    assert "2 in float32" in dict(lines)["weights"]
    assert "19 in bfloat16" in dict(lines)["weights"]
    assert ["note", "19 weights are rounded to bfloat16; --dtype float32 keeps every bit"] in lines


def test_what_cannot_be_converted_is_said(refused, checkpoint, tmp_path):
    folder = tmp_path / "a"
    assert "setting belongs to a run" in refused(
        checkpoint, "-o", folder, "--judge-args", "max_length=64"
    )
    assert "--max-shard-size 3 pages" in refused(
        checkpoint, "-o", folder, "--max-shard-size", "3 pages"
    )
    assert "no such folder" in refused(tmp_path / "nothing", "-o", folder)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("size", "count"),
    [
        ("5GB", 5 * 10**9),
        ("2GiB", 2 * 1024**3),
        ("500mb", 5 * 10**8),
        ("1.5 KiB", 1536),
        ("12", 12),
        ("7B", 7),
    ],
)
def test_sizes_are_bytes(size, count):
    assert byte_count(size) == count


@pytest.mark.parametrize("size", ["0", "-1GB", "GB", "5 pages", "", "0.1", "1e9"])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(ConfigurationError, match="number of bytes above 0"):
        byte_count(size)
