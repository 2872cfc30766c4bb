"""The exit code of a step: kfp's local runner reports that a step failed, but not how it ended."""

import re
import signal
from typing import Any, Final

_PREFIX: Final = "step ended with exit code "
# Before the commands of a step's shell, which runs one Python process.
_TRAP: Final = f"""trap 'code=$?; [ $code = 0 ] || echo "{_PREFIX}$code"' EXIT\n"""
_SHELL: Final = ["sh", "-ec"]
# A shell reports a process that a signal ended with this number plus that of the signal.
_SIGNALED: Final = 128


def print_exit_codes(pipeline: Any) -> None:
    """Let each step of a pipeline print its exit code, unless it is 0."""
    for executor in pipeline.pipeline_spec.deployment_spec["executors"].values():
        command = executor["container"]["command"]
        if list(command)[:2] == _SHELL:
            command[2] = _TRAP + command[2]


def exit_code(line: str) -> int | None:
    """Return the exit code that a line of a step's output reports; None for other lines."""
    match = re.match(rf"{_PREFIX}(\d+)$", line.strip())
    return int(match[1]) if match else None


def describe(code: int) -> str:
    """Return words for an exit code, to follow the name of a step; "failed" for an exception of Python."""
    if code == 1:
        return "failed"
    if code <= _SIGNALED:
        return f"ended with exit code {code}"
    number = code - _SIGNALED
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    reason = " (often: too little memory)" if number == signal.SIGKILL else ""
    return f"was ended by {name}{reason}"
