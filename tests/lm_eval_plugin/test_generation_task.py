"""`ultrafeedback_judge`, `ultrafeedback_best_of_n` and `alpaca_eval_ultrarm`: a model writes, a judge scores."""

import itertools
import json
import math
import statistics

import pytest

from tests.conftest import SHARED_DATA, raw_row, write_jsonl
from ultrarm_eval import load_judge
from ultrarm_eval.cli.judge import judge_answers
from ultrarm_eval.cli.judge_options import JudgeChoice
from ultrarm_eval.errors import ConfigurationError, DataError, ScoringError
from ultrarm_eval.judges.critique_text import Critique, CritiquedReward
from ultrarm_eval.metrics.win_rate import length_controlled_win_rate

TASK, BEST = "ultrafeedback_judge", "ultrafeedback_best_of_n"
PROMPTS = [f"question {i}" for i in range(5)]
REFERENCES = ["short", "a much longer reference", "mid length one", "x", "the sky"]


def rows(references=REFERENCES, model="gpt-4"):
    found = []
    for prompt, reference in zip(PROMPTS, references, strict=True):
        row = raw_row(prompt, answers=((f"{prompt} worst", 1), (reference, 3), ("best of all", 5)))
        row["completions"][1]["model"] = model
        found.append(row)
    return found


@pytest.fixture
def data(tmp_path):
    other = raw_row("nobody's question")
    return str(write_jsonl(tmp_path / "data.jsonl", [*rows(), other]))


def answer(prompt, turn=0):
    return ["", "words of an answer " * (1 + turn), prompt, "x", "the sea"][int(prompt[-1])]


def longest(_, completion):
    return float(len(completion))


