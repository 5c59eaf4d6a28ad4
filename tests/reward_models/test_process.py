"""Process reward models: every layout as published, and one judge around them."""

from __future__ import annotations

import io
import logging
import math
import shutil

import pytest
import torch

from tests.reward_models.published import math_shepherd, qwen2_prm, rlhflow_prm, skywork_prm
from ultrarm_eval import load_judge
from ultrarm_eval.errors import (
    CheckpointError,
    ConfigurationError,
    ScoringError,
    UnwritableTextError,
)
from ultrarm_eval.judges.auto import recognise
from ultrarm_eval.judges.loading import make_judge

#: A fixture, what a folder of it is called, and its aggregation.
KINDS = {
    "qwen2-prm": (qwen2_prm, "checkpoint", "product"),
    "skywork-prm": (skywork_prm, "checkpoint", "min"),
    "math-shepherd": (math_shepherd, "math-shepherd-mistral-7b-prm", "min"),
    "rlhflow-prm": (rlhflow_prm, "Llama3.1-8B-PRM-Mistral-Data", "mean"),
}
#: What rounding in float32 explains: a batch adds in another order than one text alone, and with
#: several threads in another one again (1.02e-6 was seen).
ROUNDING = 1e-5
CASES = [(name, variant) for name, (kind, *_) in KINDS.items() for variant in ("", *kind.VARIANTS)]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Builds each checkpoint once."""
    found = {}

    def build(layout, variant=""):
        if (layout, variant) not in found:
            kind, name, _ = KINDS[layout]
            folder = tmp_path_factory.mktemp(layout) / name
            kind.build(folder, **(kind.VARIANTS[variant] if variant else {}))
            found[layout, variant] = folder
        return found[layout, variant]

    return build


@pytest.fixture(scope="module")
def judge_of(built):
    """Loads each judge once."""
    found = {}

    def load(layout, variant="", **settings):
        key = (layout, variant, *sorted(settings.items()))
        if key not in found:
            folder = str(built(layout, variant))
            found[key] = load_judge(folder, judge="process", device="cpu", **settings)
        return found[key]

    return load


def texts(layout):
    prompts, steps = zip(*KINDS[layout][0].TEXTS, strict=True)
    return list(prompts), list(steps)


def references(layout, folder):
    kind = KINDS[layout][0]
    found = []
    for prompt, steps in kind.TEXTS:
        ids = kind.text_ids(folder, prompt, steps)
        found.append((ids, kind.reference(folder, ids)))
    return found


def step_rewards(judge, prompts, completions):
    judgements = dict(judge.judgements(prompts, completions))
    return [judgements[i].extra["step_rewards"] for i in range(len(completions))]


@pytest.mark.few(4)
@pytest.mark.parametrize(("layout", "variant"), CASES)
def test_auto_recognises_it_and_says_how_it_is_read(built, layout, variant, caplog):
    folder = built(layout, variant)
    assert recognise(str(folder)) == "process"
    with caplog.at_level(logging.INFO):
        judge = make_judge("auto", {"pretrained": str(folder), "device": "cpu"})
    assert judge.settings()["layout"] == layout
    assert judge.settings()["aggregate"] == KINDS[layout][2]
    assert "computed from its step rewards" in caplog.text
    assert f"aggregate={KINDS[layout][2]}" in caplog.text


@pytest.mark.product
@pytest.mark.parametrize(("layout", "variant"), CASES)
@pytest.mark.parametrize("batching", ["auto", "packed", "padded"])
def test_the_rewards_are_the_references(built, judge_of, layout, variant, batching):
    judge = judge_of(layout, variant, batching=batching)
    prompts, completions = texts(layout)
    found = dict(judge.judgements(prompts, completions))
    for index, (ids, reference) in enumerate(references(layout, built(layout, variant))):
        assert list(judge.encoded(prompts[index], completions[index])) == ids
        assert found[index].value == pytest.approx(reference.reward, abs=1e-5)
        assert found[index].extra["step_rewards"] == pytest.approx(reference.steps, abs=1e-5)


@pytest.mark.few(2)
@pytest.mark.parametrize("layout", KINDS)
def test_a_text_is_scored_alike_alone_and_among_others(judge_of, layout):
    judge = judge_of(layout)
    prompts, completions = texts(layout)
    together = judge.score(prompts, completions)
    alone = [judge.score([p], [c])[0] for p, c in zip(prompts, completions, strict=True)]
    assert alone == pytest.approx(together, abs=ROUNDING)
    assert judge.score_one_at_a_time(prompts, completions) == pytest.approx(together, abs=ROUNDING)


@pytest.mark.slow
@pytest.mark.parametrize("layout", KINDS)
def test_every_wrong_reading_gives_another_reward(built, judge_of, layout):
    kind, folder = KINDS[layout][0], built(layout)
    found = judge_of(layout).score(*texts(layout))
    rows = [ids for ids, _ in references(layout, folder)]
    for name, wrong in kind.MUTATIONS.items():
        apart = [abs(wrong(folder, row) - own) for row, own in zip(rows, found, strict=True)]
        assert max(apart) > 1e-3, name


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        ("min", min),
        ("product", math.prod),
        ("last", lambda steps: steps[-1]),
        ("mean", lambda steps: sum(steps) / len(steps)),
    ],
)
def test_aggregates(judge_of, built, aggregate, expected):
    judge = judge_of("skywork-prm", aggregate=aggregate)
    found = judge.score(*texts("skywork-prm"))
    for reward, (_, reference) in zip(
        found, references("skywork-prm", built("skywork-prm")), strict=True
    ):
        assert reward == pytest.approx(expected(reference.steps), abs=1e-5)


@pytest.mark.parametrize(
    ("layout", "text", "steps"),
    [
        ("qwen2-prm", "One.\n\nTwo\nhere.\n\n\n", ["One.", "Two\nhere."]),
        ("skywork-prm", "One.\n\nTwo.", ["One.", "", "Two."]),
        ("math-shepherd", "Step 1: One. ки\nStep 2: Two. ки", ["Step 1: One.", "Step 2: Two."]),
        (
            "math-shepherd",
            "Step 1: One.\nmore\nStep 2: Two.",
            ["Step 1: One.\nmore", "Step 2: Two."],
        ),
        ("rlhflow-prm", "One.\n\nTwo.", ["One.", "Two."]),
    ],
)
def test_a_text_is_split_as_the_layout_does(judge_of, layout, text, steps):
    judge = judge_of(layout)
    assert judge.encoded("Why?", text) == judge.encoded("Why?", steps)


def test_a_separator_of_ones_own(judge_of):
    steps = ["One.", "Two."]
    whole = judge_of("qwen2-prm")
    for separator, text in (
        ("ки", "One. ки\nTwo. ки"),
        ("line", "One.\nTwo."),
        (r"\n#\n", "One.\n#\nTwo."),
    ):
        judge = judge_of("qwen2-prm", separator=separator)
        assert judge.encoded("Why?", text) == whole.encoded("Why?", steps)
        assert judge.settings()["separator"] == separator
    assert whole.fingerprint() != judge.fingerprint()
    assert whole.fingerprint() != judge_of("qwen2-prm", aggregate="min").fingerprint()
    assert whole.fingerprint() == judge_of("qwen2-prm", aggregate="product").fingerprint()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"separator": "blank_line"}, "did you mean blank-line.*separator=text:blank_line"),
        ({"separator": ""}, "is empty"),
        ({"aggregate": "sum"}, "min"),
        ({"layout": "qwen"}, "qwen2-prm"),
        ({"layout": "skywork-prm"}, "which has layout=qwen2-prm. Remove layout"),
        ({"parity": "rewardbench"}, "no official runs of process reward models"),
    ],
)
def test_settings_that_are_refused(built, settings, said):
    with pytest.raises(ConfigurationError, match=f"(?s){said}"):
        load_judge(str(built("qwen2-prm")), judge="process", device="cpu", **settings)


def test_what_a_text_spells_ends_no_step(judge_of, built, caplog):
    judge = load_judge(str(built("qwen2-prm")), judge="process", device="cpu")
    prompts, steps = ["Say <extra_0> twice"], [["One <extra_0> and", "two."]]
    tag = judge.tokenizer.convert_tokens_to_ids("<extra_0>")
    tokens = judge.encoded(prompts[0], steps[0])
    assert list(tokens).count(tag) == 2
    assert [list(tokens)[at] for at in tokens.reads] == [tag, tag]
    with caplog.at_level(logging.WARNING):
        assert len(step_rewards(judge, prompts, steps)[0]) == 2
    assert judge.settings()["counts"]["spelled_step_end"] == 1
    assert "ends no step" in caplog.text
    # Parsed as a token it is one, and ends no step either.
    parsing = judge_of("qwen2-prm", special_tokens="parse")
    tokens = parsing.encoded(prompts[0], steps[0])
    assert list(tokens).count(tag) == 4
    assert len(tokens.reads) == 2


def test_a_tag_within_a_sentencepiece_text_ends_no_step(built):
    judge = load_judge(str(built("math-shepherd")), judge="process", device="cpu")
    steps = ["Step 1: see ки here", "Step 2: done"]
    (tag,) = judge.tokenizer.encode("ки", add_special_tokens=False)
    tokens = judge.encoded("What is ки?", steps)
    assert list(tokens).count(tag) > len(tokens.reads) == 2
    assert len(step_rewards(judge, ["What is ки?"], [steps])[0]) == 2
    assert judge.settings()["counts"]["spelled_step_end"] == 1


@pytest.mark.few(1)
@pytest.mark.parametrize("layout", KINDS)
def test_steps_that_are_cut_off_have_no_reward_and_are_counted(built, layout, caplog):
    kind, folder = KINDS[layout][0], built(layout)
    whole = load_judge(str(folder), judge="process", device="cpu")
    prompt, steps = "Why?", ["This is the first.", "This is the second.", "And the third."]
    tokens = whole.encoded(prompt, steps)
    room = len(tokens) - tokens.reads[0]
    judge = load_judge(str(folder), judge="process", device="cpu", max_length=room)
    with caplog.at_level(logging.WARNING):
        (found,) = step_rewards(judge, [prompt], [steps])
    assert found[0] is None
    assert len(found) == 3
    counts = judge.settings()["counts"]
    assert (counts["steps_cut"], counts["truncated"]) == (1, 1)
    assert "max_length cuts off steps" in caplog.text
    # What is left is read as the model reads these ids.
    cut = judge.encoded(prompt, steps)
    assert len(cut) == room
    if layout != "skywork-prm":
        expected = kind.reference(folder, list(cut)).steps[-2:]
        assert found[1:] == pytest.approx(expected, abs=1e-5)


def test_a_text_without_a_step_left_is_refused(judge_of):
    judge = judge_of("qwen2-prm", max_length=3)
    with pytest.raises(ScoringError, match=r"no step remains.*Set a larger max_length"):
        judge.score(["Why?"], [["One."]])


def test_texts_that_differ_in_what_was_cut_off_alone_say_so(built, tmp_path):
    store = str(tmp_path / "store.sqlite")
    steps = ["The same end of both answers."]
    judge = load_judge(
        str(built("qwen2-prm")), judge="process", device="cpu", max_length=30, score_store=store
    )
    given = (["Why?"] * 2, [["a" * 40, *steps], ["b", "a" * 40, *steps]])
    found = step_rewards(judge, *given)
    assert [len(one) for one in found] == [2, 3]
    assert found[0][-1] == pytest.approx(found[1][-1], abs=ROUNDING)
    again = load_judge(
        str(built("qwen2-prm")), judge="process", device="cpu", max_length=30, score_store=store
    )
    assert step_rewards(again, *given) == found


@pytest.mark.few(1)
@pytest.mark.parametrize("layout", KINDS)
def test_a_store_gives_the_same_again(built, layout, tmp_path):
    settings = {"device": "cpu", "score_store": str(tmp_path / "store.sqlite")}
    folder, given = str(built(layout)), texts(layout)
    first = dict(load_judge(folder, judge="process", **settings).judgements(*given))
    judge = make_judge("process", {"pretrained": folder, **settings})
    assert dict(judge.judgements(*given)) == first
    assert judge.network.runner is None
    # Steps are as before, and what they become is another reward.
    other = make_judge("process", {"pretrained": folder, **settings, "aggregate": "last"})
    for one, was in zip(other.judgements(*given), first.values(), strict=True):
        assert one[1].value == pytest.approx(was.extra["step_rewards"][-1], abs=1e-6)


@pytest.mark.parametrize("layout", ["skywork-prm", "math-shepherd", "rlhflow-prm"])
def test_layouts_that_take_a_question_say_what_to_do_with_turns(judge_of, layout):
    judge = judge_of(layout)
    turn = {"role": "user", "content": "Why?"}
    assert judge.encoded([turn], ["So."]) == judge.encoded("Why?", ["So."])
    system = {"role": "system", "content": "Be brief."}
    with pytest.raises(UnwritableTextError, match="its turns are system, user.*system=fold"):
        judge.check([[system, turn]], ["So."])
    folding = judge_of(layout, system="fold")
    assert folding.encoded([system, turn], ["So."]) == judge.encoded("Be brief.\n\nWhy?", ["So."])


def test_a_system_turn_of_ones_own_is_written_instead(judge_of, built):
    judge, folder = judge_of("qwen2-prm"), built("qwen2-prm")
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    assert list(judge.encoded(turns, ["So."])) == qwen2_prm.text_ids(folder, turns, ["So."])


@pytest.mark.parametrize("layout", KINDS)
def test_a_completion_without_a_prompt_or_a_text_is_scored(judge_of, layout):
    judge = judge_of(layout)
    for found in step_rewards(judge, [None, "Why?"], ["So it is.", ""]):
        assert len(found) == 1
        assert 0 < found[0] < 1


@pytest.mark.parametrize(
    ("completion", "said"),
    [([], "an empty list of steps"), ([1], "a list of texts [(]its steps[)]"), (None, "NoneType")],
)
def test_completions_that_are_none(judge_of, completion, said):
    with pytest.raises(ScoringError, match=f"Completion 0.*{said}"):
        judge_of("qwen2-prm").score(["Why?"], [completion])


def test_answers_of_one_step_are_counted_and_said(built, caplog):
    judge = load_judge(str(built("qwen2-prm")), judge="process", device="cpu")
    with caplog.at_level(logging.WARNING):
        judge.score(["Why?", "Why?"], ["So.", "So.\n\nAnd so."])
    assert judge.settings()["counts"]["one_step"] == 1
    assert "separator=" in caplog.text


def test_a_template_is_refused_where_the_layout_has_its_own(built, judge_of):
    for layout in ("skywork-prm", "math-shepherd"):
        with pytest.raises(ConfigurationError, match=f"template={layout}. Remove template"):
            judge_of(layout, template="raw")
        assert judge_of(layout, template=layout).fingerprint() == judge_of(layout).fingerprint()


def test_rewards_after_tokens_are_refused_with_the_reason(judge_of):
    with pytest.raises(ConfigurationError, match="only at step ends.*step_rewards"):
        judge_of("qwen2-prm").rewards_after_tokens("Why?", "So.")


def test_a_layout_can_be_named_where_the_name_says_nothing(built, tmp_path):
    folder = tmp_path / "checkpoint"
    shutil.copytree(built("rlhflow-prm"), folder)
    with pytest.raises(CheckpointError, match=r"layout=qwen2-prm\|"):
        make_judge("process", {"pretrained": str(folder), "device": "cpu"})
    with pytest.raises(CheckpointError):
        recognise(str(folder))
    judge = load_judge(str(folder), judge="auto", layout="rlhflow-prm", device="cpu")
    ((_, reference), *_) = references("rlhflow-prm", folder)
    prompts, steps = texts("rlhflow-prm")
    assert judge.score(prompts[:1], steps[:1]) == [pytest.approx(reference.reward, abs=1e-5)]


def test_a_language_model_called_prm_is_sent_to_layouts(built, tmp_path):
    folder = tmp_path / "some-7b-prm"
    shutil.copytree(built("rlhflow-prm"), folder)
    with pytest.raises(CheckpointError, match=r"process reward model.*layout=") as error:
        recognise(str(folder))
    assert "judge=likelihood" not in str(error.value)


def test_a_layout_of_another_kind_is_refused(built):
    refused = r"describes a 'llama' model, but the body of Qwen2\.5-Math-PRM must be .*\(qwen2\)"
    with pytest.raises(CheckpointError, match=refused):
        make_judge(
            "process",
            {"pretrained": str(built("rlhflow-prm")), "layout": "qwen2-prm", "device": "cpu"},
        )


def changed(folder, target, alter):
    """A copy of a checkpoint of one file whose weights are altered."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, target)
    path = target / "model.safetensors"
    weights = dict(load_file(path))
    alter(weights)
    save_file({k: v.contiguous() for k, v in weights.items()}, path, metadata={"format": "pt"})
    return target


