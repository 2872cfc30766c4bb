"""The models that an evaluation compares, and their labels in log lines and plots."""

from typing import Final

SERVED: Final = "served"  # the release's whole ranking; its metrics have no prefix
INTEREST: Final = "interest"
TRANSITIONS: Final = "transitions"
POPULARITY: Final = "popularity"
LIVE: Final = "live"
ALS: Final = "als"
ALS_FOLDED_IN: Final = "als_folded_in"

LABELS: Final = {
    SERVED: "Served ranking",
    INTEREST: "Interest model alone",
    TRANSITIONS: "Transition counts",
    POPULARITY: "Popularity",
    LIVE: "Live version",
    ALS: "ALS, retrained nightly",
    ALS_FOLDED_IN: "ALS, folded in",
}
