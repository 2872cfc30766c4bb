"""Progress lines of a step: marked lines on standard output, which every runner shows."""

MARK = "» "


def report(line: str) -> None:
    """Print `line`; the runner shows it while the step runs."""
    print(f"{MARK}{line}", flush=True)
