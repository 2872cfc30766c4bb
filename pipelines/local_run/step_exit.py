"""How a step of a local run ends: its time limit and its exit code, which kfp does not report."""

import re
import signal
from typing import Any, Final

from pipelines.local_run.step_costs import is_cost
from pipelines.local_run.step_process import SIGNALED
from pipelines.settings import Settings
from pipelines.step_limits import REPORT_COMPONENT, limit_setting, timeout_s

_PREFIX: Final = "step ended with exit code "
_LIMIT: Final = "step has the limit "
_SHELL: Final = ["sh", "-ec"]
_EXECUTOR: Final = "-m kfp.dsl.executor_main"
_TIMED_OUT: Final = SIGNALED + signal.SIGALRM


def watch_steps(pipeline: Any, settings: Settings) -> None:
    """Let each step of a pipeline end after its time limit, and print its memory, and an exit code but 0."""
    for label, executor in pipeline.pipeline_spec.deployment_spec["executors"].items():
        command = executor["container"]["command"]
        if list(command)[:2] == _SHELL:
            component = re.sub(r"^exec-|-\d+$", "", label)
            seconds = timeout_s(component, settings)
            is_report = component == REPORT_COMPONENT
            limit = f"{seconds}" if is_report else f"PENCHANT_{limit_setting(component).upper()}={seconds}"
            command[2] = _trap(limit) + _limited(command[2], seconds)


def _trap(limit: str) -> str:
    """Return what comes before the commands of a step's shell, which runs one Python process."""
    timed_out = f'[ $code != {_TIMED_OUT} ] || echo "{_LIMIT}{limit}"'
    return f"""trap 'code=$?; {timed_out}; [ $code = 0 ] || echo "{_PREFIX}$code"' EXIT\n"""


def _limited(command: str, seconds: int) -> str:
    if _EXECUTOR not in command:
        raise NotImplementedError(f"a step without {_EXECUTOR} cannot be limited: {command}")
    return command.replace(
        _EXECUTOR, f"-m pipelines.local_run.step_process {seconds} {_EXECUTOR.removeprefix('-m ')}"
    )


def timed_out(output: list[str]) -> bool:
    """Return whether a step ended because of its time limit."""
    return any(line.strip().startswith(_LIMIT) for line in output)


def exit_code(line: str) -> int | None:
    """Return the exit code that a line of a step's output reports; None for other lines."""
    match = re.match(rf"{_PREFIX}(\d+)$", line.strip())
    return int(match[1]) if match else None


def is_ending(line: str) -> bool:
    """Return whether a line says how the step ended; it is no output of the step itself."""
    return line.strip().startswith((_PREFIX, _LIMIT)) or is_cost(line)


def describe(output: list[str]) -> str:
    """Return words for the end of a step, to follow its name; "failed" for an exception of Python."""
    code = next((code for line in reversed(output) if (code := exit_code(line)) is not None), 1)
    if code == 1:
        return "failed"
    if code <= SIGNALED:
        return f"ended with exit code {code}"
    number = code - SIGNALED
    if limits := [line.strip().removeprefix(_LIMIT) for line in output if line.strip().startswith(_LIMIT)]:
        return f"took longer than {limits[-1]} seconds and was ended; its log has the stacks of its threads"
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    reason = " (often: too little memory)" if number == signal.SIGKILL else ""
    return f"was ended by {name}{reason}"
