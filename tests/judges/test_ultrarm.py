import json
import logging
import shutil

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ultrarm_eval import LlamaRewardModel, load_judge
from ultrarm_eval.errors import CheckpointError, ConfigurationError, DeviceError, ScoringError
from ultrarm_eval.judges.checkpoint import open_checkpoint
from ultrarm_eval.judges.tokenizer import load_tokenizer
from ultrarm_eval.judges.ultrarm import UltraRMJudge

TOLERANCE = 5e-5
PROMPTS = ["the question", "a word list", "</s>", "number one", None, "the question"]
COMPLETIONS = ["the answer", "sky blue green " * 9, "", "two </s> <s>", "bare text", "the answer"]


@pytest.fixture(scope="module")
def judge(checkpoint):
    return load_judge(str(checkpoint))


def naive_rewards(folder, texts, max_length=256):
    """The tutorial's loop: the tokenizer's own ids, one text at a time."""
    tokenizer = load_tokenizer(open_checkpoint(str(folder))).tokenizer
    tokenizer.truncation_side = "left"
    model = LlamaRewardModel.from_pretrained(folder).eval()
    rewards = []
    for text in texts:
        inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=max_length)
        with torch.no_grad():
            rewards.append(model(**inputs).item())
    return rewards


def test_rewards_are_those_of_the_tutorials_loop(checkpoint):
    texts = [text or "x" for text in COMPLETIONS]
    judge = load_judge(str(checkpoint), template="raw", special_tokens="parse")
    rewards = judge.score([None] * len(texts), texts)
    assert rewards == pytest.approx(naive_rewards(checkpoint, texts), abs=TOLERANCE)


def test_the_default_template_is_the_model_cards(checkpoint):
    judge = load_judge(str(checkpoint), special_tokens="parse")
    texts = ["Human: the question\n\nAssistant: the answer"]
    assert judge.score(["the question"], ["the answer"]) == pytest.approx(
        naive_rewards(checkpoint, texts), abs=TOLERANCE
    )


def test_different_texts_have_clearly_different_rewards(judge):
    rewards = judge.score(PROMPTS[:4], COMPLETIONS[:4])
    gaps = [abs(a - b) for i, a in enumerate(rewards) for b in rewards[:i]]
    assert min(gaps) > 100 * TOLERANCE


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15
)
@given(
    order=st.permutations(range(len(COMPLETIONS))),
    batch_size=st.sampled_from(["auto", 1, 2, 3, 64]),
    max_batch_tokens=st.sampled_from([1, 40, 10_000]),
)  # fmt: skip
def test_batching_order_and_neighbours_change_nothing(
    judge, checkpoint, order, batch_size, max_batch_tokens
):
    expected = judge.score(PROMPTS, COMPLETIONS)
    other = UltraRMJudge(str(checkpoint), batch_size=batch_size, max_batch_tokens=max_batch_tokens)
    other._model = judge.load()
    rewards = other.score([PROMPTS[i] for i in order], [COMPLETIONS[i] for i in order])
    assert rewards == pytest.approx([expected[i] for i in order], abs=TOLERANCE)


def test_a_text_that_occurs_twice_is_computed_once(checkpoint):
    judge = load_judge(str(checkpoint))
    first, *_, last = judge.score(PROMPTS, COMPLETIONS)
    assert first == last
    assert judge.settings()["counts"]["texts"] == 6
    assert judge.settings()["counts"]["distinct_texts"] == 5


def test_over_long_texts_are_cut_counted_and_warned_about_once(checkpoint, caplog):
    judge = load_judge(str(checkpoint), max_length=30)
    with caplog.at_level(logging.WARNING):
        judge.score(["q", "q"], ["the sky is blue " * 20, "ok"])
        judge.score(["q"], ["the grass is green " * 20])
    assert judge.settings()["counts"]["truncated"] == 2
    assert [r.message[:14] for r in caplog.records if "max_length" in r.message] == [
        "1 of 2 texts a"
    ]


def test_message_lists_are_prompts(judge):
    turns = [{"role": "user", "content": "the question"}]
    assert judge.score([turns], ["the answer"]) == judge.score(["the question"], ["the answer"])


