from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from service.child import FIRST_WAIT, HEALTHY_SECONDS, LONGEST_WAIT, Child, Program
from service.supervisor import Supervisor
from tests.service.served import alive, children
from tests.waiting import eventually, throughout

SLEEP = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + SLEEP
SUPERVISED = """
import sys
from service.child import Program
from service.supervisor import Supervisor
programs = [Program(str(n), [sys.executable, "-c", code], {}, grace=30)
            for n, code in enumerate(sys.argv[1:])]
Supervisor(programs).run()
"""


def program(code, **more):
    return Program("test", [sys.executable, "-c", code], {}, **more)


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def child():
    made = []

    def make(code, clock=None, **more):
        made.append(Child(program(code, **more), *([clock] if clock else [])))
        return made[-1]

    yield make
    for each in made:
        each.stop(hurry=lambda: True)


def test_a_child_that_ends_is_started_again_after_longer_and_longer_waits(child):
    clock = Clock()
    failing = child("", clock)
    waits = []
    failing.tend()
    for _ in range(9):
        eventually(lambda: failing.tend() or failing.pid is None)
        began = clock.now
        while failing.pid is None:
            clock.now += 0.05
            failing.tend()
        waits.append(clock.now - began)
    assert waits[0] == pytest.approx(FIRST_WAIT, abs=0.06)
    assert all(later > earlier for earlier, later in itertools.pairwise(waits[:7]))
    assert waits[-1] == pytest.approx(LONGEST_WAIT, abs=0.06)


def test_one_that_ran_well_for_long_starts_again_soon(child):
    clock = Clock()
    running = child(SLEEP, clock)
    for lived, expected in ((0, 1), (0, 2), (HEALTHY_SECONDS, 1)):
        running.tend()
        os.kill(running.pid, signal.SIGKILL)
        clock.now += lived
        eventually(lambda: running.tend() or running.pid is None)
        clock.now += FIRST_WAIT * expected * 0.9
        running.tend()
        assert running.pid is None
        clock.now += FIRST_WAIT
    running.tend()
    assert running.pid is not None


def test_it_is_asked_to_end_before_it_is_made_to(child):
    polite = child("import signal,sys,time\nsignal.signal(15, lambda *_: sys.exit(0))\n" + SLEEP)
    polite.tend()
    pid = polite.pid
    polite.stop(hurry=lambda: False)
    assert not alive(pid)


@pytest.mark.parametrize("more", [{"grace": 0.2}, {"grace": 60}], ids=["grace", "hurry"])
def test_one_that_will_not_end_is_killed(child, more):
    stubborn = child(STUBBORN, **more)
    stubborn.tend()
    stubborn.stop(hurry=lambda: more["grace"] == 60)
    assert stubborn.pid is None


def test_one_found_running_is_adopted_and_replaced_when_it_ends(child):
    found = subprocess.Popen([sys.executable, "-c", SLEEP], stdout=subprocess.DEVNULL)
    adopting = child(SLEEP, running=lambda: found.pid if found.poll() is None else None)
    adopting.tend()
    assert adopting.pid == found.pid
    found.kill()
    found.wait()
    eventually(lambda: adopting.tend() or adopting.pid not in (None, found.pid))


def test_programs_start_in_order_each_when_the_one_before_is_ready(tmp_path):
    marks = [tmp_path / name for name in "abc"]
    seen = []

    def ready(n):
        def is_ready():
            seen.append([mark.exists() for mark in marks])
            return marks[n].exists()

        return is_ready

    programs = [
        program(f"open({str(mark)!r}, 'w'); {SLEEP}", ready=ready(n))
        for n, mark in enumerate(marks)
    ]
    supervisor = Supervisor(programs)
    try:
        assert supervisor.start()
    finally:
        supervisor.stop()
    assert all(not later or earlier for row in seen for earlier, later in itertools.pairwise(row))


@pytest.fixture
def supervised():
    started = []

    def start(*codes, command=(sys.executable,)):
        process = subprocess.Popen(
            [*command, "-c", SUPERVISED, *codes], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        waiting = len(codes)
        while waiting:
            waiting -= process.stdout.readline() == "up\n"
        return process, children(process.pid)

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()
        process.stdout.close()


def test_a_killed_supervisor_leaves_nobody_behind(supervised):
    process, pids = supervised(SLEEP + "#", SLEEP, STUBBORN)
    process.kill()
    process.wait()
    assert len(pids) == 3
    eventually(lambda: not any(alive(pid) for pid in pids), timeout=3)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_with_all_its_children(supervised, number):
    process, pids = supervised(SLEEP, SLEEP)
    process.send_signal(number)
    assert process.wait(10) == 0
    assert not any(alive(pid) for pid in pids)


def test_a_hangup_that_it_was_started_to_ignore_ends_nothing(supervised):
    process, pids = supervised(SLEEP, SLEEP, command=("nohup", sys.executable))
    process.send_signal(signal.SIGHUP)
    throughout(lambda: process.poll() is None and all(alive(pid) for pid in pids), seconds=1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert not any(alive(pid) for pid in pids)


def test_a_second_signal_ends_the_patience(supervised):
    process, pids = supervised(STUBBORN, STUBBORN)
    eventually(lambda: process.send_signal(signal.SIGINT) or process.poll() is not None)
    assert process.wait() == 0
    assert not any(alive(pid) for pid in pids)