class TestOneAnswer:
    def test_the_metrics_are_those_of_a_plain_loop(self, run, writer, data):
        model = writer(answer)
        results = run(model, [TASK], {"data": data, "judge": "demo"})
        found = results["results"][TASK]
        judge = load_judge("demo", device="cpu")
        answers = [answer(prompt) for prompt in PROMPTS]
        rewards = [judge.score([p], [a])[0] for p, a in zip(PROMPTS, answers, strict=True)]
        others = [judge.score([p], [r])[0] for p, r in zip(PROMPTS, REFERENCES, strict=True)]
        wins = [0.5 if a == b else float(a > b) for a, b in zip(rewards, others, strict=True)]
        # "x" is the reference's own answer.
        assert wins[3] == 0.5
        assert found["reward,none"] == pytest.approx(statistics.fmean(rewards), abs=1e-5)
        error = statistics.stdev(rewards) / math.sqrt(5)
        assert found["reward_stderr,none"] == pytest.approx(error, abs=1e-5)
        assert found["win_rate,none"] == statistics.fmean(wins)
        lengths = [len(a) - len(r) for a, r in zip(answers, REFERENCES, strict=True)]
        controlled = length_controlled_win_rate(wins, lengths)
        assert found["win_rate_length_controlled,none"] == pytest.approx(controlled, abs=1e-9)
        assert found["response_length,none"] == statistics.fmean(map(len, answers))
        assert found["empty,none"] == 1 / 5
        metadata = results["configs"][TASK]["metadata"]
        assert metadata["counts"]["prompts_left_out_without_reference"] == 1
        assert metadata["counts"]["documents"] == 5
        assert metadata["reference"] == "gpt-4"
        assert metadata["judge_used"]["name"] == "ultrarm"
        assert metadata["judge_used"]["fingerprint"] == judge.fingerprint()
        sample = results["samples"][TASK][1]
        assert sample["judged"] == [{"reward": pytest.approx(rewards[1], abs=1e-5)}]
        assert sample["judged_reference"] == {"reward": pytest.approx(others[1], abs=1e-5)}
        assert sample["target"] == REFERENCES[1]

    def test_the_model_is_asked_greedily_for_whole_answers(self, run, writer, data, scripted):
        scripted(longest)
        model = writer(answer)
        run(model, [TASK], {"data": data})
        asked = [request.args[1] for request in model.requests]
        assert asked == [{"until": [], "max_gen_toks": 1024, "do_sample": False}] * 5

    @pytest.mark.parametrize(
        ("reward", "rate"),
        [
            (lambda *_: 1.0, 0.5),
            # The longest wins: once of five, with two ties.
            (longest, (0 + 0 + 0 + 0.5 + 0.5) / 5),
            (lambda p, c: -longest(p, c), (1 + 1 + 1 + 0.5 + 0.5) / 5),
        ],
    )
    def test_judges_that_look_at_nothing_do_not_fool_it(
        self, run, writer, data, scripted, reward, rate
    ):
        scripted(reward)
        texts = ["", "a", "b", "y", "the sea"]
        results = run(writer(lambda p, _: texts[int(p[-1])]), [TASK], {"data": data})
        assert results["results"][TASK]["win_rate,none"] == rate

    def test_a_model_that_writes_the_references_wins_half(self, run, writer, data):
        model = writer(lambda prompt, _: REFERENCES[int(prompt[-1])])
        found = run(model, [TASK], {"data": data, "judge": "demo"})["results"][TASK]
        assert found["win_rate,none"] == 0.5
        assert found["win_rate_length_controlled,none"] == 0.5

    def test_prompt_and_reference_are_judged_side_by_side(self, run, writer, data, scripted):
        judge = scripted(longest)
        run(writer(answer), [TASK], {"data": data})
        texts = [text for _, text in judge.asked]
        assert texts[:4] == [answer(PROMPTS[0]), REFERENCES[0], answer(PROMPTS[1]), REFERENCES[1]]
        assert judge.asked[0][0] == [{"role": "user", "content": PROMPTS[0]}]

    @pytest.mark.parametrize(
        ("reference", "texts"),
        [
            ("best", ["best of all"] * 5 + ["the sky"]),
            ("median", [*REFERENCES, "grass"]),
            ("GPT-4", REFERENCES),
        ],
    )
    def test_references_are_chosen_by_rating_or_name(
        self, run, writer, data, scripted, reference, texts
    ):
        scripted(longest)
        results = run(writer(lambda *_: "x"), [TASK], {"data": data, "reference": reference})
        assert [sample["target"] for sample in results["samples"][TASK]] == texts

    def test_references_come_from_a_file_and_what_does_not_fit_is_counted(
        self, run, writer, data, scripted, tmp_path
    ):
        scripted(longest)
        given = [
            {"instruction": p, "output": f"of {p}"} for p in (*PROMPTS[:3], "no prompt of ours")
        ]
        path = tmp_path / "reference.json"
        path.write_text(json.dumps(given))
        results = run(writer(answer), [TASK], {"data": data, "reference": str(path)})
        assert [s["target"] for s in results["samples"][TASK]] == [f"of {p}" for p in PROMPTS[:3]]
        counts = results["configs"][TASK]["metadata"]["counts"]
        assert counts["prompts_left_out_without_reference"] == 3
        assert counts["references_without_a_prompt"] == 1

    @pytest.mark.parametrize(
        ("reference", "message"),
        [
            ("claude", r"no prompt has the reference 'claude'.*'gpt-4'.*'best' or 'median'"),
            ("missing.jsonl", "missing.jsonl: no such file"),
            ([1], "reference=.*: give a non-empty string"),
        ],
    )
    def test_a_reference_that_is_not_there_is_named(self, run, writer, data, reference, message):
        with pytest.raises((DataError, ConfigurationError), match=message):
            run(writer(answer), [TASK], {"data": data, "reference": reference, "judge": "demo"})

    def test_doubled_references_are_named(self, run, writer, data, tmp_path):
        given = [{"prompt": PROMPTS[0], "completion": text} for text in "ab"]
        path = write_jsonl(tmp_path / "r.jsonl", given)
        with pytest.raises(
            DataError, match=r"line 2: the prompt 'question 0' has a different answer"
        ):
            run(writer(answer), [TASK], {"data": data, "reference": str(path), "judge": "demo"})

    @pytest.mark.parametrize(
        ("metadata", "message"),
        [
            ({"judges": "demo"}, "did you mean 'judge'"),
            ({"judge": 3}, "judge=3: give a non-empty string"),
            ({"judge_args": "x"}, "judge_args='x': give the judge's settings"),
            ({"judge": "demo", "judge_args": {"dtyp": "x"}}, "'dtyp'. Did you mean 'dtype'"),
            ({"judge": "/nowhere"}, "/nowhere"),
            ({"num_samples": 3}, "did you mean 'n'"),
        ],
    )
    def test_wrong_metadata_is_named_before_the_model_writes(
        self, run, writer, data, metadata, message
    ):
        model = writer(answer)
        with pytest.raises(Exception, match=message) as caught:
            run(model, [TASK], {"data": data, **metadata})
        assert type(caught.value).__module__ == "ultrarm_eval.errors"
        assert model.requests == []

    def test_answers_that_reach_the_limit_are_truncated(self, run, writer, data, scripted):
        scripted(longest)
        texts = ["a b c d", "a b c", "a b c d e", "", "a"]
        model = writer(lambda p, _: texts[int(p[-1])])
        found = run(model, [TASK], {"data": data}, gen_kwargs="max_gen_toks=4")["results"][TASK]
        assert found["truncated,none"] == 2 / 5

    def test_without_a_tokenizer_nothing_is_said_of_truncation(self, run, writer, data, scripted):
        scripted(longest)
        model = writer(answer)
        model.tok_encode = None
        found = run(model, [TASK], {"data": data})["results"][TASK]
        assert not any(name.startswith("truncated") for name in found)

    def test_where_only_answers_are_asked_for_no_judge_is_made(
        self, run, writer, data, monkeypatch
    ):
        def refuse(*_):
            raise AssertionError

        monkeypatch.setattr(
            "ultrarm_eval.lm_eval_plugin.reward_filters.TaskRewardFilter.judged", refuse
        )
        results = run(writer(answer), [TASK], {"data": data, "judge": "demo"}, predict_only=True)
        assert results["samples"][TASK][1]["filtered_resps"] == [answer(PROMPTS[1])]

    @pytest.mark.slow
    def test_a_judge_that_fails_keeps_answers_and_references(
        self, run, writer, data, scripted, tmp_path, monkeypatch
    ):
        def fails(prompt, completion):
            raise RuntimeError("CUDA error")

        monkeypatch.chdir(tmp_path)
        scripted(fails)
        with pytest.raises(
            ScoringError, match=r"ultrarm-eval judge .* --reference-field reference --pretrained"
        ):
            run(writer(answer), [TASK], {"data": data})
        (answers,) = tmp_path.glob("answers-not-judged-*")
        judge = JudgeChoice("ultrarm", "demo", {"device": "cpu"})
        figures = judge_answers(str(answers), judge, reference_field="reference")
        monkeypatch.undo()
        found = run(writer(answer), [TASK], {"data": data, "judge": "demo"})["results"][TASK]
        assert figures["reward"] == pytest.approx(found["reward,none"], abs=1e-5)
        assert figures["win_rate"] == found["win_rate,none"]

    def test_the_in_sample_judge_is_warned_of(self, run, writer, data, scripted, caplog):
        scripted(longest)
        run(writer(answer), [TASK], {"data": data, "judge": "openbmb/UltraRM-13b"})
        assert "its rewards there are in-sample" in caplog.text

    def test_a_whole_conversation_is_the_prompt(self, run, writer, tmp_path, scripted):
        turns = [
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "two"},
            {"role": "user", "content": "three"},
        ]
        last = {"role": "assistant", "content": "good"}
        pair = {
            "prompt": "three",
            "chosen": [*turns, last],
            "rejected": [*turns, {**last, "content": "bad"}],
            "score_chosen": 4.0,
            "score_rejected": 2.0,
        }
        path = write_jsonl(tmp_path / "chat.jsonl", [pair])
        judge = scripted(longest)
        model = writer(lambda *_: "an answer")
        results = run(model, [TASK], {"data": str(path), "reference": "best"})
        assert judge.asked[0][0] == turns
        assert model.requests[0].args[0] == "User: one\n\nAssistant: two\n\nUser: three"
        assert results["samples"][TASK][0]["target"] == "good"

    @pytest.mark.slow
    def test_real_answers_against_real_references(self, run, writer):
        path = SHARED_DATA / "four_completions" / "prompts.jsonl"
        if not path.is_file():
            pytest.skip("the real answers are not beside the project (../shared/data)")
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()[:12]]
        by_model = [{c["model"]: c["response"] for c in row["completions"]} for row in lines]
        of_prompt = {
            row["instruction"]: one["ultralm-13b-best-of-16"]
            for row, one in zip(lines, by_model, strict=True)
        }
        results = run(
            writer(lambda prompt, _: of_prompt[prompt]),
            [TASK],
            {"data": str(path), "reference": "text_davinci_003", "judge": "demo"},
            limit=12,
        )
        judge = load_judge("demo", device="cpu")
        wins = []
        for row, one in zip(lines, by_model, strict=True):
            prompt = row["instruction"]
            ours = judge.score_one_at_a_time([prompt], [of_prompt[prompt]])[0]
            theirs = judge.score_one_at_a_time([prompt], [one["text_davinci_003"]])[0]
            wins.append(float(ours > theirs))
        assert results["results"][TASK]["win_rate,none"] == pytest.approx(sum(wins) / 12)
        assert results["configs"][TASK]["metadata"]["counts"]["documents"] == 500