@pytest.mark.parametrize(
    "template", ["ultrarm", "ultrarm-one-newline", "rewardbench", "raw", "own.jinja"]
)
def test_without_a_prompt_every_template_gives_the_bare_texts_reward(
    judge, checkpoint, tmp_path, template
):
    if template == "own.jinja":
        template = str(tmp_path / template)
        (tmp_path / "own.jinja").write_text("{{ bos_token }}{{ completion }}{{ eos_token }}")
    other = UltraRMJudge(str(checkpoint), template=template)
    other._model = judge.load()
    raw = naive_rewards(checkpoint, ["bare text"])
    assert other.score([None], ["bare text"]) == pytest.approx(raw, abs=TOLERANCE)


def test_halves_of_surrogate_pairs_are_replaced_and_not_crashed_on(judge):
    assert judge.score(["q\ud800"], ["a\udfff"]) == judge.score(["q?"], ["a?"])


def test_bare_strings_are_refused(judge):
    with pytest.raises(ConfigurationError, match="are lists"):
        judge.score("q", "a")


def test_unequal_numbers_of_prompts_and_completions_are_refused(judge):
    with pytest.raises(ConfigurationError, match="1 prompts and 2 completions"):
        judge.score(["q"], ["a", "b"])


def test_nothing_to_score_gives_nothing(judge):
    assert judge.score([], []) == []


class TestPrecision:
    @pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
    def test_final_norm_and_head_are_float32_as_stored(self, checkpoint, reward_model, dtype):
        model = load_judge(str(checkpoint), dtype=dtype).load()
        assert torch.equal(model.regression_head.weight, reward_model.regression_head.weight)
        assert torch.equal(model.model.norm.weight, reward_model.model.norm.weight)
        assert model.model.layers[0].mlp.up_proj.weight.dtype == getattr(torch, dtype)

    def test_auto_takes_the_stored_dtype(self, checkpoint):
        assert load_judge(str(checkpoint), dtype="auto").settings()["dtype"] == "float32"

    def test_offloaded_final_norm_and_head_are_float32_too(
        self, checkpoint, reward_model, tmp_path, monkeypatch
    ):
        from ultrarm_eval.judges import model_loading

        real = LlamaRewardModel.from_pretrained
        spread = dict.fromkeys(("model.embed_tokens", "model.layers", "model.rotary_emb"), "cpu")
        offloaded = {**spread, "model.norm": "disk", "regression_head": "disk"}
        monkeypatch.setattr(
            model_loading.LlamaRewardModel,
            "from_pretrained",
            lambda *a, **o: real(
                *a, **{**o, "device_map": offloaded, "offload_folder": str(tmp_path)}
            ),
        )
        judge = UltraRMJudge(str(checkpoint), dtype="bfloat16", parallelize=True)
        model = judge.load()
        assert torch.equal(model.regression_head.weight, reward_model.regression_head.weight)
        assert torch.equal(model.model.norm.weight, reward_model.model.norm.weight)
        monkeypatch.undo()
        whole = load_judge(str(checkpoint), dtype="bfloat16")
        assert judge.score(["q"], ["a"]) == pytest.approx(whole.score(["q"], ["a"]), abs=1e-6)


