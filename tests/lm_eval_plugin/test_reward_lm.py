import json
import pickle
import shutil
from types import SimpleNamespace

import pytest

from tests.conftest import raw_row, write_jsonl
from tests.harness_lines import request_for
from ultrarm_eval.errors import CacheMismatchError, ConfigurationError, ScoringError
from ultrarm_eval.lm_eval_plugin.harness_values import Reward


def request(context, continuation, task="hellaswag"):
    return request_for((context, continuation), task=task, doc={"query": context})


@pytest.fixture
def pairs(tmp_path):
    rows = [raw_row(instruction=f"p{i}", answers=(("the sky", 5), (f"{i}", 1))) for i in range(6)]
    return str(write_jsonl(tmp_path / "pairs.jsonl", rows))


def test_other_tasks_context_is_the_users_turn_and_one_leading_space_goes(model_of):
    seen = []
    model = model_of(lambda prompt, text: seen.append((prompt, text)) or 1.5)
    responses = model.loglikelihood([request("Q: why?", "  because")], disable_tqdm=True)
    assert seen == [("Q: why?", " because")]
    assert responses == [(1.5, False)]
    assert isinstance(responses[0], Reward)


def test_a_conversation_under_a_chat_template_reaches_the_judge_as_one(model_of):
    seen = []
    model = model_of(lambda prompt, text: seen.append(prompt) or 0)
    history = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    context = model.apply_chat_template(history)
    model.loglikelihood([request(context, "x")], disable_tqdm=True)
    assert [dict(m) for m in seen[0]] == history


def test_a_reward_survives_pickling_and_is_a_pair():
    reward = pickle.loads(pickle.dumps(Reward(0.5)))
    assert isinstance(reward, Reward)
    assert reward == (0.5, False)


@pytest.mark.parametrize("method", ["generate_until", "loglikelihood_rolling"])
def test_what_a_judge_cannot_do_names_the_tasks_and_what_can(model_of, method):
    with pytest.raises(ConfigurationError, match=r"gsm8k.*--model hf"):
        getattr(model_of(lambda *_: 0), method)([SimpleNamespace(task_name="gsm8k")])


def test_settings_and_what_was_really_used_stand_in_the_results(run, checkpoint, pairs):
    results = run(
        "ultrarm",
        ["ultrafeedback_pairs"],
        {"data": pairs},
        model_args={"pretrained": str(checkpoint), "template": "rewardbench", "max_length": 64},
        device="cuda:0",
    )
    config = json.loads(json.dumps(results["config"], default=str))
    expected = {
        "judge": "ultrarm",
        "pretrained": str(checkpoint),
        "template": "rewardbench",
        "dtype": "float32",
        "max_length": 64,
        "truncation": "left",
        "special_tokens": "text",
        "appends_eos": True,
        "device_used": "cpu",
        "revision": None,
        # 400 x 32 embeddings, 2 layers of 9,280, final norm and head of 32 each.
        "model_num_parameters": 31424,
    }
    assert {key: config[key] for key in expected} == expected
    assert len(config["model_sha"]) == 64
    assert "acc_norm" not in results["higher_is_better"]["ultrafeedback_pairs"]


def test_what_the_model_computed_and_how_long_it_took_stand_in_the_results(
    run, checkpoint, pairs, tmp_path
):
    settings = {"pretrained": str(checkpoint), "score_store": str(tmp_path / "store")}
    first, again = (
        run("ultrarm", ["ultrafeedback_pairs"], {"data": pairs}, model_args=settings)["config"]
        for _ in range(2)
    )
    from ultrarm_eval import __version__, load_judge

    judge = load_judge(str(checkpoint), device="cpu")
    # Each prompt has answers of its own here: no text is there twice.
    texts = [(f"p{i}", text) for i in range(6) for text in ("the sky", str(i))]
    plan, _ = judge.plan(*zip(*texts, strict=True))
    assert first["judge_counts"]["computed_tokens"] == plan.computed_tokens
    assert first["scoring_seconds"] > 0
    assert first["ultrarm_eval_version"] == __version__
    # What the store holds is not computed, and takes the model no time.
    assert again["judge_counts"]["computed_tokens"] == 0
    assert again["scoring_seconds"] == 0


def test_the_digest_of_the_documents_depends_on_them_alone(run, checkpoint, pairs, tmp_path):
    def digest(data, **settings):
        results = run(
            "ultrarm",
            ["ultrafeedback_pairs"],
            {"data": data},
            model_args={"pretrained": str(checkpoint), **settings},
        )
        return results["configs"]["ultrafeedback_pairs"]["metadata"]["data_digest"]

    other = [raw_row(instruction=f"p{i}", answers=(("the sky", 5), (f"{i}", 2))) for i in range(6)]
    first = digest(pairs)
    assert first == digest(pairs, template="raw")
    assert first != digest(str(write_jsonl(tmp_path / "other.jsonl", other)))


