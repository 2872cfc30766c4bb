"""SQL conditions of interactions that are set aside."""

from typing import Final

from feature_repo.bounds import CONTROL_CHARACTERS, EARLIEST_US, MAX_LEAD_US, MAX_TEXT, MAX_VALUE

TEXTS: Final = ("interaction_id", "user_id", "item_id", "event_type", "domain", '"query"')
NO_TEXT: Final = " OR ".join(
    f"{column} = '' OR length({column}) > {MAX_TEXT} OR regexp_matches({column}, '[{CONTROL_CHARACTERS}]')"
    for column in TEXTS
)


def out_of_bounds(arrived: int) -> dict[str, str]:
    """Return what is wrong with an interaction -> condition on its columns; times are BIGINT µs.

    Args:
        arrived: when the interactions arrived, µs since the epoch.
    """
    return {
        "user_id is missing": "user_id IS NULL",
        "item_id is missing": 'item_id IS NULL AND "query" IS NULL',
        "the timestamp is missing": '"timestamp" IS NULL',
        "the timestamp is before 1990": f'"timestamp" < {EARLIEST_US}',
        "the timestamp is in the future": f'"timestamp" > {arrived + MAX_LEAD_US}',
        f"a text is not 1 to {MAX_TEXT} characters without control characters": f"({NO_TEXT})",
        f"the value is not within ±{MAX_VALUE:g}": f"NOT abs(value) <= {MAX_VALUE}",
    }
