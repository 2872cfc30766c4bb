"""The pipeline step that fills the online store."""

from components.component_decorator import component


@component
def materialize_features(
    features: str, as_of: int, registry: str, online_store: str, releases: str, interaction_log: str
) -> str:
    """Write users' newest features, and their interests under the live release, to Feast's online store.

    Returns `features`, for the step that adds the interests under a new release.
    """
    from components.materialize_features.materialization import materialize
    from feature_repo.store_addresses import FeatureStoreAddresses

    materialize(FeatureStoreAddresses(features, registry, online_store), as_of, releases, interaction_log)
    return features
