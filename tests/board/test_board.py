"""Which figures of a board stand in one column, and which of them have a rank."""

import pytest

from tests.board.written_results import OfTask, results_of, write_results
from tests.compare.compared import right
from tests.compare.written_runs import in_order, write_run
from ultrarm_eval.board.board import make_board
from ultrarm_eval.errors import DataError
from ultrarm_eval.runs.digest import samples_digest
from ultrarm_eval.runs.evaluation import read_evaluations
from ultrarm_eval.runs.figure import TWO_SIDED_95


@pytest.fixture
def made(tmp_path):
    """Makes the board of runs: (model, tasks, further arguments of `results_of`) each."""

    def make(*runs):
        for place, (model, tasks, *more) in enumerate(runs):
            content = results_of(model, tasks, **(more[0] if more else {}))
            stamp = f"2026-03-04T05-06-{place:02d}.000000"
            write_results(tmp_path / f"run{place}", content, stamp=stamp)
        return make_board(read_evaluations(tmp_path), tmp_path)

    return make


def column(board, title, metric="acc,none"):
    """Value, rank and marks by the row's label."""
    (key,) = (task.key for task in board.tasks if task.title == title)
    (found,) = (c for c in board.columns if (c.tasks[0].key, c.key) == (key, metric))
    return {
        row.label: (cell.figure.value, cell.rank, cell.marks)
        for row, cell in zip(board.rows, found.cells, strict=True)
        if cell
    }


def titles(board):
    return [task.title for task in board.tasks]


def test_rows_are_ordered_and_ranked_with_ties(made):
    accuracies = {"a": 0.6, "b": 0.9, "c": 0.89}
    board = made(*((name, {"x": OfTask(acc, 1000)}) for name, acc in accuracies.items()))
    assert [row.label for row in board.rows] == ["b", "c", "a"]
    assert [rank for _, rank, _ in column(board, "x").values()] == [(1, 2), (1, 2), (3, 3)]


def test_settings_of_a_task_part_it_although_no_row_has_both(made):
    board = made(
        ("a", {"x": OfTask(0.9, metadata={"preference": "overall"})}),
        ("b", {"x": OfTask(0.8, metadata={"preference": "honesty"})}),
    )
    assert titles(board) == ["x (preference=honesty)", "x (preference=overall)"]
    assert column(board, "x (preference=overall)") == {"a": (0.9, None, ())}


def test_settings_of_a_groups_tasks_part_the_group(made):
    for_group = {"groups": {"all": (0.8, ("x", "y"))}}
    overall, honesty = ({"preference": p} for p in ("overall", "honesty"))
    board = made(
        ("a", {"x": OfTask(metadata=overall), "y": OfTask(metadata=overall)}, for_group),
        ("a", {"x": OfTask(metadata=honesty), "y": OfTask(metadata=honesty)}, for_group),
    )
    assert titles(board)[:2] == ["all (preference=honesty)", "all (preference=overall)"]


def test_data_of_other_names_are_the_same_if_the_documents_are(made):
    board = made(
        ("a", {"x": OfTask(0.9, digest="d1", metadata={"data_used": "one.jsonl"})}),
        ("b", {"x": OfTask(0.8, digest="d1", metadata={"data_used": "copy.jsonl"})}),
        ("c", {"x": OfTask(0.7, digest="d2", metadata={"data_used": "other.jsonl"})}),
    )
    assert titles(board) == ["x (data_used=copy.jsonl)", "x (data_used=other.jsonl)"]
    assert set(column(board, titles(board)[0])) == {"a", "b"}


def test_rows_over_other_documents_are_marked_and_not_ranked(made):
    board = made(
        *((name, {"x": OfTask(0.8, digest="d1")}) for name in "ab"),
        ("c", {"x": OfTask(0.9, digest="d2")}),
        ("d", {"x": OfTask(0.9, n=399, digest=None)}),
        ("e", {"x": OfTask(0.7, digest=None)}),
    )
    found = column(board, "x")
    assert found["a"] == (0.8, (1, 2), ())
    assert found["c"] == (0.9, None, ("other documents",))
    assert found["d"] == (0.9, None, ("other documents",))
    assert found["e"] == (0.7, (3, 3), ())
    # What is not compared stands behind what is.
    assert [row.label for row in board.rows] == ["a", "b", "e", "c", "d"]
    told = " ".join(board.tasks[0].notes)
    assert "Not all rows cover the same documents" in told
    assert "2 over other documents are marked" in told


