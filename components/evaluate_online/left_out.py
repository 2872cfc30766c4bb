"""Which recorded answers an evaluation on clicks leaves out, and why."""

from collections.abc import Mapping
from typing import Final

from components.evaluate_online.clicked_answers import Clicks, key_of
from components.progress import report
from feature_repo.counts import counted
from serving.exposures.exposure import Exposure

# The scores of a cold start are no log odds.
BASES: Final = ("history", "request_history")
# A release may know fewer items than the one that gave the answer.
COLD_START: Final = "the release knows no item of the history"


def why_unusable(exposure: Exposure, clicks: Clicks) -> str:
    """Return why an answer has no log odds, or why the clicks on it are not known; "" if it can be used."""
    if exposure.basis not in BASES:
        return "the answer was based on no history"
    if not exposure.item_ids:
        return "the answer had no items"
    clicked = clicks.get(key_of(exposure))
    if clicked is None:
        return "the user is a bot by the rules of the validation"
    if len(clicked) != len(exposure.item_ids):
        return "the request was answered again, with another number of items"
    return ""


def report_left_out(what: str, left_out: Mapping[str, int]) -> None:
    """Report a line for each reason; `left_out` has the number of answers."""
    for reason, answers in left_out.items():
        report(f"{what} leaves out {counted(answers, 'answer')}: {reason}")