class TestLayouts:
    def test_safetensors_and_pickles_give_the_same_rewards(
        self, judge, reward_model, sentencepiece_model, tmp_path
    ):
        reward_model.save_pretrained(tmp_path)
        shutil.copy(sentencepiece_model, tmp_path / "tokenizer.model")
        assert (tmp_path / "model.safetensors").is_file()
        assert load_judge(str(tmp_path)).score(PROMPTS, COMPLETIONS) == judge.score(
            PROMPTS, COMPLETIONS
        )

    def test_a_single_pickle_works(self, judge, reward_model, checkpoint, tmp_path):
        torch.save(reward_model.state_dict(), tmp_path / "pytorch_model.bin")
        for name in ("config.json", "tokenizer.model"):
            shutil.copy(checkpoint / name, tmp_path)
        assert load_judge(str(tmp_path)).score(PROMPTS, COMPLETIONS) == judge.score(
            PROMPTS, COMPLETIONS
        )

    def test_a_tokenizer_json_alone_keeps_its_bos(self, judge, checkpoint, tmp_path):
        shutil.copytree(checkpoint, tmp_path, dirs_exist_ok=True)
        load_tokenizer(open_checkpoint(str(checkpoint))).tokenizer.save_pretrained(tmp_path / "t")
        shutil.copy(tmp_path / "t" / "tokenizer.json", tmp_path)
        (tmp_path / "tokenizer.model").unlink()
        for choice in ({}, {"template": "rewardbench"}):
            expected = load_judge(str(checkpoint), **choice).score(PROMPTS[:2], COMPLETIONS[:2])
            assert load_judge(str(tmp_path), **choice).score(
                PROMPTS[:2], COMPLETIONS[:2]
            ) == pytest.approx(expected, abs=TOLERANCE)

    def test_a_single_file_beside_an_old_index_is_what_is_loaded_and_fingerprinted(
        self, reward_model, checkpoint, sentencepiece_model, tmp_path
    ):
        reward_model.save_pretrained(tmp_path)
        shutil.copy(sentencepiece_model, tmp_path / "tokenizer.model")
        clean = load_judge(str(tmp_path), dtype="bfloat16")
        reward, fingerprint = clean.score(["q"], ["a"]), clean.fingerprint()
        index = json.loads((checkpoint / "pytorch_model.bin.index.json").read_text())
        index["weight_map"] = dict.fromkeys(index["weight_map"], "gone.safetensors")
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
        stale = load_judge(str(tmp_path), dtype="bfloat16")
        assert (stale.score(["q"], ["a"]), stale.fingerprint()) == (reward, fingerprint)

    def test_a_fast_tokenizer_alone_works(self, judge, checkpoint, tmp_path):
        shutil.copytree(checkpoint, tmp_path, dirs_exist_ok=True)
        tokenizer = load_tokenizer(open_checkpoint(str(checkpoint))).tokenizer
        tokenizer.save_pretrained(tmp_path)
        (tmp_path / "tokenizer.model").unlink(missing_ok=True)
        assert (tmp_path / "tokenizer.json").is_file()
        assert load_judge(str(tmp_path)).score(PROMPTS[:2], COMPLETIONS[:2]) == judge.score(
            PROMPTS[:2], COMPLETIONS[:2]
        )


