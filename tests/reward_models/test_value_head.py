"""`head=NAME`: a head of one's own, recognised from its weights."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.reward_models.as_published import TEXTS, equal, judge_of, stored, write
from tests.reward_models.published import athene, grm, starling
from tests.reward_models.published.reference import Reference
from ultrarm_eval.errors import CheckpointError, ConfigurationError
from ultrarm_eval.judges.auto import recognise

PROMPTS, COMPLETIONS = map(list, zip(*TEXTS, strict=True))


def renamed(folder, head, name, **values):
    """Renames a head, and says other things in config.json."""
    path = folder / "model.safetensors"
    weights = load_file(path)
    for key in [key for key in weights if key.startswith(head)]:
        weights[name + key.removeprefix(head)] = weights.pop(key)
    save_file(weights, path, metadata={"format": "pt"})
    path = folder / "config.json"
    kept = {k: v for k, v in json.loads(path.read_text()).items() if not k.startswith("vhead_")}
    kept.pop("auto_map", None)
    path.write_text(json.dumps({**kept, **values}))
    return folder


@pytest.fixture(scope="module")
def mlp(tmp_path_factory):
    """A published GRM, of which nothing says any more what its head is."""
    published = grm.build(tmp_path_factory.mktemp("grm") / "published")
    rewards = [grm.reference(published, grm.text_ids(published, *text)) for text in TEXTS]
    return renamed(published, "v_head.summary", "out.reward"), rewards


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    """The same with one layer."""
    published = grm.build(tmp_path_factory.mktemp("grm") / "published", head="linear")
    rewards = [grm.reference(published, grm.text_ids(published, *text)) for text in TEXTS]
    return renamed(published, "v_head.summary", "out.reward"), rewards


@pytest.mark.product
@pytest.mark.parametrize("head", ["out.reward", "out", "out."])
@pytest.mark.parametrize("judge", ["auto", "value-head"])
def test_a_perceptron_is_read_by_how_its_names_begin(mlp, head, judge):
    folder, rewards = mlp
    found = judge_of(folder, judge, head=head).score(PROMPTS, COMPLETIONS)
    assert found == [equal(one.reward) for one in rewards]


@pytest.mark.parametrize("head", ["out.reward.weight", "out.reward", "out"])
def test_a_linear_head_and_its_bias_are_read_by_the_weight(linear, head):
    folder, rewards = linear
    judge = judge_of(folder, head=head)
    assert judge.score(PROMPTS, COMPLETIONS) == [equal(one.reward) for one in rewards]
    assert judge.settings()["head"] == head
    assert judge.identifies()["head"] == head


def test_a_head_without_bias_is_read_behind_the_class_that_config_json_names(tmp_path):
    folder = athene.build(tmp_path / "checkpoint")
    judge = judge_of(folder, "value-head", head="v_head.weight")
    ids = list(judge.encoded(PROMPTS[0], COMPLETIONS[0]))
    assert athene.CLS_ID not in ids
    # Athene's reference reads at the last CLS token, and there is none.
    expected = _last_token(athene, folder, ids)
    assert judge.score(PROMPTS[:1], COMPLETIONS[:1]) == [equal(expected.reward)]


def _last_token(module, folder, ids):
    from tests.reward_models.tiny.heads import dense
    from tests.reward_models.tiny.weights import below, hidden_states, read_config, read_weights

    tensors = read_weights(folder)
    states = hidden_states(read_config(folder), below("model.", tensors), ids)
    return Reference(reward=float(dense(tensors, "v_head", states[-1])))


def test_a_body_under_another_name_is_found(tmp_path):
    folder = starling.build(tmp_path / "checkpoint", size="34b", shards=2)
    judge = judge_of(folder, head="v_head", template="starling-34b")
    found = judge.score(PROMPTS, COMPLETIONS)
    ids = [starling.text_ids(folder, *text) for text in TEXTS]
    assert found == [equal(starling.reference(folder, row).reward) for row in ids]


@pytest.mark.few(2)
@pytest.mark.parametrize("family", ["gpt2", "gpt_neox", "opt", "gemma2"])
def test_any_decoder_of_transformers_can_have_one(tmp_path, family, mlp):
    """The hidden states are those of transformers' own class."""
    import shutil

    import transformers

    sizes = {"vocab_size": 128300, "hidden_size": 16, "intermediate_size": 32}
    sizes |= {"num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 512}
    sizes |= {"word_embed_proj_dim": 16, "ffn_dim": 32} if family == "opt" else {}
    sizes |= {"head_dim": 4, "num_key_value_heads": 2} if family == "gemma2" else {}
    config = transformers.AutoConfig.for_model(family, **sizes)
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    folder = tmp_path / "checkpoint"
    model.eval().save_pretrained(folder)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(mlp[0] / file, folder)
    path = folder / "model.safetensors"
    head = torch.randn(1, 16) * 3
    save_file({**load_file(path), "mine.weight": head}, path, metadata={"format": "pt"})
    judge = judge_of(folder, head="mine", attn_implementation="eager")
    found = judge.score(PROMPTS, COMPLETIONS)
    for prompt, completion, reward in zip(PROMPTS, COMPLETIONS, found, strict=True):
        ids = torch.tensor([list(judge.encoded(prompt, completion))])
        with torch.no_grad():
            states = model.base_model(ids).last_hidden_state
        assert reward == equal(float(states[0, -1] @ head[0]))


def test_what_is_not_there_is_refused_with_what_there_is(mlp):
    with pytest.raises(
        CheckpointError, match=r"head=value_head names none of its weights.*out\.reward"
    ):
        judge_of(mlp[0], head="value_head.weight")


def test_a_part_of_the_body_is_no_head(mlp):
    with pytest.raises(CheckpointError, match=r"head=model\.norm is a part of the body.*out"):
        judge_of(mlp[0], head="model.norm.weight")


def test_a_head_of_several_numbers_is_refused(mlp):
    with pytest.raises(CheckpointError, match=r"head=lm_head.*\[128257, 16\].*\[1, 16\]"):
        judge_of(mlp[0], head="lm_head.weight")


@pytest.mark.parametrize("head", [None, "", "."])
def test_a_judge_without_a_name_asks_for_one(mlp, head):
    with pytest.raises(ConfigurationError, match=r"head=v_head\.weight"):
        judge_of(mlp[0], "value-head", head=head)


def test_auto_alone_says_how_to_name_a_value_head(tmp_path):
    published = grm.build(tmp_path / "published")
    folder = renamed(published, "v_head", "v_head")
    advice = r"critic of a policy.*name the head: head=v_head\.summary"
    with pytest.raises(CheckpointError, match=advice):
        recognise(str(folder))


def test_code_that_comes_along_is_refused(tmp_path):
    folder = grm.build(tmp_path / "published")
    path = folder / "config.json"
    said = json.loads(path.read_text())
    said["auto_map"] = {"AutoModel": "modeling_mine.MyModel"}
    path.write_text(json.dumps(said))
    with pytest.raises(CheckpointError, match=r"modeling_mine\.MyModel.*never\s+executed"):
        judge_of(folder, head="v_head")


def test_another_name_is_another_fingerprint(linear):
    one = judge_of(linear[0], head="out").fingerprint()
    assert one != judge_of(linear[0], head="out.reward").fingerprint()


@pytest.fixture(params=["value_head.bin", "value_head.safetensors"])
def in_a_file(request, tmp_path):
    """A language model with its value head in a file of its own, as LLaMA-Factory saves it."""
    published = grm.build(tmp_path / "published", head="linear")
    rewards = [grm.reference(published, grm.text_ids(published, *text)) for text in TEXTS]
    folder = renamed(published, "v_head", "v_head")
    path, weights = stored(folder, "v_head.summary.weight")
    head = {key: weights.pop(key) for key in list(weights) if key.startswith("v_head.")}
    write(path, weights)
    write(folder / request.param, head)
    return folder, request.param, rewards


def test_a_head_in_a_file_of_its_own_is_read(in_a_file):
    folder, file, rewards = in_a_file
    found = judge_of(folder, head=f"{file}:v_head.summary").score(PROMPTS, COMPLETIONS)
    assert found == [equal(one.reward) for one in rewards]


def test_auto_names_a_head_in_a_file_of_its_own(in_a_file):
    folder, file, _ = in_a_file
    with pytest.raises(CheckpointError, match=f"head={file}:v_head.summary"):
        recognise(str(folder))


def test_a_file_that_is_not_there_is_refused(mlp):
    with pytest.raises(CheckpointError, match=r"value_head\.bin"):
        judge_of(mlp[0], head="value_head.bin:v_head.summary")


def test_layers_are_said_to_be_read_with_a_relu_between(mlp, linear, caplog):
    judge_of(linear[0], head="out")
    assert "ReLU" not in caplog.text
    judge_of(mlp[0], head="out")
    assert "A ReLU is assumed" in caplog.text


def test_a_classifiers_head_is_said_to_be_read_elsewhere_than_its_class_does(tmp_path, caplog):
    from tests.reward_models.published import sequence_classification

    folder = sequence_classification.build(
        tmp_path / "checkpoint", **sequence_classification.VARIANTS["pad_is_eos"]
    )
    own, named = judge_of(folder), judge_of(folder, head="score")
    assert "names the class Gemma2ForSequenceClassification" in caplog.text
    assert "without head=, judge=auto" in caplog.text
    # It is what is warned of: the two read different tokens, and store rewards apart.
    assert own.score(["q"], ["a"]) != named.score(["q"], ["a"])
    assert own.fingerprint() != named.fingerprint()
