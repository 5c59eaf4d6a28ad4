"""Checkpoints that come with code of their own, and would run through another forward pass."""

import json

import pytest

from ultrarm_eval import load_judge
from ultrarm_eval.errors import CheckpointError

CLASSIFIER, LANGUAGE_MODEL = "AutoModelForSequenceClassification", "AutoModelForCausalLM"
AUTO_OF = {
    "sequence-classification": CLASSIFIER,
    "likelihood": LANGUAGE_MODEL,
    "dpo": LANGUAGE_MODEL,
    "critique": LANGUAGE_MODEL,
}


def with_values(folder, file="config.json", **values):
    path = folder / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return folder


def judge_of(folder, judge, **settings):
    if judge == "dpo":
        settings.setdefault("reference", str(folder))
    if judge == "critique":
        settings.setdefault("max_new_tokens", 8)
    return load_judge(str(folder), judge=judge, device="cpu", **settings)


@pytest.mark.product
@pytest.mark.parametrize("family", ["llama", "gemma2"])
@pytest.mark.parametrize("judge", list(AUTO_OF))
def test_code_for_the_class_that_would_be_loaded_is_refused(write_model, judge, family):
    auto = AUTO_OF[judge]
    folder = write_model(auto, family, num_labels=1)
    judge_of(folder, judge)
    for entry in (auto, "AutoModel", "AutoConfig"):
        with_values(folder, auto_map={entry: "someone/repo--modeling_own.OwnModel"})
        with pytest.raises(CheckpointError, match=rf"modeling_own\.OwnModel.*{entry}.*never exec"):
            judge_of(folder, judge)


@pytest.mark.parametrize("judge", list(AUTO_OF))
def test_a_class_that_is_not_transformers_own_is_refused(write_model, judge):
    folder = write_model(AUTO_OF[judge], "llama", num_labels=1)
    own = json.loads((folder / "config.json").read_text())["architectures"][0]
    for name in (f"Own{own}", own.replace("Llama", "Mistral")):
        with_values(folder, architectures=[name])
        with pytest.raises(CheckpointError, match=rf"class {name}\b.*{own}|reward model, not a"):
            judge_of(folder, judge)


def test_the_reference_is_looked_at_too(write_model):
    policy = write_model(LANGUAGE_MODEL, "llama")
    reference = write_model(LANGUAGE_MODEL, "llama", name="reference")
    with_values(reference, auto_map={LANGUAGE_MODEL: "modeling_own.OwnModel"})
    with pytest.raises(CheckpointError, match=r"reference: .*modeling_own\.OwnModel"):
        judge_of(policy, "dpo", reference=str(reference))


def test_what_is_left_over_of_a_language_model_is_not_in_the_way(write_model):
    folder = write_model(CLASSIFIER, "phi3", num_labels=1, pad_token_id=0)
    left = {"AutoConfig": "own.Phi3Config", LANGUAGE_MODEL: "own.Phi3ForCausalLM"}
    with_values(folder, auto_map=left)
    judge_of(folder, "sequence-classification")
    # Without a class, nothing says that these weights are not the language model's.
    with_values(folder, architectures=None)
    with pytest.raises(CheckpointError, match=r"own\.Phi3ForCausalLM"):
        judge_of(folder, "sequence-classification")


@pytest.mark.few(2)
@pytest.mark.parametrize("name", ["LlamaRewardModel", "EurusRM", "LlamaForCausalLM", None])
def test_names_of_ultrarms_layout_are_no_other_code(checkpoint, tmp_path, name):
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(checkpoint, folder)
    code = {"AutoModel": "modeling_llama_rm.LlamaRewardModel"}
    with_values(folder, architectures=name and [name], auto_map=code)
    load_judge(str(folder), judge="ultrarm")
    for values in ({"architectures": ["GatedLlama"]}, {"auto_map": {"AutoModel": "own.Gated"}}):
        with_values(folder, **{"architectures": None, "auto_map": code, **values})
        with pytest.raises(CheckpointError, match=r"GatedLlama|own\.Gated"):
            load_judge(str(folder), judge="ultrarm")


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_a_tokenizer_of_its_own_is_refused(write_model, file):
    folder = write_model(CLASSIFIER, "llama", num_labels=1)
    judge_of(folder, "sequence-classification")
    with_values(folder, file, auto_map={"AutoTokenizer": ["tokenization_own.OwnTokenizer", None]})
    with pytest.raises(CheckpointError, match=rf"{file}.*tokenization_own\.OwnTokenizer"):
        judge_of(folder, "sequence-classification")
