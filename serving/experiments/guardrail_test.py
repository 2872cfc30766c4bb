"""An exact, always-valid test of whether an event happens to too many, or too few, of a canary's users.

The hash assigns each user to the canary with a known probability q. If the candidate changes nothing, a user
to whom an event happens is in the canary with probability q, whatever the event and however the users differ.
So the arms of the users with an event are draws of known probability, each user counted once, at the first
event. The test bets against that probability. Its wealth is the mean of several likelihood ratios, one for
each ratio of the rates (candidate over live) in a list of alternatives. If the true ratio is at most the
accepted one, the probability that the wealth ever reaches 1 / alpha is at most alpha (Ville's inequality). So
the result can be read after each event. Lindon and Malek 2022, "Anytime-valid inference for multinomial count
data"; Ramdas et al. 2023.
"""

import math
from typing import Final

# By how much the rate is multiplied, or divided, beyond the accepted ratio, under the alternatives.
_STEPS: Final = (1.1, 1.25, 1.5, 2.0, 4.0, 10.0)

# The logarithms of the likelihood ratios [alternatives] of a user in the canary, and of one outside.
_Bets = tuple[tuple[float, ...], tuple[float, ...]]


class GuardrailTest:
    """Tests one event."""

    def __init__(self, accepted: float, too_many: bool) -> None:
        """Alarm if the ratio of the rates is above `accepted`, or, for `too_many=False`, below it."""
        self._accepted = accepted
        self._ratios = [accepted * (step if too_many else 1 / step) for step in _STEPS]
        self._log_wealth = [0.0] * len(_STEPS)
        self._bets: dict[float, _Bets] = {}
        self.canary, self.expected, self.total = 0, 0.0, 0  # users with the event

    def add(self, in_canary: bool, share: float) -> None:
        """Add a user with the event, whom the canary has with probability `share`, above 0 and below 1."""
        bets = self._bets.get(share)
        if bets is None:
            bets = self._bets[share] = self._bets_at(share)
        self._log_wealth = [
            wealth + bet for wealth, bet in zip(self._log_wealth, bets[not in_canary], strict=True)
        ]
        self.canary += in_canary
        self.expected += _probability(self._accepted, share)
        self.total += 1

    @property
    def p_value(self) -> float:
        """1 over the wealth, at most 1."""
        highest = max(self._log_wealth)
        mean = math.fsum(math.exp(wealth - highest) for wealth in self._log_wealth) / len(_STEPS)
        return math.exp(-max(0.0, highest + math.log(mean)))

    def _bets_at(self, share: float) -> _Bets:
        accepted = _probability(self._accepted, share)
        others = [_probability(ratio, share) for ratio in self._ratios]
        return (
            tuple(math.log(other / accepted) for other in others),
            tuple(math.log((1 - other) / (1 - accepted)) for other in others),
        )


def _probability(ratio: float, share: float) -> float:
    """Return the probability of the canary for a user with the event, at `ratio` times the rate."""
    return ratio * share / (ratio * share + 1 - share)