def test_both_names_of_the_model_work(run, checkpoint, pairs):
    accuracies = [
        run(name, ["ultrafeedback_pairs"], {"data": pairs}, model_args=f"pretrained={checkpoint}")[
            "results"
        ]["ultrafeedback_pairs"]["acc,none"]
        for name in ("ultrarm", "reward-model")
    ]
    assert accuracies[0] == accuracies[1]


def test_a_setting_that_does_not_exist_is_named(run, checkpoint, pairs):
    with pytest.raises(ConfigurationError, match=r"'templat'. Did you mean 'template'"):
        run(
            "ultrarm",
            ["ultrafeedback_pairs"],
            {"data": pairs},
            model_args={"pretrained": str(checkpoint), "templat": "raw"},
        )


def test_wrong_data_is_reported_before_the_weights_are_loaded(run, checkpoint, monkeypatch):
    from ultrarm_eval.judges.ultrarm import UltraRMJudge

    monkeypatch.setattr(UltraRMJudge, "load", lambda self: pytest.fail("weights were loaded"))
    with pytest.raises(Exception, match="no such file or folder"):
        run(
            "ultrarm",
            ["ultrafeedback_pairs"],
            {"data": "nowhere.jsonl"},
            model_args={"pretrained": str(checkpoint)},
        )


class TestResponseCache:
    def run_cached(self, run, checkpoint, pairs, cache, **model_args):
        return run(
            "ultrarm",
            ["ultrafeedback_pairs"],
            {"data": pairs},
            model_args={"pretrained": str(checkpoint), **model_args},
            use_cache=str(cache),
        )

    def test_a_killed_run_goes_on_where_it_was(self, run, checkpoint, pairs, tmp_path, monkeypatch):
        from ultrarm_eval.engine import torch_engine

        uninterrupted = self.run_cached(run, checkpoint, pairs, tmp_path / "other")
        real, computed = torch_engine._score_batch, []

        def counting(model, texts, batch):
            computed.extend(tuple(texts[i]) for i in batch.texts)
            return real(model, texts, batch)

        def dies_after_three(model, texts, batch):
            if len(computed) == 3:
                raise KeyboardInterrupt
            return counting(model, texts, batch)

        monkeypatch.setattr(torch_engine, "_score_batch", dies_after_three)
        with pytest.raises(KeyboardInterrupt):
            self.run_cached(run, checkpoint, pairs, tmp_path / "cache", max_batch_tokens=1)
        monkeypatch.setattr(torch_engine, "_score_batch", counting)
        resumed = self.run_cached(run, checkpoint, pairs, tmp_path / "cache")
        assert len(computed) == len(set(computed)) == 12
        for name in ("acc,none", "margin,none"):
            assert resumed["results"]["ultrafeedback_pairs"][name] == pytest.approx(
                uninterrupted["results"]["ultrafeedback_pairs"][name], abs=1e-5
            )

    @pytest.mark.few(1)
    @pytest.mark.parametrize(
        "changed", [{"template": "raw"}, {"dtype": "bfloat16"}, {"special_tokens": "parse"}]
    )
    def test_another_judge_is_refused(self, run, checkpoint, pairs, tmp_path, changed):
        self.run_cached(run, checkpoint, pairs, tmp_path / "cache")
        with pytest.raises(
            CacheMismatchError, match=r"cache_rank0\.db contains rewards of another judge"
        ):
            self.run_cached(run, checkpoint, pairs, tmp_path / "cache", **changed)

    def test_the_same_weights_elsewhere_are_the_same_judge(self, run, checkpoint, pairs, tmp_path):
        first = self.run_cached(run, checkpoint, pairs, tmp_path / "cache")
        copy = tmp_path / "copy"
        shutil.copytree(checkpoint, copy)
        second = self.run_cached(run, copy, pairs, tmp_path / "cache")
        assert first["results"]["ultrafeedback_pairs"] == second["results"]["ultrafeedback_pairs"]
        assert second["config"]["judge_counts"]["texts"] == 0

    def test_conversations_that_read_alike_keep_their_own_rewards(self, run, checkpoint, tmp_path):
        turns = [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": "c"},
        ]
        prompts = [None, "", turns, "User: a\n\nAssistant: b\n\nUser: c"]
        rows = [{"prompt": p, "chosen": "the sky", "rejected": "two"} for p in prompts]
        path = str(write_jsonl(tmp_path / "alike.jsonl", rows))
        margins = []
        for _ in range(2):
            results = run(
                "ultrarm",
                ["ultrafeedback_binarized"],
                {"data": path},
                model_args={"pretrained": str(checkpoint)},
                use_cache=str(tmp_path / "cache"),
            )
            samples = results["samples"]["ultrafeedback_binarized"]
            margins.append([sample["margin"] for sample in samples])
        assert margins[0] == margins[1]
        assert len(set(margins[0])) == 4

    def test_a_language_model_is_not_served_rewards(self, run, checkpoint, pairs, tmp_path):
        self.run_cached(run, checkpoint, pairs, tmp_path / "cache")
        with pytest.raises(CacheMismatchError, match="not likelihoods of this model"):
            run(
                "dummy", ["ultrafeedback_pairs"], {"data": pairs}, use_cache=str(tmp_path / "cache")
            )

    def test_a_cache_of_another_model_is_refused(self, run, checkpoint, pairs, tmp_path):
        from sqlitedict import SqliteDict

        with SqliteDict(str(tmp_path / "cache_rank0.db"), autocommit=True) as db:
            db["0" * 64] = (-12.5, False)
        with pytest.raises(CacheMismatchError, match="responses of another model"):
            self.run_cached(run, checkpoint, pairs, tmp_path / "cache")