def write_in_turn(prompt, turn):
    return "word " * ((int(prompt[-1]) * 3 + turn * 2) % 5) + str(turn)


class TestBestOfN:
    def test_each_k_is_the_mean_over_all_subsets(self, run, writer, data, scripted):
        scripted(longest)
        results = run(writer(write_in_turn), [BEST], {"data": data, "n": 5})
        found = results["results"][BEST]
        for k in (1, 2, 4, 5):
            rewards, wins = [], []
            for prompt, reference in zip(PROMPTS, REFERENCES, strict=True):
                scores = [longest("", write_in_turn(prompt, turn)) for turn in range(5)]
                best = [max(subset) for subset in itertools.combinations(scores, k)]
                rewards.append(statistics.fmean(best))
                other = len(reference)
                wins.append(statistics.fmean(0.5 if b == other else float(b > other) for b in best))
            assert found[f"reward@{k},none"] == pytest.approx(statistics.fmean(rewards))
            assert found[f"win_rate@{k},none"] == pytest.approx(statistics.fmean(wins))
        assert "reward@8,none" not in found
        assert results["configs"][BEST]["repeats"] == 5
        assert len(results["samples"][BEST][0]["judged"]) == 5

    def test_the_model_samples_freely(self, run, writer, data, scripted):
        scripted(longest)
        model = writer(write_in_turn)
        run(model, [BEST], {"data": data, "n": 3})
        how = {"until": [], "max_gen_toks": 1024, "do_sample": True, "temperature": 1.0}
        assert [request.args[1] for request in model.requests] == [how] * 15

    def test_sixteen_unless_the_run_says_otherwise(self, run, writer, data, scripted):
        scripted(longest)
        found = run(writer(write_in_turn), [BEST], {"data": data}, limit=1)["results"][BEST]
        assert "reward@16,none" in found

    @pytest.mark.parametrize("how", ["do_sample=False", "temperature=0"])
    def test_greedy_answers_would_all_be_the_same(self, run, writer, data, scripted, how):
        scripted(longest)
        model = writer(write_in_turn)
        with pytest.raises(ConfigurationError, match="the 3 answers to each prompt would all be"):
            run(model, [BEST], {"data": data, "n": 3}, gen_kwargs=how)
        assert model.requests == []
        # One answer may be greedy.
        run(model, [BEST], {"data": data, "n": 1}, gen_kwargs=how)

    @pytest.mark.parametrize("n", [0, -1, 1.5, True, "4"])
    def test_n_is_a_number_of_answers(self, run, writer, data, n):
        with pytest.raises(ConfigurationError, match="the number of answers per prompt"):
            run(writer(write_in_turn), [BEST], {"data": data, "n": n})


