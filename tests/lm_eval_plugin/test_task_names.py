import pytest

from ultrarm_eval.lm_eval_plugin.task_names import known_names


def test_our_tasks_groups_and_tags_are_known():
    names = known_names()
    assert {"llmbar_natural", "ultrafeedback_pairs", "gsm8k_best_of_n"} <= names.tasks
    assert names.members["llmbar"] == {
        f"llmbar_{part}" for part in ("natural", "neighbor", "gptinst", "gptout", "manual")
    }
    # The second one's tag comes with the file that it includes.
    assert names.members["ultrafeedback_generation"] == {
        "ultrafeedback_judge",
        "ultrafeedback_best_of_n",
    }
    assert names.members["ultrafeedback"] == {"ultrafeedback_pairs", "ultrafeedback_binarized"}
    assert not names.tasks & names.members.keys()


@pytest.mark.parametrize(
    ("task", "names"),
    [
        ("llmbar_manual", ["llmbar_manual", "llmbar_adversarial", "llmbar"]),
        ("llmbar_natural", ["llmbar_natural", "llmbar"]),
        ("preference_pairs", ["preference_pairs"]),
        ("somebody_elses", ["somebody_elses"]),
    ],
)
def test_a_task_is_called_by_its_name_and_by_groups_the_smallest_first(task, names):
    assert known_names().names_of(task) == names


def test_folders_of_the_users_own_tasks_are_known(tmp_path):
    (tmp_path / "base_yaml").write_text("tag: own_tag\nclass: !function x.Y\n")
    (tmp_path / "one.yaml").write_text("include: base_yaml\ntask: own_task\n")
    (tmp_path / "group.yaml").write_text(
        "group: own_group\ntask:\n  - own_task\n  - task: own_inline\n    dataset_path: x\n"
        "  - group: own_inner\n    task: [own_third]\n"
    )
    (tmp_path / "broken.yaml").write_text("task: [")
    names = known_names([tmp_path])
    assert not known_names().tasks & {"own_task", "own_inline"}
    assert {"own_task", "own_inline"} <= names.tasks
    assert names.members["own_group"] == {"own_task", "own_inline", "own_third"}
    assert names.members["own_inner"] == {"own_third"}
    assert names.members["own_tag"] == {"own_task"}
