"""The pipeline step that fills the online store."""

from components.component import component


@component
def materialize_features(features: str, as_of: int, registry: str, online_store: str) -> None:
    """Write each user's newest features to Feast's online store."""
    from components.materialize_features.materialization import materialize

    materialize(features, as_of, registry, online_store)
