"""Outputs that are closed, full, broken or of another encoding, and commands that are stopped."""

import functools
import importlib.metadata
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import write_jsonl
from ultrarm_eval.cli import main
from ultrarm_eval.terminal import escape_what_cannot_be_encoded

COMMAND = f"{sys.executable} -m ultrarm_eval.cli"
STRANGE = 'ä € 😀 \ud800 \\ "'


def shell(line, **variables):
    return subprocess.run(
        ["/bin/sh", "-c", line],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def rows(tmp_path):
    rows = [{"prompt": f"größer {i} 😀", "chosen": "ja ä", "rejected": "nein"} for i in range(2)]
    return write_jsonl(tmp_path / "größer 😀.jsonl", rows)


class TestEncoding:
    @pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
    def test_what_it_lacks_is_escaped_and_json_stays_what_it_was(self, encoding):
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding=encoding)
        escape_what_cannot_be_encoded(stream)
        stream.write(json.dumps({STRANGE: STRANGE}, ensure_ascii=False))
        stream.flush()
        assert json.loads(raw.getvalue().decode(encoding)) == {STRANGE: STRANGE}

    @pytest.mark.parametrize("errors", ["replace", "ignore", "surrogateescape"])
    def test_another_way_that_the_user_chose_is_kept(self, errors):
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors=errors)
        escape_what_cannot_be_encoded(stream)
        assert stream.errors == errors

    def test_a_stream_of_another_kind_is_left_alone(self):
        escape_what_cannot_be_encoded(io.StringIO())
        escape_what_cannot_be_encoded(None)

    @pytest.mark.parametrize("form", ["text", "json"])
    def test_a_command_writes_on_an_ascii_terminal(self, rows, form, monkeypatch):
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
        assert main(["data", "inspect", str(rows), "--format", form]) == 0
        assert b"gr\\u00f6\\u00dfer \\ud83d\\ude00" in raw.getvalue()
        if form == "json":
            assert "größer 😀" in json.dumps(json.loads(raw.getvalue()), ensure_ascii=False)

    @pytest.mark.slow
    def test_a_message_is_written_on_an_ascii_terminal(self):
        finished = shell(f"{COMMAND} data inspect 'größer😀'", PYTHONIOENCODING="ascii")
        assert finished.returncode == 2
        assert "gr\\xf6\\xdfer\\U0001f600" in finished.stderr
        assert "Traceback" not in finished.stderr


class TestClosed:
    def test_a_standard_output_that_is_closed_is_refused_at_once(self):
        finished = shell(f"{COMMAND} data inspect demo >&-")
        assert finished.returncode == 2
        assert finished.stderr == (
            "ultrarm-eval data: standard output is closed (>&-), so the results cannot be "
            "written. Redirect it to a file or to /dev/null.\n"
        )

    @pytest.mark.slow
    def test_the_version_is_said_without_a_standard_output(self):
        finished = shell(f"{COMMAND} --version >&-")
        version = importlib.metadata.version("ultrarm-eval")
        assert (finished.returncode, finished.stderr) == (0, f"ultrarm-eval {version}\n")

    @pytest.mark.parametrize(
        "closed", ["<&- 2>&-", *(pytest.param(c, marks=pytest.mark.slow) for c in ("2>&-", "<&-"))]
    )
    def test_other_closed_streams_are_no_matter(self, closed):
        finished = shell(f"{COMMAND} data inspect demo {closed}")
        assert (finished.returncode, finished.stderr) == (0, "")
        assert "rows" in finished.stdout

    @pytest.mark.slow
    def test_no_file_takes_the_place_of_a_closed_stream(self, rows, tmp_path):
        # Its number would be 2, and messages would be written into it.
        out = tmp_path / "out.jsonl"
        finished = shell(f"{COMMAND} data binarize demo -o {out} <&- 2>&-")
        assert finished.returncode == 0
        assert all(json.loads(line)["prompt"] for line in out.read_text().splitlines())

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
    def test_a_full_one_is_named(self):
        finished = shell(f"{COMMAND} data inspect demo > /dev/full")
        assert finished.returncode == 2
        assert finished.stderr == (
            "ultrarm-eval data: the output cannot be written: [Errno 28] No space left on device\n"
        )

    @pytest.mark.slow
    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
    def test_a_full_one_is_named_whatever_is_written(self):
        finished = shell(f"{COMMAND} data inspect demo --format json > /dev/full")
        assert finished.returncode == 2
        assert "No space left on device" in finished.stderr
        finished = shell(f"{COMMAND} data inspect nowhere 2> /dev/full")
        assert (finished.returncode, finished.stderr) == (2, "")

    @pytest.mark.slow
    def test_a_reader_that_has_enough_is_no_error(self):
        finished = shell(
            f"{COMMAND} data inspect demo --format json | head -c 1; {COMMAND} data inspect demo | true"
        )
        assert (finished.stdout, finished.stderr) == ("{", "")

    def test_a_file_that_cannot_be_read_is_no_output(self, monkeypatch, capsys):
        def fail(_):
            raise PermissionError(13, "Permission denied", "x.jsonl")

        monkeypatch.setattr("ultrarm_eval.cli.plugins._run", fail)
        assert main(["plugins"]) == 2
        assert capsys.readouterr().err == "ultrarm-eval plugins: x.jsonl: Permission denied\n"


class TestStopped:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({}, "interrupted."),
            (
                {"score_store": None},
                "interrupted. Use --score-store FILE to keep rewards and resume.",
            ),
            (
                {"score_store": "kept.db"},
                "interrupted. Finished rewards are kept in kept.db; the same command resumes from "
                "there.",
            ),
            ({"score_store": "new.db"}, "interrupted before anything was scored."),
        ],
    )
    def test_it_says_what_became_of_the_work(self, tmp_path, monkeypatch, capsys, options, said):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "kept.db").touch()

        def stop(given):
            vars(given).update(options)
            raise KeyboardInterrupt

        monkeypatch.setattr("ultrarm_eval.cli.plugins._run", stop)
        assert main(["plugins"]) == 130
        assert capsys.readouterr().err == f"ultrarm-eval plugins: {said}\n"

    def test_a_running_command_ends_in_one_line(self, tmp_path):
        pipe = tmp_path / "pipe.jsonl"
        os.mkfifo(pipe)
        running = subprocess.Popen(
            [sys.executable, "-m", "ultrarm_eval.cli", "data", "inspect", str(pipe)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell that starts tests in the background has this signal ignored.
            preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        # It waits for the pipe's other end.
        reader = os.open(pipe, os.O_WRONLY)
        time.sleep(0.2)
        running.send_signal(signal.SIGINT)
        try:
            said = running.communicate(timeout=60)[1]
        finally:
            running.kill()
            os.close(reader)
        assert running.returncode == 130
        assert said == "ultrarm-eval data: interrupted.\n"


def test_the_traceback_of_an_error_can_be_had(monkeypatch):
    from ultrarm_eval.errors import UltrarmEvalError

    monkeypatch.setenv("ULTRARM_EVAL_TRACEBACK", "1")
    with pytest.raises(UltrarmEvalError):
        main(["data", "inspect", "nowhere"])
