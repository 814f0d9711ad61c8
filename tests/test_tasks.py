"""Tasks a few at a time: they overlap, are told of in order, and stop together; turns go by the order of pictures."""

import logging
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import rich_click as click
from click.exceptions import Exit

from hdrnodes.cli.tasks import Task, do_tasks
from hdrnodes.cli.telling import Teller
from hdrnodes.errors import ModelError, ReadError
from hdrnodes.runtime.turns import Turns, picture


@pytest.fixture
def teller():
    with click.Context(click.Command("test")):
        yield Teller()


def task(name, make):
    return Task(name, {"input": name}, (Path(f"{name}.exr"),), lambda: False, make)


def test_three_are_under_way_and_told_of_in_their_order(teller, capfd):
    """The first cannot end before the third began, and the fourth not begin before one has ended."""
    begun = [threading.Event() for _ in range(4)]
    under_way, most = set(), []

    def make(number):
        def work(say):
            under_way.add(number)
            most.append(len(under_way))
            begun[number].set()
            assert begun[min(2, 3 - number)].wait(10)
            say(f"of {number}")
            say(f"of {number}")
            logging.getLogger("hdrnodes").warning("logged by %d", number)
            time.sleep(0.05 * (3 - number))  # later ones are quicker
            under_way.remove(number)
            return {}

        return work

    do_tasks([task(str(number), make(number)) for number in range(4)], teller, at_a_time=3)
    stdout, stderr = capfd.readouterr()
    assert stdout.split() == ["0.exr", "1.exr", "2.exr", "3.exr"]
    told = [line.partition(",")[0] for line in stderr.splitlines()]
    assert told == [
        f"{n}: {what} {n}" if what else f"{n + 1}/4 {n}" for n in range(4) for what in ("of", "logged by", "")
    ]
    assert max(most) == 3


def test_one_that_fails_costs_no_other(teller, capfd):
    def fail(say):
        raise ReadError("plate", "is cut off", "copy it again")

    with pytest.raises(Exit):
        do_tasks([task("a", lambda say: {}), task("b", fail), task("c", lambda say: {})], teller, at_a_time=3)
    stdout, stderr = capfd.readouterr()
    assert stdout.split() == ["a.exr", "c.exr"]
    assert "plate: is cut off; copy it again" in stderr.splitlines() and stderr.splitlines()[-1] == "1 of 3 failed"


def test_what_no_picture_can_do_without_is_said_once_and_stops_the_others(teller, capfd):
    turns, tried = Turns(), []

    def fail(say):
        raise ModelError("model", "is damaged", "copy it again")

    def make(say):
        time.sleep(0.2)
        with turns:
            tried.append(1)
        return {}

    with pytest.raises(Exit):
        do_tasks([task("bad", fail), *(task(str(each), make) for each in range(8))], teller, at_a_time=3, as_json=True)
    stdout, stderr = capfd.readouterr()
    assert stderr.splitlines() == ["model: is damaged; copy it again", "9 of 9 failed"]
    assert stdout.count("not tried: model: is damaged") == 8 and not tried


STOPPED = """
import os, signal, threading, time
from pathlib import Path
import rich_click as click
from click.exceptions import Exit
from hdrnodes.cli.tasks import Task, do_tasks
from hdrnodes.cli.telling import Teller

signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have it ignored by what runs in the background
done = threading.Event()

def interrupted(say):
    done.wait(10)
    time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.5)
    return {}

def quick(say):
    done.set()
    return {}

pictures = {"slow": interrupted, "quick": quick}
tasks = [Task(name, {}, (Path(name + ".exr"),), lambda: False, make) for name, make in pictures.items()]
try:
    with click.Context(click.Command("test")):
        do_tasks(tasks, Teller(), at_a_time=2)
except Exit as stopped:
    raise SystemExit(stopped.exit_code)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to a single process")
def test_what_was_done_when_the_user_stopped_is_told_of():
    ran = subprocess.run([sys.executable, "-c", STOPPED], capture_output=True, text=True)
    assert ran.returncode == 130, ran.stderr
    assert ran.stdout.split() == ["slow.exr", "quick.exr"]
    assert ran.stderr.splitlines()[-1].startswith("interrupted; 2 of 2 are done")


def test_turns_go_by_the_order_of_pictures_not_of_arrival():
    turns, order, stop = Turns(), [], threading.Event()

    def work(number):
        with picture(number, stop), turns:
            order.append(number)

    with ThreadPoolExecutor(5) as pool:
        with turns:
            for number in (4, 2, 3, 1, 2):
                pool.submit(work, number)
            while len(turns._waiting) < 5:
                time.sleep(0.001)
    assert order == [1, 2, 2, 3, 4]


def test_so_many_have_their_turn_side_by_side():
    turns, together, most = Turns(2), threading.Barrier(2), []
    inside = set()

    def work(number):
        with picture(number, threading.Event()), turns:
            inside.add(number)
            most.append(len(inside))
            together.wait(10)
            inside.remove(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert max(most) == 2


def test_who_is_to_stop_gets_no_turn_and_leaves_it_to_others():
    turns, stop = Turns(), threading.Event()

    def work():
        with picture(1, stop), turns:
            return "had a turn"

    with ThreadPoolExecutor(1) as pool:
        with turns:
            waiting = pool.submit(work)
            while not turns._waiting:
                time.sleep(0.001)
            stop.set()
        with pytest.raises(KeyboardInterrupt):
            waiting.result()
    with turns:  # free again
        pass