HEADS = {
    "qwen2-prm": ("one_file", "score.2.weight"),
    "skywork-prm": ("", "v_head.summary.weight"),
    "rlhflow-prm": ("one_file", "lm_head.weight"),
}


@pytest.mark.parametrize("layout", HEADS)
def test_heads_that_are_none_are_refused_by_name(built, layout, tmp_path, monkeypatch):
    from ultrarm_eval.checkpoints import model_loading

    monkeypatch.delattr(model_loading, "_loaded")
    variant, key = HEADS[layout]
    folder, name = built(layout, variant), KINDS[layout][1]
    settings = {"layout": layout, "device": "cpu"}

    def refused(number, alter):
        target = changed(folder, tmp_path / str(number) / name, alter)
        with pytest.raises(CheckpointError) as error:
            make_judge("process", {"pretrained": str(target), **settings})
        return str(error.value)

    assert key in refused(0, lambda weights: weights.pop(key))

    def narrow(weights):
        weights[key] = weights[key][..., :-1].clone()

    said = refused(1, narrow)
    assert key.rpartition(".")[0].split(".")[0] in said
    assert "shape" in said

    def no_number(weights):
        weights[key] = torch.full_like(weights[key], float("nan"))

    said = refused(3, no_number)
    assert key in said
    assert "not finite" in said

    def doubled(weights):
        weights["second_head.weight"] = torch.zeros(1, weights[key].shape[-1])

    assert "second_head.weight" in refused(2, doubled)


