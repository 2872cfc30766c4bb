"""The pipeline step that fetches the training set from Feast."""

from kfp.dsl import Dataset, Input, Output

from components.component_decorator import component


@component
def fetch_training_set(
    spine: Input[Dataset],
    features: str,
    registry: str,
    online_store: str,
    compute: str,
    spark_properties: dict,
    training_set: Output[Dataset],
) -> None:
    """Join each (user, cutoff) of the spine with the features as of that cutoff."""
    from pathlib import Path

    from components.compute.address import Compute
    from components.fetch_training_set.training_set import fetch
    from feature_repo.store_addresses import FeatureStoreAddresses

    addresses = FeatureStoreAddresses(features, registry, online_store)
    where = Compute(compute, spark_properties)
    training_set.metadata.update(fetch(Path(spine.path), addresses, Path(training_set.path), where))
