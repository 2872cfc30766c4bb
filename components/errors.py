"""The error of a pipeline step that its user can correct."""


class StepError(Exception):
    """The message names the row, key or file, what was expected, and the next step."""
