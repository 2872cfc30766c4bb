"""What the release gate asks of fairness, which column names providers, and how far to balance them."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final, Self

from components.metrics.fairness import LEVEL, Fairness, GroupGap, ProviderExposure


@dataclass(frozen=True)
class FairnessPolicy:
    """A release that breaks a limit does not go live by itself: a person decides. None: no limit.

    Args:
        provider_column: column of the items, text or integers; "" to measure no providers.
        max_group_gap: how far below the best-served group of users the worst-served one may be, as a share,
            in NDCG@10 and HR@10.
        min_provider_exposure: the least exposure of a provider, as a share of its relevance.
        balanced_exposure_gap: no limit of the gate, but the share of the exposure that scenarios with
            `balance_exposure` may leave with other providers than relevance has; None: not for this release.
    """

    provider_column: str = ""
    max_group_gap: float | None = None
    min_provider_exposure: float | None = None
    balanced_exposure_gap: float | None = None

    def to_json(self) -> str:
        """Return the policy as the text of a pipeline parameter."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the text of `to_json`; "" gives a policy without limits and providers."""
        return cls(**json.loads(text)) if text else cls()

    def violations(self, fairness: Fairness) -> list[str]:
        """Return a clause for each limit that is certainly broken: chance alone breaks none.

        A gap counts if its test finds it at LEVEL and its lower bound is above the limit, a provider's
        exposure if its interval is below.
        """
        return [*self._of_groups(fairness.gaps), *self._of_providers(fairness.providers)]

    def _of_groups(self, gaps: list[GroupGap]) -> Iterator[str]:
        for gap in gaps:
            limit = self.max_group_gap
            if limit is not None and gap.p_value < LEVEL and gap.least_share > limit:
                yield (
                    f"{gap.metric} of users with {gap.attribute} {gap.worst} is {gap.worst_value:.4f}, "
                    f"{gap.share:.0%} below that with {gap.best} ({gap.best_value:.4f}), with a lower "
                    f"bound of {gap.least_share:.0%}, and {limit:.0%} is allowed"
                )

    def _of_providers(self, providers: list[ProviderExposure]) -> Iterator[str]:
        least = self.min_provider_exposure
        for row in providers:
            if least is not None and row.high is not None and row.high < least:
                yield (
                    f"the items of {row.provider} have {row.exposure:.1%} of the exposure and "
                    f"{row.relevance:.1%} of the choices, at most {row.high:.2f} times as much, and "
                    f"{least:g} times is required"
                )


NO_LIMITS: Final = FairnessPolicy()