class TestRefusals:
    @pytest.fixture
    def copy(self, checkpoint, tmp_path):
        shutil.copytree(checkpoint, tmp_path, dirs_exist_ok=True)
        return tmp_path

    def test_a_checkpoint_without_the_head(self, copy):
        path = copy / "pytorch_model.bin.index.json"
        index = json.loads(path.read_text())
        del index["weight_map"]["regression_head.weight"]
        path.write_text(json.dumps(index))
        with pytest.raises(CheckpointError, match=r"lack 'regression_head.weight'.*random"):
            UltraRMJudge(str(copy))

    def test_a_language_model_is_recognised_as_one(self, copy):
        path = copy / "pytorch_model.bin.index.json"
        index = json.loads(path.read_text())
        index["weight_map"]["lm_head.weight"] = index["weight_map"].pop("regression_head.weight")
        path.write_text(json.dumps(index))
        with pytest.raises(CheckpointError, match="this is a language model"):
            UltraRMJudge(str(copy))

    def test_a_shard_that_lacks_weights_its_index_promises(self, copy):
        path = copy / "pytorch_model-00002-of-00003.bin"
        state = torch.load(path, weights_only=True)
        lost = min(state)
        torch.save({k: v for k, v in state.items() if k != lost}, path)
        # transformers 4 stops by itself, transformers 5 only reports it.
        with pytest.raises(CheckpointError, match=f"weights are missing.*{lost}|lacks weights"):
            load_judge(str(copy))

    def test_a_missing_shard_is_named_before_anything_is_loaded(self, copy):
        (copy / "pytorch_model-00002-of-00003.bin").unlink()
        with pytest.raises(CheckpointError, match="names pytorch_model-00002-of-00003.bin"):
            UltraRMJudge(str(copy))

    def test_weights_that_the_model_would_not_use(self, copy):
        path = copy / "pytorch_model-00001-of-00003.bin"
        state = torch.load(path, weights_only=True)
        old = "model.layers.0.self_attn.rotary_emb.inv_freq"
        torch.save({**state, old: torch.ones(4)}, path)
        load_judge(str(copy))
        bias = "model.layers.0.self_attn.q_proj.bias"
        torch.save({**state, bias: torch.ones(32)}, path)
        path = copy / "pytorch_model.bin.index.json"
        index = json.loads(path.read_text())
        index["weight_map"][bias] = "pytorch_model-00001-of-00003.bin"
        path.write_text(json.dumps(index))
        with pytest.raises(CheckpointError, match=f"does not use.*{bias}"):
            load_judge(str(copy))

    def test_a_shard_that_is_cut_off(self, copy):
        path = copy / "pytorch_model-00002-of-00003.bin"
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(CheckpointError, match="a file is damaged"):
            load_judge(str(copy))

    def test_a_pickle_with_code_in_it_is_not_executed(self, copy):
        class Payload:
            def __reduce__(self):
                return (copy.joinpath("executed").touch, ())

        (copy / "pytorch_model.bin.index.json").unlink()
        torch.save({"regression_head.weight": Payload()}, copy / "pytorch_model.bin")
        with pytest.raises(CheckpointError, match="never executed"):
            UltraRMJudge(str(copy))
        assert not (copy / "executed").exists()

    def test_another_architecture(self, copy):
        config = json.loads((copy / "config.json").read_text())
        (copy / "config.json").write_text(json.dumps({**config, "model_type": "mistral"}))
        with pytest.raises(CheckpointError, match="describes a 'mistral' model"):
            UltraRMJudge(str(copy))

    def test_weights_that_do_not_fit_into_memory(self, copy):
        path = copy / "pytorch_model.bin.index.json"
        index = json.loads(path.read_text())
        index["metadata"]["total_size"] = 4 * 2**50
        path.write_text(json.dumps(index))
        with pytest.raises(DeviceError, match=r"need 2097152\.0 GiB and cpu has .* GiB free"):
            UltraRMJudge(str(copy), dtype="bfloat16")

    def test_a_folder_without_tokenizer(self, copy):
        (copy / "tokenizer.model").unlink()
        with pytest.raises(CheckpointError, match="there is no tokenizer"):
            UltraRMJudge(str(copy))

    def test_a_folder_that_does_not_exist(self):
        with pytest.raises(CheckpointError, match="there is no such folder"):
            UltraRMJudge("./no/such/folder")

    def test_a_hub_id_that_cannot_be_reached_names_the_ways_out(self):
        with pytest.raises(CheckpointError) as error:
            UltraRMJudge("nobody/nothing-here")
        assert "--model_args pretrained=demo" in str(error.value)
        assert """--metadata '{"data": "demo"}'""" in str(error.value)

    def test_more_length_than_the_model_has_positions(self, checkpoint):
        with pytest.raises(
            ConfigurationError, match="has 256 positions, so it is a whole number from 1 to 256"
        ):
            UltraRMJudge(str(checkpoint), max_length=257)

    def test_the_default_length_is_the_models_where_that_is_less(self, checkpoint):
        assert UltraRMJudge(str(checkpoint)).max_length == 256

    @pytest.mark.parametrize(
        ("setting", "value", "message"),
        [
            ("dtype", "float8", "Choose one of: auto, bfloat16, float16, float32"),
            ("template", "ultra", "Choose one of: .*ultrarm"),
            ("special_tokens", "no", "Choose one of: parse, text"),
            ("batch_size", 0, "whole number of at least 1"),
            ("batch_size", "many", "whole number of at least 1"),
            ("max_length", -5, "whole number from 1 to 256"),
            ("max_batch_tokens", 1.5, "whole number of at least 1"),
            ("parallelize", "yes", "True or False"),
        ],
    )
    def test_values_that_are_not_allowed(self, checkpoint, setting, value, message):
        with pytest.raises(ConfigurationError, match=message):
            UltraRMJudge(str(checkpoint), **{setting: value})

    @pytest.mark.parametrize("broken", [float("nan"), float("inf")])
    def test_a_reward_that_is_no_number_names_the_text(self, copy, broken):
        path = copy / "pytorch_model-00003-of-00003.bin"
        for shard in copy.glob("*.bin"):
            state = torch.load(shard, weights_only=True)
            if "regression_head.weight" in state:
                state["regression_head.weight"][:] = broken
                torch.save(state, shard)
        assert path.is_file()
        with pytest.raises(
            ScoringError, match=r"reward of completion 0 is (nan|inf|-inf); it starts 'the sky'"
        ):
            load_judge(str(copy)).score(["q", "q"], ["the sky", "the sky"])


