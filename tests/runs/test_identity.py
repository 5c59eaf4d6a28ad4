"""What tells models and tasks apart; see also test_result_choice.py and test_parts_and_groups.py."""

import pytest

from ultrarm_eval.compare.cautions import setting_differences
from ultrarm_eval.runs.identity import distinguishing, model_settings, task_settings
from ultrarm_eval.runs.judge_identity import same_judges
from ultrarm_eval.runs.run import Run


def run_of(config=None, **results):
    return Run("results.json", "", {"results": {}, "config": config or {}, **results})


JUDGE = {"judge": "ultrarm", "pretrained": "demo", "template": "raw", "max_length": 1024}


@pytest.mark.parametrize(
    "changed",
    [{"template": "chat"}, {"dtype": "bfloat16"}, {"revision": "x"}, {"model_sha": "1"}],
)
def test_rewards_depend_on_these_settings_of_a_judge(changed):
    assert model_settings(run_of(JUDGE)) != model_settings(run_of(JUDGE | changed))


@pytest.mark.parametrize(
    "changed", [{"batch_size": 8}, {"device_used": "cuda:0"}, {"limit": 3}, {"revision": None}]
)
def test_and_not_on_those(changed):
    assert model_settings(run_of(JUDGE)) == model_settings(run_of(JUDGE | changed))


def test_a_judge_reads_the_system_instruction_as_a_language_model_does():
    for config in (JUDGE, {"model": "hf"}):
        instructed = run_of(config, system_instruction_sha="a")
        assert model_settings(instructed) != model_settings(run_of(config))
        assert model_settings(instructed) != model_settings(
            run_of(config, system_instruction_sha="b")
        )


@pytest.mark.parametrize(
    "arguments",
    [
        {"pretrained": "org/m", "dtype": "float16", "batch_size": "8", "empty": ""},
        "pretrained=org/m,dtype=float16,batch_size=8,empty=",
        " pretrained=org/m, dtype=float16,",
    ],
)
def test_arguments_of_a_model_as_text_and_as_a_mapping(arguments):
    run = run_of({"model": "hf", "model_args": arguments}, chat_template_sha="abc")
    found = {"model": "hf", "dtype": "float16", "chat_template": "abc"}
    assert model_settings(run) == found


@pytest.mark.parametrize("arguments", [None, 3, [], ""])
def test_arguments_that_are_none(arguments):
    assert model_settings(run_of({"model": "hf", "model_args": arguments})) == {"model": "hf"}


def test_a_value_of_an_argument_may_have_an_equals_sign():
    run = run_of({"model": "x", "model_args": "base_url=http://h/?a=b"})
    assert model_settings(run)["base_url"] == "http://h/?a=b"


def test_what_a_tasks_figures_depend_on():
    metadata = {
        "version": 1.0,
        "ties": "half",
        "min_gap": 0.5,
        "counts": {"rows": 3},
        "judge_used": {"pretrained": "demo", "template": "raw", "batch_size": 8},
    }
    run = run_of(configs={"t": {"metadata": metadata}}, **{"n-shot": {"t": 5, "u": 0}})
    assert task_settings(run, "t") == {
        "version": 1.0,
        "ties": "half",
        "min_gap": 0.5,
        "judge": "demo",
        "judge_template": "raw",
        "num_fewshot": 5,
    }
    assert task_settings(run, "u") == {}


def test_labels_are_short_and_say_what_is_missing():
    sha = "0123456789" * 4
    assert distinguishing([("m", {"sha": sha}), ("m", {})]) == [
        "m (sha=012345678901…23456789)",
        "m (sha=none)",
    ]


def test_things_that_differ_in_nothing_are_numbered():
    named = [("m", {"a": 1}), ("m", {"a": 2}), ("m", {"a": 1})]
    assert distinguishing(named) == ["m (a=1) [1]", "m (a=2)", "m (a=1) [2]"]


@pytest.mark.parametrize(
    "changed",
    [
        # Of judges that write critiques, and of third parties'.
        {"seed": 1},
        {"max_new_tokens": 256},
        {"samples": 4},
        {"strength": 9},
        {"appends_eos": True},
        {"reference_revision": "x"},
    ],
)
@pytest.mark.parametrize("is_new", [False, True])
def test_any_setting_that_a_judge_reports_tells_runs_apart(changed, is_new):
    usual = {"template": "raw", "seed": 0, "samples": 1, "strength": 1}

    def settings(reported):
        if not is_new:
            return model_settings(run_of({"judge": "mine", **reported}))
        given = {name: reported[name] for name in ("strength",)}
        about = {"judge_settings": reported, "fingerprint": "the same", "model_args": given}
        return model_settings(run_of({"judge": "mine", **about}))

    assert settings(usual) != settings(usual | changed)


