from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from threading import Event

import pytest

from serving.bulkhead import Bulkhead
from serving.turnstile import Turnstile, aside


def test_one_thread_is_inside_at_a_time() -> None:
    turnstile, inside, most = Turnstile(10), 0, 0

    def compute(_: int) -> None:
        nonlocal inside, most
        with turnstile.turn():
            inside += 1
            most = max(most, inside)
            Event().wait(0.002)
            inside -= 1
            with aside():
                Event().wait(0.002)
            inside += 1
            most = max(most, inside)
            Event().wait(0.002)
            inside -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(compute, range(24)))
    assert most == 1


def test_who_waits_too_long_goes_on_without_a_turn_and_takes_none_away() -> None:
    turnstile, entered, leave = Turnstile(10), Event(), Event()

    def occupy() -> None:
        with turnstile.turn():
            entered.set()
            leave.wait(10)

    with ThreadPoolExecutor(1) as pool:
        occupying = pool.submit(occupy)
        assert entered.wait(10)
        with turnstile.turn(0.01), aside():
            assert not occupying.done()
        with turnstile.turn(0):
            assert not occupying.done()  # what was not held has not been let go of either
        leave.set()
        occupying.result(10)
    assert not turnstile._taken


def test_turns_come_in_the_order_in_which_they_were_asked_for() -> None:
    turnstile, came = Turnstile(10), list[int]()

    def compute(number: int) -> None:
        with turnstile.turn():
            came.append(number)

    with ThreadPoolExecutor(6) as pool, turnstile.turn():
        for number in range(6):
            pool.submit(compute, number)
            while len(turnstile._waiting) <= number:
                Event().wait(0.001)
    assert came == list(range(6))


def test_who_steps_aside_lets_another_in() -> None:
    turnstile = Turnstile(10)

    def compute() -> str:
        with turnstile.turn():
            return "answered"

    with ThreadPoolExecutor(1) as pool, turnstile.turn():
        with aside():
            assert pool.submit(compute).result(5) == "answered"
        waiting = pool.submit(compute)
        with pytest.raises(TimeoutError):
            waiting.result(0.05)


def test_who_waits_behind_a_bulkhead_steps_aside() -> None:
    turnstile, bulkhead = Turnstile(10), Bulkhead("log", 1)

    def compute() -> str:
        with turnstile.turn():
            return "answered"

    with turnstile.turn():
        assert bulkhead.run(5, compute) == "answered"
    bulkhead.close()


@pytest.mark.parametrize("inside", [nullcontext, aside])
def test_a_failure_ends_its_turn(inside: Callable[[], AbstractContextManager[None]]) -> None:
    turnstile = Turnstile()
    with pytest.raises(KeyError), turnstile.turn(), inside():
        raise KeyError
    assert not turnstile._taken


def test_without_a_turn_there_is_nothing_to_step_aside_from() -> None:
    with aside():
        pass