class TestFingerprint:
    def test_it_is_the_same_for_the_same_judge(self, checkpoint):
        assert (
            UltraRMJudge(str(checkpoint)).fingerprint()
            == UltraRMJudge(str(checkpoint), batch_size=7).fingerprint()
        )

    @pytest.mark.parametrize(
        "changed",
        [
            {"template": "raw"},
            {"template": "ultrarm-one-newline"},
            {"dtype": "bfloat16"},
            {"special_tokens": "parse"},
            {"max_length": 100},
        ],
    )
    def test_each_setting_that_changes_rewards_changes_it(self, checkpoint, changed):
        plain = UltraRMJudge(str(checkpoint)).fingerprint()
        assert UltraRMJudge(str(checkpoint), **changed).fingerprint() != plain

    def test_a_templates_source_counts_and_its_path_does_not(self, checkpoint, tmp_path):
        sources = {"a": "{{ completion }}", "b": "{{ completion }}", "c": "{{ completion }} "}
        prints = {}
        for name, source in sources.items():
            (tmp_path / f"{name}.jinja").write_text(source)
            judge = UltraRMJudge(str(checkpoint), template=str(tmp_path / f"{name}.jinja"))
            prints[name] = judge.fingerprint()
        assert prints["a"] == prints["b"] != prints["c"]

    def test_the_tokenizers_configuration_changes_it(self, checkpoint, tmp_path):
        shutil.copytree(checkpoint, tmp_path, dirs_exist_ok=True)
        (tmp_path / "tokenizer_config.json").write_text('{"add_bos_token": false}')
        assert (
            UltraRMJudge(str(tmp_path)).fingerprint() != UltraRMJudge(str(checkpoint)).fingerprint()
        )

    def test_a_folder_called_as_the_hubs_snapshots_are_is_no_commit(self, checkpoint, tmp_path):
        folders = [tmp_path / name / "snapshots" / "1000" for name in ("a", "b")]
        for folder in folders:
            shutil.copytree(checkpoint, folder)
        shard = folders[1] / "pytorch_model-00001-of-00003.bin"
        state = torch.load(shard, weights_only=True)
        next(iter(state.values())).view(-1)[0] += 1
        torch.save(state, shard)
        first, second = (UltraRMJudge(str(folder)) for folder in folders)
        assert first.fingerprint() != second.fingerprint()
        assert first.settings()["revision"] is None

    def test_one_weight_changes_it(self, checkpoint, tmp_path):
        shutil.copytree(checkpoint, tmp_path, dirs_exist_ok=True)
        shard = tmp_path / "pytorch_model-00001-of-00003.bin"
        state = torch.load(shard, weights_only=True)
        next(iter(state.values())).view(-1)[0] += 1
        torch.save(state, shard)
        assert (
            UltraRMJudge(str(tmp_path)).fingerprint() != UltraRMJudge(str(checkpoint)).fingerprint()
        )


class TestRealPairs:
    @pytest.mark.parametrize("template", ["raw", "ultrarm"])
    @pytest.mark.slow
    def test_rewards_equal_the_loop_on_real_texts(self, checkpoint, real_pairs, template):
        with real_pairs.open(encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines][:60]
        pairs = [(r["prompt"], r[side][-1]["content"]) for r in rows for side in ("chosen", "rejected")]  # fmt: skip
        texts = [
            answer if template == "raw" else f"Human: {prompt}\n\nAssistant: {answer}"
            for prompt, answer in pairs
        ]
        judge = load_judge(str(checkpoint), template=template, special_tokens="parse")
        rewards = judge.score([p for p, _ in pairs], [a for _, a in pairs])
        assert rewards == pytest.approx(naive_rewards(checkpoint, texts), abs=TOLERANCE)


def test_out_of_memory_halves_the_batch_and_loses_nothing(judge, checkpoint, monkeypatch, caplog):
    from ultrarm_eval.scoring import scorer

    expected = judge.score(PROMPTS, COMPLETIONS)
    other = UltraRMJudge(str(checkpoint), max_batch_tokens=10_000)
    other._model = judge.load()
    real, computed = scorer._score_batch, []

    def small_memory(model, texts):
        if len(texts) > 2:
            raise torch.OutOfMemoryError
        computed.extend(tuple(ids) for ids in texts)
        return real(model, texts)

    monkeypatch.setattr(scorer, "_score_batch", small_memory)
    with caplog.at_level(logging.WARNING):
        assert other.score(PROMPTS, COMPLETIONS) == pytest.approx(expected, abs=TOLERANCE)
    assert len(computed) == len(set(computed)) == 5
    assert "Set max_batch_tokens=" in caplog.text


def test_a_single_text_that_does_not_fit_is_an_error_with_ways_out(judge, checkpoint, monkeypatch):
    from ultrarm_eval.scoring import scorer

    def no_memory(model, texts):
        raise torch.OutOfMemoryError

    other = UltraRMJudge(str(checkpoint))
    other._model = judge.load()
    monkeypatch.setattr(scorer, "_score_batch", no_memory)
    with pytest.raises(DeviceError, match=r"single text of \d+ tokens.*smaller max_length"):
        other.score(["q"], ["a"])