def test_another_benchmark_runs_beside_ours(run, checkpoint, pairs, tmp_path, caplog):
    data = write_jsonl(
        tmp_path / "quiz.jsonl", [{"q": "the sky is", "options": ["blue", "two"], "gold": 0}] * 3
    )
    (tmp_path / "quiz.yaml").write_text(
        f"task: quiz\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {data}}}}}\n"
        "test_split: test\noutput_type: multiple_choice\ndoc_to_text: '{{q}}'\n"
        "doc_to_choice: '{{options}}'\ndoc_to_target: gold\n"
    )
    results = run(
        "ultrarm",
        ["quiz", "ultrafeedback_pairs"],
        {"data": pairs},
        model_args={"pretrained": str(checkpoint)},
        include_path=str(tmp_path),
    )
    from ultrarm_eval import load_judge

    blue, two = load_judge(str(checkpoint)).score(["the sky is"] * 2, ["blue", "two"])
    assert results["results"]["quiz"]["acc,none"] == float(blue > two)
    assert "acc,none" in results["results"]["ultrafeedback_pairs"]


def test_tasks_a_judge_cannot_do_are_refused_before_anything_is_scored(
    run, checkpoint, pairs, tmp_path, monkeypatch
):
    from ultrarm_eval.judges.ultrarm import UltraRMJudge

    monkeypatch.setattr(UltraRMJudge, "load", lambda self: pytest.fail("weights were loaded"))
    data = write_jsonl(tmp_path / "quiz.jsonl", [{"q": "write", "a": "x"}])
    (tmp_path / "writing.yaml").write_text(
        f"task: writing\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {data}}}}}\n"
        "test_split: test\noutput_type: generate_until\ndoc_to_text: '{{q}}'\n"
        "doc_to_target: '{{a}}'\n"
    )
    with pytest.raises(ConfigurationError, match=r"writing asks it to generate text.*--model hf"):
        run(
            "ultrarm",
            ["ultrafeedback_pairs", "writing"],
            {"data": pairs},
            model_args={"pretrained": str(checkpoint)},
            include_path=str(tmp_path),
        )


@pytest.mark.parametrize("reward", [float("inf"), float("-inf"), float("nan")])
def test_a_reward_that_is_no_finite_number_names_document_and_task(run, model_of, pairs, reward):
    with pytest.raises(ScoringError, match=r"reward -?(inf|nan) to document 0 of ultrafeedback_"):
        run(model_of(lambda *_: reward), ["ultrafeedback_binarized"], {"data": str(pairs)})


def test_names_with_halves_of_surrogate_pairs_do_not_lose_a_finished_run(run, model_of, tmp_path):
    row = raw_row("p\ud800", source="s\ud800")
    row["completions"][0]["model"] = "m\ud800"
    data = write_jsonl(tmp_path / "d.jsonl", [row])
    results = run(model_of(lambda _, text: len(text)), ["ultrafeedback_pairs"], {"data": str(data)})
    (sample,) = results["samples"]["ultrafeedback_pairs"]
    json.dumps(sample["doc"], ensure_ascii=False).encode("utf-8")
    counts = results["configs"]["ultrafeedback_pairs"]["metadata"]["counts"]
    assert counts["texts_with_lone_surrogates"] == 3


def test_a_judge_that_does_not_say_that_it_abstains_has_to_score_everything(
    run, model_of, tmp_path
):
    from tests.conftest import raw_row, write_jsonl
    from ultrarm_eval.errors import ScoringError
    from ultrarm_eval.judges.base import Judgement

    model = model_of(lambda *_: 0.0)
    model.judge.score = lambda p, c: [Judgement(None)] * len(c)
    data = str(write_jsonl(tmp_path / "d.jsonl", [raw_row()]))
    with pytest.raises(ScoringError, match="a reward must be a finite number"):
        run(model, ["ultrafeedback_pairs"], {"data": data})
