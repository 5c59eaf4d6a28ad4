"""The example notebook runs, and nothing of ours breaks in a kernel, where an event loop runs."""

import os
import re
from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")
pytestmark = pytest.mark.slow
EXAMPLE = Path(__file__).parents[2] / "examples" / "score_and_compare.ipynb"


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Runs a notebook in a folder of its own, offline; what its cells gave, by their place."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[2])]))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))

    def run(notebook, **options):
        place = {"metadata": {"path": str(tmp_path)}}
        client = nbclient.NotebookClient(
            notebook, timeout=900, kernel_name="python3", resources=place, **options
        )
        with client.setup_kernel():
            for index, cell in enumerate(notebook.cells):
                client.execute_cell(cell, index)
        return notebook

    return run


def texts(cell):
    """What a cell printed, gave and raised."""
    found = []
    for output in cell.get("outputs", ()):
        found.append(output.get("text") or output.get("data", {}).get("text/plain") or "")
        found += output.get("traceback", [])
    return "\n".join(found)


def cell_with(notebook, text):
    (found,) = [c for c in notebook.cells if c.cell_type == "code" and text in c.source]
    return found


# What the kernel's own machinery warns of is no concern of ours.
@pytest.mark.filterwarnings("ignore")
def test_the_example_runs_offline(execute, tmp_path):
    notebook = nbformat.read(EXAMPLE, as_version=4)
    nbformat.validate(notebook)
    # Outputs would be of one machine and one version.
    assert not any(cell.get("outputs") for cell in notebook.cells)
    execute(notebook)
    table = texts(cell_with(notebook, "make_table"))
    assert "acc_pairs" in table
    # The Python API and the harness compute the same accuracy and standard error.
    computed = texts(cell_with(notebook, "preference_accuracy("))
    accuracy = re.search(r"preference accuracy +([\d.]+) ± ([\d.]+)", computed).groups()
    assert re.search(r"\|acc +\|↑ +\|([\d.]+)\|± +\|([\d.]+)\|", table).groups() == accuracy
    assert "with its template" in texts(cell_with(notebook, "summary = "))
    compared = texts(cell_with(notebook, '"compare"'))
    assert "Findings" in compared
    assert "ultrafeedback_pairs" in compared
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "ultrafeedback_pairs" in page
    assert "IFrame" in texts(notebook.cells[-3])
    assert len([*tmp_path.rglob("samples_ultrafeedback_pairs_*.jsonl")]) == 2


@pytest.mark.filterwarnings("ignore")
def test_servers_errors_and_bars_in_a_running_loop(execute, checkpoint):
    code = nbformat.v4.new_code_cell
    notebook = nbformat.v4.new_notebook(
        cells=[
            code("import asyncio\nprint('loop', asyncio.get_running_loop().is_running())"),
            code(
                "from tests.engine.server.reward_server import RewardServer\n"
                "from tests.engine.server.served_checkpoint import ServedCheckpoint\n"
                "from ultrarm_eval import load_judge\n"
                f"served = ServedCheckpoint(load_judge({str(checkpoint)!r}, judge='ultrarm'))\n"
                "server = RewardServer(served, 'vllm')\nserver.start()\n"
                f"judge = load_judge({str(checkpoint)!r}, judge='ultrarm', engine='server', "
                "base_url=server.url)\n"
                "here = served.judge.score(['the sky'], ['blue'])\n"
                "there = judge.score(['the sky'], ['blue'])\n"
                "print('same', abs(here[0] - there[0]) < 1e-5)"
            ),
            # A cell that waits for something else while it scores: the loop stays free.
            code(
                "found, _ = await asyncio.gather("
                "asyncio.to_thread(judge.score, ['the sky'], ['green']), asyncio.sleep(0))\n"
                "print('beside', len(found))"
            ),
            code("load_judge('no/such/folder/at all')", metadata={"tags": ["raises-exception"]}),
            code("print('still here')"),
        ]
    )
    execute(notebook)
    loop, same, beside, error, after = map(texts, notebook.cells)
    assert "loop True" in loop
    assert "same True" in same
    assert "beside 1" in beside
    # A notebook keeps tracebacks; the command alone leaves them out.
    assert "Traceback" in error
    assert "no/such/folder/at all" in error
    assert "still here" in after
