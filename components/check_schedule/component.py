"""The first step of a scheduled run whose times Kubeflow cannot express."""

from components.component_decorator import component


@component
def check_schedule(
    cron: str, timezone: str, tolerance_minutes: int, run_facts: str = "", job_id: str = ""
) -> str:
    """Return "due" if the schedule has a time shortly before now, else "not due"."""
    from datetime import UTC, datetime, timedelta

    from components.check_schedule.cron import Cron
    from components.run_facts import write_facts

    now = datetime.now(UTC)
    due = Cron.parse(cron, timezone).is_due(now, timedelta(minutes=tolerance_minutes))
    print(f"{cron} ({timezone}) is {'' if due else 'not '}due at {now:%Y-%m-%d %H:%M} UTC")
    if not due:
        write_facts(run_facts, job_id, "check_schedule", not_due=True)
    return "due" if due else "not due"