@pytest.mark.parametrize(
    "changed",
    [{"counts": {"texts": 3}}, {"batching": "padded"}, {"scoring_seconds": 2.5}, {"calls": 5}],
)
def test_a_fingerprint_says_that_nothing_else_matters(changed):
    config = {"judge": "mine", "judge_settings": {"strength": 1, "calls": 3}, "fingerprint": "f"}
    others = {**config, "judge_settings": config["judge_settings"] | changed}
    assert model_settings(run_of(config)) == model_settings(run_of(others))
    assert model_settings(run_of(config)) != model_settings(run_of(config | {"fingerprint": "g"}))


def test_a_default_is_the_same_whether_it_was_given_or_not():
    about = {"judge": "mine", "fingerprint": "f", "judge_parameters": ["strength"]}

    def settings(strength, calls, given):
        reported = {"strength": strength, "calls": calls}
        return model_settings(run_of({**about, "judge_settings": reported, "model_args": given}))

    assert settings(1, 3, {}) == settings(1, 5, {"strength": 1})
    assert settings(1, 3, {}) != settings(2, 3, {"strength": 2})
    assert settings(1, 3, {}) != settings(2, 3, {})


@pytest.mark.parametrize("damaged", ["strength", 5, [["strength"]], {"strength": 1}, None])
def test_parameters_that_are_no_list_of_names(damaged):
    config = {"judge": "mine", "judge_settings": {"strength": 1}, "fingerprint": "f"}
    assert model_settings(run_of({**config, "judge_parameters": damaged})) == {
        "judge": "mine",
        "fingerprint": "f",
    }


def test_settings_that_the_harness_writes_itself_are_the_judges_own_where_it_reports_them():
    one, other = (
        model_settings(run_of({"judge": "mine", "model": "x", "judge_settings": {"model": name}}))
        for name in ("gpt-4", "gpt-5")
    )
    assert one == other  # without a fingerprint nobody knows whose they are
    given = {"model_args": {"model": "gpt-4"}}
    assert run_of({"judge": "mine", **given}, model_name="gpt-4").model == "gpt-4"


OURS = {"version": 1.0, "ties": "half", "counts": {"rows": 3}}
OLD = {"judge": "u", "template": "raw", "dtype": "float32"}


class TestTheMetadataOfATask:
    def of(self, metadata, model_args=None, **config):
        run = run_of({"model_args": model_args}, configs={"t": {"metadata": metadata, **config}})
        return task_settings(run, "t")

    @pytest.mark.parametrize("ours", [OURS, {"version": 1.0}])
    @pytest.mark.parametrize("as_text", [False, True])
    def test_a_models_arguments_in_it_are_not_the_tasks(self, ours, as_text):
        given = {"judge": "dpo", "reference": "org/sft", "n": 3, "pretrained": "m"}
        text = ",".join(f"{name}={value}" for name, value in given.items())
        assert self.of(ours | given, text if as_text else given) == self.of(ours)

    def test_but_a_task_whose_answers_were_judged_took_them(self):
        given = {"reference": "gpt-4", "n": 3}
        config = {"output_type": "generate_until"}
        assert self.of(OURS | given, given, **config) == self.of(OURS | given, **config)
        assert self.of(OURS | given, given, **config)["n"] == 3

    @pytest.mark.parametrize(
        "name", ["split", "category", "preference", "min_gap", "data_revision"]
    )
    def test_which_data_a_task_of_ours_read_and_how(self, name):
        assert self.of(OURS | {name: "a"}) != self.of(OURS | {name: "b"})

    def test_tasks_of_others_may_read_anything_there(self):
        assert self.of({"max_seq_lengths": [4096]}) != self.of({"max_seq_lengths": [8192]})
        assert self.of({"config_source": "/a.yaml"}) == self.of({"config_source": "/b.yaml"})

    @pytest.mark.parametrize(
        "changed",
        [
            {"judge_args": {"strength": 9}},
            {"judge_used": {"name": "mine", "fingerprint": "g"}},
            {"judge_used": {"pretrained": "other", "fingerprint": "f"}},
            {"judge_used": {"name": "mine", "fingerprint": "f", "template": "chat"}},
        ],
    )
    def test_the_judge_of_answers_with_all_of_its_settings(self, changed):
        judged = OURS | {"judge_used": {"name": "mine", "fingerprint": "f"}}
        assert self.of(judged) != self.of(judged | changed)
        assert self.of(judged)["judge"] == "mine"

    def test_but_not_where_it_computes(self):
        judged = OURS | {"judge_used": {"name": "mine", "fingerprint": "f"}}
        elsewhere = {"judge_args": {"device": "cuda:1", "batch_size": 8}}
        assert self.of(judged) == self.of(judged | elsewhere)

    @pytest.mark.parametrize("metadata", [OURS, {"version": 1.0}])
    @pytest.mark.parametrize(
        "changed",
        [
            {"generation_kwargs": {"do_sample": True, "temperature": 0.7}},
            {"generation_kwargs": {"do_sample": True, "max_gen_toks": 9}},
            {"repeats": 4},
        ],
    )
    def test_how_a_model_writes(self, metadata, changed):
        usual = {"output_type": "generate_until", "generation_kwargs": {"do_sample": True}}
        assert self.of(metadata, **usual) != self.of(metadata, **usual | changed)
        # A judge writes nothing.
        usual["output_type"] = "multiple_choice"
        assert self.of(metadata, **usual) == self.of(metadata, **usual | changed)

    @pytest.mark.parametrize("do_sample", [False, True])
    def test_the_seed_of_what_is_drawn(self, do_sample):
        config = {"output_type": "generate_until", "generation_kwargs": {"do_sample": do_sample}}
        one, other = (
            task_settings(run_of({"torch_seed": seed}, configs={"t": config}), "t")
            for seed in (1, 2)
        )
        assert (one != other) is do_sample

    def test_a_filter_of_the_tasks_own_file_that_judges(self):
        def judged(**settings):
            function = {"function": "best_of_n", "judge": "demo", **settings}
            return self.of({}, filter_list=[{"name": "none", "filter": [function]}])

        assert judged()["judge"] == "demo"
        assert judged(n=4) != judged(n=8)
        assert judged(judge_args={"dtype": "float16"}) != judged()


