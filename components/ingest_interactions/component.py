"""The pipeline step that ingests interactions, items and users."""

from kfp.dsl import Artifact, Dataset, Output

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
    accept_smaller: bool,
    undescribed_min_users: int,
    feedback_options: dict,
    interactions: Output[Dataset],
    items: Output[Dataset],
    users: Output[Dataset],
    feedback: Output[Artifact],
    run_facts: str = "",
    job_id: str = "",
    pseudonym_key_file: str = "",
) -> int:
    """Add new rows of the sources to the warehouse and write a snapshot; returns its time in µs."""
    from pathlib import Path

    import pyarrow.parquet as pq

    from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
    from components.ingest_interactions.ingestion import Outputs, Sources, ingest
    from components.run_facts import write_facts
    from feature_repo.pseudonyms import read_pseudonyms

    files = (interactions_file, items_file, users_file)
    sources = Sources(dataset, *files, interaction_log, reading, accept_smaller)
    outputs = Outputs(Path(interactions.path), Path(items.path), Path(users.path), Path(feedback.path))
    options = FeedbackOptions.parse(feedback_options)
    pseudonyms = read_pseudonyms(pseudonym_key_file)
    as_of = ingest(sources, options, warehouse, outputs, undescribed_min_users, pseudonyms)
    write_facts(run_facts, job_id, "ingest", rows=pq.read_metadata(interactions.path).num_rows)
    return as_of
