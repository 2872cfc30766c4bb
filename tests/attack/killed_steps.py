"""Each step of a training is killed at its start and in its middle, and tried again, as Kubeflow does.

python -m tests.attack.killed_steps run …: the `penchant` command, whose steps have as many retries as there.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import wraps
from typing import Any, Final

import psutil
from kfp.dsl.pipeline_context import Pipeline

from pipelines import training_pipeline
from pipelines.__main__ import main as penchant
from pipelines.kubernetes_config import RETRIES
from tests.attack.faulty_shop import Seen, Shop
from tests.attack.figures import Figure
from tests.end_to_end.commands import PENCHANT, environment

_LOOK_S: Final = 0.05
_FORK_SERVER: Final = "pipelines.local_run.fork_server"
_MOMENTS: Final = ("start", "middle")
# At most so many, until each step was killed at each moment: the middle of a short one may be missed.
_RUNS: Final = 3


def killed_steps(shop: Shop) -> list[Figure]:
    """Return a row for a killed run, for each step, and for the run: the next one after all other faults."""
    killed_run, before = _killed_run(shop), shop.newest_run()
    cpu_seconds = {step.task: step.cpu_seconds or 0.0 for step in before.steps}
    command = [sys.executable, "-m", "tests.attack.killed_steps", "run", *shop.options]
    command += ["--policy", "auto-unless-worse"]
    kills = Counter[str]()
    asked: list[tuple[str, Future[bool]]] = []
    runs: list[int] = []
    with ThreadPoolExecutor() as pool:  # a short step would end while this thread waits for an answer
        while len(runs) < _RUNS and any(kills[task] < len(_MOMENTS) for task in cpu_seconds):
            with subprocess.Popen(command, env=environment(shop.home), stdout=subprocess.DEVNULL) as run:
                for task in _killed_tasks(run, cpu_seconds, kills):
                    asked.append((task, pool.submit(shop.is_answered)))
            runs.append(run.returncode)
    answered = Counter(task for task, answer in asked if answer.result())
    record = shop.newest_run()
    ended = {step.task: step.status for step in record.steps}
    rows = [
        Figure(
            f"{step.name}: killed at its start and in its middle",
            f"{kills[step.task]} kills, {answered[step.task]} answers meanwhile; then {ended.get(step.task)}",
            f"{RETRIES} kills, {RETRIES} answers; then succeeded",
            kills[step.task] == answered[step.task] == RETRIES and ended.get(step.task) == "succeeded",
        )
        for step in before.steps
    ]
    is_whole = not any(runs) and record.facts.get("live") is True and shop.is_answered()
    return [
        killed_run,
        *rows,
        Figure("each run with these kills", f"exit codes {runs}", "0, live", is_whole),
    ]


def _killed_tasks(
    run: "subprocess.Popen[Any]", cpu_seconds: dict[str, float], kills: Counter[str]
) -> Iterator[str]:
    """Kill each step of a run that `kills` counts too few kills of; yield its task each time."""
    for task, process in _steps(run):
        if kills[task] == len(_MOMENTS):
            continue
        at_start = kills[task] == 0
        if step := process if at_start else _wait_for_its_middle(run.pid, process, cpu_seconds[task]):
            step.kill()
            kills[task] += 1
            yield task


def _killed_run(shop: Shop) -> Figure:
    """Kill the first step of `penchant run`, which tries nothing again."""
    command = [str(PENCHANT), "run", *shop.options]
    with subprocess.Popen(
        command, env=environment(shop.home), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as run:
        _, process = next(_steps(run))
        process.kill()
        message = run.communicate()[1].strip()
    seen = Seen(run.returncode, message, shop.is_answered())
    return Figure(
        "a killed step of `penchant run`",
        f"exit code {seen.code}: {seen.message}",
        "exit code 1, a clear sentence; answers go on; the next run is whole",
        seen.code == 1 and seen.is_clear and seen.is_answered,
    )


def _steps(run: "subprocess.Popen[Any]") -> Iterator[tuple[str, psutil.Process]]:
    """Yield each process of a step as it starts, with the name of its task, until the run ends."""
    seen = set[psutil.Process]()
    while run.poll() is None:
        with suppress(psutil.NoSuchProcess):
            for process in set(psutil.Process(run.pid).children(recursive=True)) - seen:
                if task := _task(process):
                    seen.add(process)
                    yield task, process
        time.sleep(_LOOK_S)


def _wait_for_its_middle(run: int, process: psutil.Process, cpu_seconds: float) -> psutil.Process | None:
    """Return the process that works on a step once it has used a quarter of the step's usual CPU time.

    That is the process that the fork server forked, or `process` itself; None if the step ended before.
    """
    with suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:
            for step in (process, *_forked_steps(run)):
                used = sum(sum(one.cpu_times()[:2]) for one in (step, *step.children(recursive=True)))
                if used >= cpu_seconds / 4:
                    return step
            time.sleep(_LOOK_S / 10)  # the shortest step takes a third of a second
    return None


def _forked_steps(run: int) -> list[psutil.Process]:
    """Return the forked processes of a run's steps: each is a child of the child that waits for it."""
    servers = [child for child in psutil.Process(run).children() if _FORK_SERVER in child.cmdline()]
    return [step for server in servers for waiting in server.children() for step in waiting.children()]


def _task(process: psutil.Process) -> str:
    """Return the task that a process executes, "" if it is no step."""
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        arguments = process.cmdline()
        if "--executor_input" in arguments and "python" in arguments[0]:
            outputs = json.loads(arguments[arguments.index("--executor_input") + 1])["outputs"]
            return str(outputs["outputFile"]).split("/")[-2]
    return ""


def _with_retries() -> Any:
    """Return the training pipeline with retries, without Kubeflow's pauses between them."""
    training = training_pipeline.training

    @wraps(training)
    def pipeline(*arguments: Any, **options: Any) -> None:
        training(*arguments, **options)
        for task in Pipeline.get_default_pipeline().tasks.values():
            task.set_retry(RETRIES)

    return pipeline


def main() -> None:
    training_pipeline.training = _with_retries()
    penchant()


if __name__ == "__main__":
    main()
