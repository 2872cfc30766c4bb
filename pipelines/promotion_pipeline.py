"""The promotion pipeline: makes an approved version live."""

from kfp import dsl

from components.push_release.component import push_release


def promotion(
    version: int,
    approved_by: str,
    reason: str,
    tracking_uri: str,
    releases: str,
    features: str,
    registry: str,
    online_store: str,
    review_history: str,
    model_server: str = "",
    model_name: str = "penchant",
    force: bool = False,
    last_seen: int = -1,
    run_facts: str = "",
) -> None:
    """Make a registered version live.

    1. Push it: publish the release, smoke-test it, write the users' interests, and switch. If the smoke test
       fails, the live version is unchanged.
    """
    push_release(
        version=version,
        approved_by=approved_by,
        reason=reason,
        model_name=model_name,
        tracking_uri=tracking_uri,
        releases=releases,
        model_server=model_server,
        features=features,
        registry=registry,
        online_store=online_store,
        review_history=review_history,
        by_person=True,
        force=force,
        last_seen=last_seen,
        run_facts=run_facts,
        job_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
    ).set_display_name("Push release").set_caching_options(False)
