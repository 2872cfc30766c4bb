from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from serving.turnstile import Turnstile


def test_one_thread_is_inside_at_a_time() -> None:
    turnstile, inside, most = Turnstile(), 0, 0

    def compute(_: int) -> None:
        nonlocal inside, most
        with turnstile.turn(10):
            inside += 1
            most = max(most, inside)
            Event().wait(0.002)
            inside -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(compute, range(24)))
    assert most == 1


def test_who_waits_too_long_goes_on_without_a_turn_and_takes_none_away() -> None:
    turnstile, entered, leave = Turnstile(), Event(), Event()

    def occupy() -> None:
        with turnstile.turn(10):
            entered.set()
            leave.wait(10)

    with ThreadPoolExecutor(1) as pool:
        occupying = pool.submit(occupy)
        assert entered.wait(10)
        with turnstile.turn(0.01):
            assert not occupying.done()
        with turnstile.turn(0):
            assert not occupying.done()  # what was not held has not been let go of either
        leave.set()
        occupying.result(10)
    with turnstile.turn(0):
        pass


def test_a_failure_ends_its_turn() -> None:
    turnstile = Turnstile()
    with pytest.raises(KeyError), turnstile.turn(1):
        raise KeyError
    assert turnstile._lock.acquire(timeout=0)