class TestAnswersWithoutScore:
    """A judge that writes critiques may find no score to read."""

    @pytest.fixture
    def critical(self, scripted):
        def critique(_, completion):
            readable = "word" in completion
            score = 2.0 if readable else None
            return CritiquedReward(
                2.0 if readable else math.nan, Critique((f"on {completion}",), (score,))
            )

        return scripted(critique)

    def test_they_are_left_out_and_counted_and_critiques_are_kept(
        self, run, writer, data, critical, caplog
    ):
        metadata = {"data": data, "reference": "best"}
        model = writer(lambda prompt, _: "words" if prompt == PROMPTS[1] else "hm")
        results = run(model, [TASK], metadata)
        assert results["results"][TASK]["reward,none"] == 2.0
        # No reference of "best of all" has a score.
        assert results["results"][TASK]["win_rate,none"] == "N/A"
        assert results["configs"][TASK]["metadata"]["answers_without_score"] == 5
        first, second = results["samples"][TASK][:2]
        assert first["judged"] == [{"reward": None, "critiques": ["on hm"], "scores": [None]}]
        assert second["judged"] == [{"reward": 2.0, "critiques": ["on words"], "scores": [2.0]}]
        assert second["judged_reference"]["critiques"] == ["on best of all"]

    def test_the_best_of_fewer_is_no_best_of_n(self, run, writer, data, critical):
        def write(prompt, turn):
            return "words" if turn or prompt == PROMPTS[2] else "hm"

        results = run(writer(write), [BEST], {"data": data, "n": 2})
        scored = [s for s in results["samples"][BEST] if s["reward@2"] is not None]
        assert [s["doc_id"] for s in scored] == [2]
        assert results["configs"][BEST]["metadata"]["answers_without_score"] == 4


