"""The pipeline step that makes a registered version live."""

from components.component_decorator import component


@component
def push_release(
    version: int,
    approved_by: str,
    model_name: str,
    tracking_uri: str,
    releases: str,
    model_server: str,
    features: str,
    registry: str,
    online_store: str,
    review_history: str,
    reason: str = "",
    by_person: bool = False,
    force: bool = False,
    last_seen: int = -1,
    run_facts: str = "",
    job_id: str = "",
) -> None:
    """Publish, smoke-test and switch to a version; when a step fails, the live version does not change."""
    from components.push_release.promotion import push
    from components.run_facts import write_facts
    from feature_repo.store_addresses import FeatureStoreAddresses
    from serving.release.release_store import ReleaseStore

    addresses = FeatureStoreAddresses(features, registry, online_store)
    push(
        version,
        approved_by,
        model_name,
        tracking_uri,
        releases,
        model_server,
        addresses,
        review_history,
        reason,
        by_person,
        force,
        last_seen,
    )
    write_facts(run_facts, job_id, "push", version=version, live=ReleaseStore(releases).live() == version)