def test_documents_without_a_score_are_said(made):
    group = {"groups": {"all": (0.8, ("x", "y"))}}
    some = OfTask(0.9, metadata={"counts": {}, "documents_without_score": 5})
    every = OfTask(0.8, metadata={"counts": {}, "documents_without_score": 0})
    board = made(
        ("a", {"x": some, "y": some}, group),
        ("b", {"x": every, "y": every}, group),
    )
    said = {task.title: " ".join(task.notes) for task in board.tasks}
    left_out = "1 of 2 rows exclude documents without a score, at most {}. The remaining documents"
    assert left_out.format(10) in said["all"]
    assert left_out.format(5) in said["x"]
    # They are ranked all the same: nothing tells whether the others are easier.
    assert column(board, "x")["a"][1] == (1, 1)


@pytest.fixture
def of_orders(tmp_path):
    """The board of three judges on one file, on its rows in another order, and on other rows."""

    def make(**options):
        samples = right([1, 0, 1, 1])
        files = {
            "a": samples,
            "b": in_order(samples, [3, 1, 0, 2]),
            "c": [*samples[:3], *in_order(right([1] * 5)[4:], [0])],
        }
        for name, of_run in files.items():
            metadata = {"data_digest": samples_digest(of_run), **options}
            write_run(tmp_path / name, {"x": of_run}, model=name, metadata=metadata)
        return lambda: make_board(read_evaluations(tmp_path), tmp_path)

    return make


def test_documents_in_another_order_are_the_same(of_orders):
    board = of_orders()()
    assert {name: marks for name, (_, _, marks) in column(board, "x").items()} == {
        "a": (),
        "b": (),
        "c": ("other documents",),
    }
    digests = {row.label: row.results["t0"].data_digest for row in board.rows}
    assert digests["a"] == digests["b"] != digests["c"]
    assert board.tasks[0].data_digest == digests["a"]
    assert [note for note in board.tasks[0].notes if "in another order" in note] == []


def test_without_samples_nothing_tells_that_only_the_order_differs(of_orders, tmp_path):
    make = of_orders()
    next((tmp_path / "b").glob("samples_*")).unlink()
    board = make()
    assert column(board, "x")["b"][2] == ("other documents",)
    assert any(
        "Rows without samples are compared by lm-eval's hashes" in n for n in board.tasks[0].notes
    )


def test_a_group_over_documents_in_another_order_is_the_same(tmp_path):
    samples = {"x": right([1, 0, 1]), "y": right([0, 1])}
    resorted = {"x": in_order(samples["x"], [2, 0, 1]), "y": samples["y"]}
    figures = {"acc,none": 0.5, "acc_stderr,none": 0.1}
    for name, of_run in (("a", samples), ("b", resorted)):
        changes = {
            "results": {"both": figures, "x": figures, "y": figures},
            "group_subtasks": {"both": ["x", "y"]},
        }
        write_run(tmp_path / name, of_run, model=name, **changes)
    board = make_board(read_evaluations(tmp_path), tmp_path)
    assert {marks for _, _, marks in column(board, "both").values()} == {()}


@pytest.mark.parametrize(
    "changes",
    [{"config": {"limit": 10}}, {"n-samples": {"x": {"original": 400, "effective": 20}}}],
    ids=["limit", "samples"],
)
def test_a_part_of_the_data_is_never_ranked(made, changes):
    board = made(
        ("a", {"x": OfTask(0.8)}), ("b", {"x": OfTask(0.7)}), ("c", {"x": OfTask(0.99)}, changes)
    )
    assert column(board, "x")["c"] == (0.99, None, ("partial",))
    assert column(board, "x")["b"][1] == (2, 2)


def test_a_shard_of_one_task_makes_its_group_partial(made):
    group = {"groups": {"all": (0.8, ("x", "y"))}}
    board = made(
        ("a", {"x": OfTask(metadata={"shard": "0/2"}), "y": OfTask()}, group),
        ("b", {"x": OfTask(), "y": OfTask()}, group),
    )
    assert column(board, "all")["a"] == (0.8, None, ("partial",))
    assert column(board, "y")["a"][2] == ()


