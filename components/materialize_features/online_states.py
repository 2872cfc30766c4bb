"""Computes users' interests under a release, and writes them to the offline and the online store."""

from components.interest_batches import Compute
from components.materialize_features.interest_states import write_interest_states
from components.materialize_features.online_writer import write_view
from feature_repo.contract import USER_INTEREST_STATE
from feature_repo.store_addresses import FeatureStoreAddresses


def materialize_interests(version: int, compute: Compute, addresses: FeatureStoreAddresses) -> None:
    """Write the interest of each user under one release to the offline and the online store.

    Args:
        compute: runs the interest model of the release.

    Raises:
        StepError: there are no features at `addresses.features`, or the release has no usable model.
        OSError, sqlite3.Error, redis.RedisError: a store can't be read or written.
    """
    event_time = write_interest_states(version, addresses.features, compute)
    write_view(USER_INTEREST_STATE, addresses, event_time)
