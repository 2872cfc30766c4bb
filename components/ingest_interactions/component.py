"""The pipeline step that ingests interactions, items and users."""

from kfp.dsl import Dataset, Output

from components.component_decorator import component


@component
def ingest_interactions(
    dataset: str,
    interactions_file: str,
    items_file: str,
    users_file: str,
    interaction_log: str,
    warehouse: str,
    reading: dict,
    interactions: Output[Dataset],
    items: Output[Dataset],
    users: Output[Dataset],
) -> int:
    """Add new rows of the sources to the warehouse and write a snapshot; returns its time in µs."""
    from pathlib import Path

    from components.ingest_interactions.ingestion import Sources, ingest

    sources = Sources(dataset, interactions_file, items_file, users_file, interaction_log, reading)
    return ingest(sources, warehouse, Path(interactions.path), Path(items.path), Path(users.path))
