"""The pipeline step that fills the online store."""

from components.component import component


@component
def materialize_features(features: str, as_of: int, registry: str, online_store: str, releases: str) -> None:
    """Write users' newest features, and their interest under the live release, to Feast's online store."""
    from components.materialize_features.materialization import materialize

    materialize(features, as_of, registry, online_store, releases)