def test_in_sample_figures_are_marked_and_not_ranked(made):
    seen = OfTask(0.95, metadata={"in_sample_for": ["a"]})
    board = made(*((name, {"x": seen}) for name in "abc"))
    assert column(board, "x")["a"] == (0.95, None, ("in-sample",))
    assert column(board, "x")["b"][1:] == ((1, 2), ())


def test_figures_without_a_standard_error_have_no_rank(made):
    board = made(*((name, {"x": OfTask(0.8, stderr="N/A")}) for name in "ab"))
    assert column(board, "x") == {"a": (0.8, None, ()), "b": (0.8, None, ())}


def test_metrics_of_which_less_is_better_are_ranked_so_and_margins_not_at_all(made):
    def figures(x):
        return {"nll": x, "nll_stderr,none": 0.01, "margin": x, "margin_stderr,none": 0.01}

    board = made(*((n, {"x": OfTask(figures=figures(x))}) for n, x in (("a", 0.2), ("b", 0.6))))
    assert [rank for _, rank, _ in column(board, "x", "nll,none").values()] == [(1, 1), (2, 2)]
    assert [rank for _, rank, _ in column(board, "x", "margin,none").values()] == [None, None]


def test_groups_stand_first_and_acc_is_the_main_metric(made):
    tasks = {"a_task": OfTask(figures={"tie_rate": 0.1}), "b_task": OfTask()}
    board = made(("m", tasks, {"groups": {"zz": (0.5, ("a_task", "b_task"))}}))
    assert titles(board) == ["zz", "a_task", "b_task"]
    assert board.tasks[0].members == ("a_task", "b_task")
    assert board.tasks[0].documents == 800
    assert [c.key for c in board.columns if c.is_main] == ["acc,none"] * 3


def test_the_mean_is_over_tasks_that_all_whole_rows_share(made):
    def tasks(x, y, **more):
        return {"x": OfTask(x), "y": OfTask(y), **more}

    board = made(
        ("a", tasks(0.9, 0.8, z=OfTask(0.1)), {"groups": {"all": (0.2, ("x", "y"))}}),
        ("b", tasks(0.7, 0.6)),
        # It saw a part of the data, and does not decide what is shared.
        ("c", {"x": OfTask(0.9)}, {"config": {"limit": 5}}),
    )
    assert [task.title for task in board.mean.tasks] == ["x", "y"]
    values = [cell and round(cell.figure.value, 9) for cell in board.mean.cells]
    assert values == [0.85, 0.65, None]
    assert [cell.rank for cell in board.mean.cells[:2]] == [(1, 1), (2, 2)]
    # However the errors hang together: the mean of both half widths.
    halves = [TWO_SIDED_95 * (p * (1 - p) / 400) ** 0.5 for p in (0.9, 0.8)]
    assert board.mean.cells[0].figure.interval.high - 0.85 == pytest.approx(sum(halves) / 2)


def means(board):
    return [task.title for task in board.mean.tasks]


def test_a_group_counts_once_in_the_mean_and_its_tasks_do_not(made):
    tasks = {name: OfTask(0.5) for name in ("x", "y", "z", "w")}
    groups = {"all": (0.9, ("x", "y", "z")), "some": (0.1, ("x", "y"))}
    board = made(*((name, tasks, {"groups": groups}) for name in "ab"))
    assert means(board) == ["all", "w"]
    assert [cell.figure.value for cell in board.mean.cells] == pytest.approx([0.7, 0.7])


def test_a_group_of_one_task_counts_once_and_groups_that_overlap_do_all(made):
    tasks = {name: OfTask(0.5) for name in ("x", "y", "z")}
    groups = {"only": (0.9, ("z",)), "xy": (0.9, ("x", "y")), "yz": (0.1, ("y", "z"))}
    assert means(made(("a", tasks, {"groups": groups}))) == ["xy", "yz"]


def test_tasks_count_where_not_all_rows_have_their_group(made):
    tasks = {"x": OfTask(), "y": OfTask()}
    board = made(("a", tasks, {"groups": {"all": (0.2, ("x", "y"))}}), ("b", tasks))
    assert means(board) == ["x", "y"]


