"""Processes of a replay are found by their mark, and only they are ended."""

import os
import subprocess
import sys

from producers.replay.workers import MARK, end_left_behind, left_behind


def test_only_processes_with_the_mark_are_ended() -> None:
    sleep = [sys.executable, "-c", "import sys, time; print(flush=True); time.sleep(60)"]
    with (
        subprocess.Popen(sleep, env={**os.environ, MARK: "ours"}, stdout=subprocess.PIPE) as marked,
        subprocess.Popen(sleep, env={**os.environ, MARK: "theirs"}, stdout=subprocess.PIPE) as other,
    ):
        try:
            for process in (marked, other):
                assert process.stdout is not None
                process.stdout.readline()
            assert left_behind("ours") == [marked.pid]
            assert end_left_behind("ours") == 1
            assert marked.wait(10) != 0
            assert other.poll() is None
        finally:
            marked.kill()
            other.kill()