class TestWhichRunsAreOfOneJudge:
    def of(self, *settings):
        return sorted(same_judges([("m", one) for one in settings]))

    def test_an_older_run_without_a_fingerprint_belongs_to_the_one_that_it_fits(self):
        new = OLD | {"max_length": 9, "fingerprint": "f"}
        assert self.of(OLD, new) == [[1, 0]]
        assert self.of(OLD | {"template": "chat"}, new) == [[0], [1]]

    def test_and_to_none_where_it_could_be_several(self):
        known = [OLD | {"fingerprint": name} for name in ("f", "g")]
        assert self.of(OLD, *known) == [[0], [1], [2]]

    def test_language_models_have_no_fingerprint_to_fit(self):
        assert self.of({"model": "hf"}, {"model": "hf", "fingerprint": "f"}) == [[0], [1]]


def test_a_fingerprint_is_told_only_where_nothing_else_differs():
    named = [
        ("m", {"template": "raw", "fingerprint": "aaa"}),
        ("m", {"template": "raw", "fingerprint": "bbb"}),
        ("m", {"template": "chat", "fingerprint": "ccc"}),
        ("other", {"x": 1, "fingerprint": "ddd"}),
        ("other", {"x": 2, "fingerprint": "eee"}),
    ]
    assert distinguishing(named) == [
        "m (template=raw, fingerprint=aaa)",
        "m (template=raw, fingerprint=bbb)",
        "m (template=chat)",
        "other (x=1)",
        "other (x=2)",
    ]
    differing = setting_differences(None, {"A": named[0][1], "B": named[2][1]})
    assert [one.name for one in differing] == ["template"]
    (only,) = setting_differences(None, {"A": named[0][1], "B": named[1][1]})
    assert only.name == "fingerprint"


@pytest.mark.parametrize(
    ("config", "named", "found"),
    [
        (
            {"judge": "overlap", "model": "reward-model", "model_args": {"judge": "overlap"}},
            "qdpv68r5",
            "overlap",
        ),
        ({"judge": "overlap", "model_args": "judge=overlap"}, "qdpv68r5", "overlap"),
        ({"judge": "overlap", "pretrained": None, "model_args": ""}, "qdpv68r5", "overlap"),
        ({"judge": "ultrarm", "pretrained": "demo", "model_args": {}}, "qdpv68r5", "demo"),
        ({"model": "dummy", "model_args": None}, "qdpv68r5", "dummy"),
        # Not drawn, though it looks so.
        ({"model": "hf", "model_args": {"pretrained": "gpt4mini"}}, "gpt4mini", "gpt4mini"),
        ({"model": "hf", "model_args": {"peft": "adapter1"}}, "adapter1", "adapter1"),
        ({"model": "hf"}, "modelabc", "modelabc"),
        ({"judge": "overlap", "model_args": {}}, "a longer name", "a longer name"),
    ],
)
def test_a_name_that_the_harness_drew_is_no_name(config, named, found):
    assert run_of(config, model_name=named).model == found


def test_a_fingerprint_that_one_of_two_runs_does_not_hold_tells_nothing():
    assert distinguishing([("m", {"a": 1}), ("m", {"a": 1, "fingerprint": "f"})]) == [
        "m [1]",
        "m [2]",
    ]
