"""The processes of workers end with the step that started them."""

import signal

from components.train_interest_model.workers.local_workers import describe_exit, end_process, start_process
from tests.patience import HANG_S

ENDLESS = "tests.components.train_interest_model.workers.endless_worker"


def test_a_worker_ends_when_its_step_has_ended() -> None:
    process = start_process(ENDLESS, [], None)
    assert process.stdin
    process.stdin.close()  # as the operating system does when the step ends, however it ends
    assert process.wait(HANG_S) == -signal.SIGKILL


def test_a_worker_is_ended_by_its_step() -> None:
    process = start_process(ENDLESS, [], None)
    end_process(process)
    end_process(process)  # it has ended
    assert process.poll() == -signal.SIGKILL


def test_the_end_of_a_worker_is_described() -> None:
    assert describe_exit(3) == "ended with exit code 3"
    assert describe_exit(-signal.SIGTERM) == "was ended by SIGTERM"
    assert describe_exit(-signal.SIGKILL) == "was ended by SIGKILL (often: too little memory)"
