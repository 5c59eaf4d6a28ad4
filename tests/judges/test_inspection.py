"""What `ultrarm-eval inspect-checkpoint` says, and that it loads nothing heavy."""

import json
import shlex

import pytest
import torch
from safetensors.torch import load_file, save_file

from ultrarm_eval import load_judge
from ultrarm_eval.cli import main
from ultrarm_eval.errors import DeviceError
from ultrarm_eval.judges.inspection import inspect_checkpoint

CLASSIFIER, LANGUAGE_MODEL = "AutoModelForSequenceClassification", "AutoModelForCausalLM"


def lines(capsys):
    """The two columns of the text, by the first."""
    return dict(
        line.split(None, 1) for line in capsys.readouterr().out.splitlines() if line.strip()
    )


def test_it_says_how_the_reward_of_the_demo_is_read(capsys):
    assert main(["inspect-checkpoint", "demo"]) == 0
    shown = lines(capsys)
    assert shown["judge"].startswith("ultrarm")
    assert shown["head"] == "regression_head.weight [1, 128]"
    assert shown["template"] == "ultrarm; the tokenizer has no chat template"
    assert "Human: QUESTION" in capsys.readouterr().out or "judge=ultrarm" in "".join(
        shown.values()
    )


def test_json_has_what_the_text_says(capsys):
    assert main(["inspect-checkpoint", "demo", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads(json.dumps(inspect_checkpoint("demo")))
    assert found["text"] == "<s> Human: QUESTION\n\nAssistant: ANSWER"
    assert found["parameters"] == load_judge("demo").checkpoint.parameter_count()
    assert found["weight_bytes"]["float32"] == 4 * found["parameters"]


def test_settings_change_what_is_shown():
    assert inspect_checkpoint("demo", template="raw")["text"] == "<s> ANSWER"
    assert inspect_checkpoint("demo", template="rewardbench")["text"].endswith("ANSWER\n\n</s>")


def test_the_padding_token_that_is_not_read_is_named(write_model):
    folder = write_model(CLASSIFIER, "llama", num_labels=1, pad_token_id=2)
    found = inspect_checkpoint(str(folder))
    assert found["judge"] == "sequence-classification"
    assert found["unread_padding"] == found["padding"] == "</s> (2)"
    # The chat template closes the answer's turn with this token, and the model reads before it.
    assert not found["text"].endswith("</s>")


def test_a_model_run_by_its_own_class_is_read_before_its_padding_token(write_model):
    folder = write_model(CLASSIFIER, "gemma2", num_labels=1, pad_token_id=2)
    found = inspect_checkpoint(str(folder))
    assert found["unread_padding"] == "</s> (2)"
    # That class is given the whole text, and reads it before the `</s>` that closes it.
    assert found["text"].endswith("</s>")
    total = len(load_judge(str(folder), judge="auto", device="cpu").encoded("QUESTION", "ANSWER"))
    (read_at,) = found["read_at"]
    assert read_at.endswith(f"token {total - 1} of {total}")


@pytest.mark.parametrize(
    ("auto", "family", "settings"),
    [
        (CLASSIFIER, "bert", {"num_labels": 1}),
        (LANGUAGE_MODEL, "llama", {"judge": "likelihood"}),
    ],
)
def test_no_token_is_named_where_the_reward_is_not_one_token_s(
    write_model, capsys, auto, family, settings
):
    config = {name: value for name, value in settings.items() if name != "judge"}
    folder = write_model(auto, family, **config)
    judge = settings.get("judge", "auto")
    assert inspect_checkpoint(str(folder), judge=judge)["read_at"] == []
    assert main(["inspect-checkpoint", str(folder), "--judge", judge]) == 0
    assert "read at" not in capsys.readouterr().out


def test_what_it_says_to_run_survives_a_shell(write_model, tmp_path, capsys):
    folder = write_model(LANGUAGE_MODEL, "llama", name="a model's folder")
    arguments = ["--judge", "likelihood", "--judge-args", "reduction=sum"]
    assert main(["inspect-checkpoint", str(folder), *arguments]) == 0
    command = capsys.readouterr().out.partition("run it")[2]
    words = shlex.split(command)
    named = words[words.index("--model_args") + 1]
    assert named == f"pretrained={folder},judge=likelihood,reduction=sum"


def renamed_head(folder, name, classes=None):
    """Gives the head of a classifier another name; None leaves it out."""
    path = folder / "model.safetensors"
    weights = load_file(path)
    head = weights.pop("score.weight")
    save_file(weights | ({} if name is None else {name: head}), path, metadata={"format": "pt"})
    if classes is not None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"architectures": classes}))
    return folder


