"""Processes of a process that is killed."""

import subprocess
import sys

import psutil

STARTS_ONE = """
import os, signal, subprocess, sys, time
from ultrarm_eval.engine.process_guard import ProcessGuard
guard = ProcessGuard()
sleeper = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]
guarded, other = (
    subprocess.Popen(sleeper, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in "ab"
)
guarded.stdout.readline(), other.stdout.readline()
guard.add([guarded.pid])
guard.add([guarded.pid])
print(guarded.pid, other.pid, flush=True)
if sys.argv[1] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
guard.stop()
"""


def started(how):
    """The processes that one left behind: the one that it guarded, and another."""
    done = subprocess.run(
        [sys.executable, "-c", STARTS_ONE, how], capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    return [psutil.Process(int(number)) for number in done.stdout.split()]


def test_a_killed_process_takes_those_along_that_it_guarded_and_no_other():
    guarded, other = started("kill")
    gone, _ = psutil.wait_procs([guarded], timeout=60)
    assert gone == [guarded]
    assert other.is_running()
    other.kill()


def test_a_guard_that_is_stopped_ends_nothing():
    guarded, other = started("stop")
    assert guarded.is_running()
    guarded.kill()
    other.kill()