def test_a_tokenizer_without_what_ends_a_step_is_refused(built):
    given = {"pretrained": str(built("rlhflow-prm")), "layout": "math-shepherd", "device": "cpu"}
    with pytest.raises(CheckpointError, match=r"no single token for .*layout is wrong"):
        make_judge("process", given)


def test_a_text_in_parts_has_the_ids_of_sentencepiece(built, tmp_path):
    import sentencepiece

    folder = tmp_path / "math-shepherd"
    shutil.copytree(built("math-shepherd"), folder)
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "LlamaTokenizer"}')
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["Step 1: What is 7 times 8? + - ки"] * 50),
        model_writer=model,
        model_type="bpe",
        vocab_size=320,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    theirs = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    judge = make_judge("process", {"pretrained": str(folder), "device": "cpu"})
    for prompt, steps in (
        ("What is 7?", ["Step 1: 7 times 8 is 56.", "Step 2:  The\n\nanswer"]),
        ("ки\n", ["ки", "x </s> y"]),
    ):
        text = f"{prompt} " + "\n".join(f"{step} ки" for step in steps)
        tokens = judge.encoded(prompt, steps)
        assert list(tokens) == [theirs.bos_id(), *theirs.encode(text)]
        assert [list(tokens)[at] for at in tokens.reads] == theirs.encode("ки") * 2


@pytest.mark.product
@pytest.mark.parametrize("aggregate", ["min", "product", "last", "mean"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_step_without_a_finite_reward_is_no_reward(built, aggregate, place):
    from ultrarm_eval.judges.base import Judgement

    judge = load_judge(str(built("qwen2-prm")), judge="auto", device="cpu", aggregate=aggregate)
    outputs = torch.tensor([[0.25], [0.5], [0.75]], dtype=torch.float64).numpy()
    assert math.isfinite(judge._head.compose(outputs)[0])
    outputs[place] = math.nan
    # The least of [0.25, NaN] is 0.25 in Python, and the last one says nothing of those before.
    assert math.isnan(Judgement(judge._head.compose(outputs)[0]).reward)


def test_another_layout_than_the_checkpoints_is_refused_with_its_own(built):
    own = r"judge=process supports this checkpoint \(layout=math-shepherd\)"
    with pytest.raises(CheckpointError, match=own):
        make_judge(
            "process",
            {"pretrained": str(built("math-shepherd")), "layout": "qwen2-prm", "device": "cpu"},
        )