def of_data(data="rb.jsonl", *, ties="wrong", **kwargs):
    return OfTask(0.5, metadata={"data_used": data, "ties": ties}, kwargs=kwargs)


def test_a_task_over_all_rows_counts_instead_of_its_subsets(made):
    tasks = {
        "overall": of_data(suite="rewardbench"),
        "math": of_data(suite="rewardbench", subset="math-prm"),
        "chat": of_data(suite="rewardbench", subset="chat"),
        "other": of_data("pairs.jsonl"),
        "flan": of_data("pairs.jsonl", source="flan"),
    }
    assert means(made(("a", tasks), ("b", tasks))) == ["other", "overall"]


@pytest.mark.parametrize(
    "part",
    [
        of_data(suite="rewardbench2", subset="chat"),
        of_data("other.jsonl", suite="rewardbench", subset="chat"),
        of_data(ties="half", suite="rewardbench", subset="chat"),
        of_data(suite="rewardbench", files=["chat"]),
    ],
    ids=["suite", "data", "settings", "files"],
)
def test_a_subset_of_other_data_counts(made, part):
    tasks = {"overall": of_data(suite="rewardbench"), "part": part}
    assert means(made(("a", tasks))) == ["overall", "part"]


def test_the_same_task_on_other_data_counts_as_well(made):
    runs = [
        ("a", {"x": OfTask(0.5, digest=name, metadata={"data_used": name})}) for name in ("d", "e")
    ]
    assert means(made(*runs)) == ["x (data_used=d)", "x (data_used=e)"]


@pytest.mark.parametrize(
    "second",
    [{"x": OfTask()}, {"x": OfTask(), "y": OfTask(digest="other")}],
    ids=["missing", "other documents"],
)
def test_one_shared_task_gives_no_mean(made, second):
    board = made(("a", {"x": OfTask(), "y": OfTask()}), ("b", second))
    assert board.mean is None
    assert [task.title for task in board.sorted_by.tasks] == ["x"]


def test_a_mean_with_an_in_sample_task_is_marked(made):
    seen = OfTask(0.95, metadata={"in_sample_for": ["a"]})
    board = made(*((name, {"x": seen, "y": OfTask()}) for name in "ab"))
    assert {cell.marks for cell in board.mean.cells} == {("in-sample",), ()}


def test_results_that_are_not_shown_are_told(made):
    first, second = ({"data_used": name} for name in ("one.jsonl", "two.jsonl"))
    board = made(("a", {"x": OfTask(metadata=first)}), ("a", {"x": OfTask(metadata=second)}))
    assert any("is not used, because a newer" in remark for remark in board.rows[0].remarks)


def test_runs_without_figures_are_left_out_and_said(made, tmp_path):
    board = made(("a", {"x": OfTask()}), ("b", {"x": OfTask()}, {"results": {"x": {}}}))
    assert [row.label for row in board.rows] == ["a"]
    assert board.left_out == ("b: its runs were interrupted and have no results.",)
    with pytest.raises(DataError, match="no run here has results"):
        make_board(read_evaluations(tmp_path / "run1"), tmp_path)


def test_a_judges_arguments_that_older_results_hold_in_every_task_do_not_part_it(made):
    def run(model, **given):
        arguments = {"pretrained": model, **given}
        task = OfTask(metadata={"counts": {}, "preference": "overall", **arguments})
        return model, {"x": task}, {"config": {"model_args": arguments}}

    board = made(run("org/a", judge="dpo", reference="org/sft"), run("org/b", judge="auto", n=3))
    (task,) = board.tasks
    assert task.title == "x"
    assert len(board.rows) == 2


def test_judges_with_other_settings_of_their_own_have_rows_of_their_own(made):
    def run(seed, strength):
        own = {"judge": "mine", "judge_settings": {"strength": strength}, "fingerprint": "f"}
        arguments = {"judge": "mine", "strength": strength}
        config = {**own, "model_args": arguments, "seed": seed}
        return "org/a", {"x": OfTask()}, {"config": config}

    board = made(run(0, 1), run(0, 9), run(1, 9))
    assert [row.label for row in board.rows] == ["org/a (strength=1)", "org/a (strength=9)"]
