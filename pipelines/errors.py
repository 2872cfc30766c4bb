"""The errors of a run."""


class RunError(Exception):
    """A run did not start, or a step or a server failed; the message names it, the cause and what to do."""


class HomeInUse(RunError):
    """Another run holds the lock of the home."""
