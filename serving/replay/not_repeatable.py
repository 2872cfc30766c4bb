"""The error of an answer that can't be given again."""


class NotRepeatable(ValueError):
    """The message says why."""