class TestAlpacaEval:
    @pytest.fixture
    def reference(self, tmp_path):
        given = [
            {"instruction": p, "output": r, "generator": "someone", "dataset": "koala"}
            for p, r in zip(PROMPTS, REFERENCES, strict=True)
        ]
        # Two rows with one prompt: each with its own answer.
        given.append({**given[0], "output": "a different answer"})
        path = tmp_path / "reference.json"
        path.write_text(json.dumps(given))
        return str(path)

    def test_the_reference_file_has_the_prompts(self, run, writer, scripted, reference):
        scripted(longest)
        results = run(writer(answer), ["alpaca_eval_ultrarm"], {"reference": reference})
        samples = results["samples"]["alpaca_eval_ultrarm"]
        assert [s["target"] for s in samples] == [*REFERENCES, "a different answer"]
        assert samples[0]["doc"]["reference_model"] == "someone"
        assert samples[0]["doc"]["source"] == "koala"
        wins = [s["win_rate"] for s in samples]
        assert results["results"]["alpaca_eval_ultrarm"]["win_rate,none"] == sum(wins) / 6

    def test_prompts_of_ones_own_meet_their_references(
        self, run, writer, scripted, reference, tmp_path
    ):
        scripted(longest)
        given = [{"instruction": p, "output": "unread"} for p in (*PROMPTS[1:3], "more")]
        path = write_jsonl(tmp_path / "prompts.jsonl", given)
        metadata = {"reference": str(write_jsonl(tmp_path / "r.jsonl", [
            {"prompt": p, "completion": r} for p, r in zip(PROMPTS, REFERENCES, strict=True)
        ])), "data": str(path)}  # fmt: skip
        results = run(writer(answer), ["alpaca_eval_ultrarm"], metadata)
        samples = results["samples"]["alpaca_eval_ultrarm"]
        assert [s["target"] for s in samples] == REFERENCES[1:3]
        counts = results["configs"]["alpaca_eval_ultrarm"]["metadata"]["counts"]
        assert (counts["prompts_left_out_without_reference"], counts["references_without_a_prompt"]) == (1, 3)  # fmt: skip

    @pytest.mark.parametrize(
        ("reference", "message"),
        [
            (None, r"alpaca_eval.json cannot be downloaded from the hub.*\"reference\": \"FILE\""),
            ("gpt4_1106_preview", "alpaca_eval_gpt4_baseline.json cannot be downloaded"),
            ("gpt-5", "publishes the answers of text_davinci_003, gpt4_1106_preview"),
        ],
    )
    def test_without_a_file_the_published_ones_are_fetched(self, run, writer, reference, message):
        metadata = {"judge": "demo"} if reference is None else {"reference": reference}
        with pytest.raises(DataError, match=message):
            run(writer(answer), ["alpaca_eval_ultrarm"], metadata)

    def test_an_input_beside_the_instruction_is_not_ignored(self, run, writer, tmp_path):
        path = tmp_path / "r.json"
        path.write_text(json.dumps([{"instruction": "a", "input": "b", "output": "c"}]))
        with pytest.raises(DataError, match="row 0: the row has both 'instruction' and 'input'"):
            run(writer(answer), ["alpaca_eval_ultrarm"], {"reference": str(path)})
