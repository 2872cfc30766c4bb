"""What a step's user can mend."""


class StepError(Exception):
    """Its message says what was expected, what came (row, key or file), and the next step."""
