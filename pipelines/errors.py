"""What can go wrong around a pipeline."""


class RunError(Exception):
    """A run could not start or a step failed; names the step, the cause and the next thing to do."""
