"""How a step tells a person what it does: one marked line on standard output, which every runner shows."""

MARK = "» "


def report(line: str) -> None:
    """Print `line` so that the runner shows it while the step runs."""
    print(f"{MARK}{line}", flush=True)