@pytest.mark.few(1)
@pytest.mark.parametrize("classes", [None, ["MyRewardModel"]])
def test_a_head_of_ones_own_is_named_and_the_name_works(write_model, classes):
    folder = write_model(CLASSIFIER, "gemma2", num_labels=1)
    rewards = load_judge(str(folder), judge="auto", device="cpu").score(["a"], ["b"])
    renamed_head(folder, "my_scorer.weight", classes)
    refused = inspect_checkpoint(str(folder))["refused"]
    assert refused.endswith("name the head: head=my_scorer.")
    found = inspect_checkpoint(str(folder), head="my_scorer")
    assert found["judge"] == "value-head"
    named = load_judge(str(folder), judge="auto", head="my_scorer", device="cpu")
    torch.testing.assert_close(named.score(["a"], ["b"]), rewards, atol=1e-5, rtol=1e-5)


def test_no_judge_is_said_to_take_what_has_no_head(write_model):
    folder = renamed_head(write_model(CLASSIFIER, "gemma2", num_labels=1), None)
    refused = inspect_checkpoint(str(folder))["refused"]
    assert "lack 'score.weight'" in refused
    assert refused.endswith("No judge of this package supports it.")


def test_an_encoders_head_is_not_called_one_that_can_be_named(write_model):
    folder = write_model(CLASSIFIER, "bert", num_labels=1)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["MyRewardModel"]}))
    assert "head=" not in inspect_checkpoint(str(folder))["refused"]


def test_no_weights_are_loaded(write_model, monkeypatch):
    from ultrarm_eval.checkpoints import model_loading

    def refuse(*_, **__):
        raise AssertionError("weights were loaded")

    monkeypatch.setattr(model_loading, "_loaded", refuse)
    assert "refused" not in inspect_checkpoint(str(write_model(CLASSIFIER, "gemma2", num_labels=1)))


def test_what_no_judge_takes_is_shown_with_the_reason(write_model, capsys):
    folder = write_model(LANGUAGE_MODEL, "llama")
    assert main(["inspect-checkpoint", str(folder)]) == 1
    shown = lines(capsys)
    assert shown["family"] == "llama (LlamaForCausalLM)"
    assert "judge=likelihood" in shown["refused"]
    assert main(["inspect-checkpoint", str(folder), "--judge", "likelihood"]) == 0


def test_what_is_no_checkpoint_cannot_be_used(tmp_path, capsys):
    assert main(["inspect-checkpoint", str(tmp_path)]) == 2
    assert "there is no config.json" in capsys.readouterr().err


def test_a_judge_without_a_checkpoint_has_none_to_look_into(capsys):
    assert main(["inspect-checkpoint", "demo", "--judge", "auto", "--judge-args", "nothing=1"]) == 2
    assert "'nothing'" in capsys.readouterr().err


def test_weights_that_do_not_fit_into_memory_are_inspected_all_the_same(write_model):
    folder = write_model(CLASSIFIER, "llama", num_labels=1)
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", framework="pt") as weights:
        keys = list(weights.keys())
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    index = {
        "metadata": {"total_size": 10**15},
        "weight_map": dict.fromkeys(keys, "part.safetensors"),
    }
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(DeviceError, match="The weights need"):
        load_judge(str(folder), judge="auto", device="cpu")
    assert inspect_checkpoint(str(folder))["weight_bytes"]["float32"] == 10**15
