"""The training pipeline: turns interactions into a registered release, and makes it live if it is better."""

from kfp import dsl

from components.build_features.component import build_features
from components.evaluate_release.component import evaluate_release
from components.fetch_training_set.component import fetch_training_set
from components.ingest_interactions.component import ingest_interactions
from components.materialize_features.component import materialize_features
from components.push_release.component import push_release
from components.register_release.component import register_release
from components.train_collaborative_filters.component import train_collaborative_filters
from components.train_collaborative_filters.ease_cost import EASE_MAX_ITEMS
from components.train_interest_model.component import train_interest_model
from components.validate_interactions.component import validate_interactions


def training(
    warehouse: str,
    interaction_log: str,
    registry: str,
    online_store: str,
    tracking_uri: str,
    releases: str,
    review_history: str,
    model_server: str = "",
    dataset: str = "",
    pseudonym_key_file: str = "",
    interactions_file: str = "",
    items_file: str = "",
    users_file: str = "",
    reading: dict = {},  # noqa: B006 (the default of a pipeline parameter)
    feedback: dict = {},  # noqa: B006 (the default of a pipeline parameter)
    accept_smaller: bool = False,
    undescribed_min_users: int = 3,
    compute: str = "duckdb",
    spark_properties: dict = {},  # noqa: B006 (the default of a pipeline parameter)
    ease_max_items: int = EASE_MAX_ITEMS,
    training_workers: int = 1,
    protocol: str = "time",
    policy: str = "auto",
    off_policy: str = "",
    fairness: str = "",
    max_failed_share: float = 0.05,
    hyperparameters: dict = {},  # noqa: B006 (the default of a pipeline parameter)
    experiment: str = "penchant",
    model_name: str = "penchant",
    run_facts: str = "",
    image: str = "",
) -> None:
    """Train, evaluate and register a release.

    1. Ingest new interactions from the sources.
    2. Validate them; stop if too many fail.
    3. Build the features for Feast's offline store.
    4. Materialize the newest features into Feast's online store.
    5. Fetch the training set with a point-in-time join.
    6. Train the interest model and the collaborative filters on the training split.
    7. Evaluate the served ranking on the test split.
    8. Refit both on all interactions, so that the release knows the newest ones.
    9. Register the release as the candidate.
    10. Push it if the evaluation says so: it is better than the live one, and the policy allows it.
    """
    # The sources change without a change of the parameters, so this step must not be cached.
    ingested = ingest_interactions(
        dataset=dataset,
        interactions_file=interactions_file,
        items_file=items_file,
        users_file=users_file,
        interaction_log=interaction_log,
        warehouse=warehouse,
        reading=reading,
        accept_smaller=accept_smaller,
        undescribed_min_users=undescribed_min_users,
        feedback_options=feedback,
        pseudonym_key_file=pseudonym_key_file,
        run_facts=run_facts,
        job_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
    ).set_display_name("Ingest interactions")
    ingested.set_caching_options(False)
    items, as_of = ingested.outputs["items"], ingested.outputs["Output"]
    users, feedback_policy = ingested.outputs["users"], ingested.outputs["feedback"]

    # Invalid interactions go to the quarantine, with the reason.
    validated = validate_interactions(
        interactions=ingested.outputs["interactions"],
        items=items,
        users=users,
        feedback=feedback_policy,
        as_of=as_of,
        warehouse=warehouse,
        max_failed_share=max_failed_share,
        fairness=fairness,
    ).set_display_name("Validate interactions")

    # One row per user and cutoff; the history holds the interactions strictly before the cutoff.
    built = build_features(
        interactions=validated.outputs["valid_interactions"],
        users=users,
        feedback=feedback_policy,
        as_of=as_of,
        protocol=protocol,
        warehouse=warehouse,
        compute=compute,
        spark_properties=spark_properties,
    ).set_display_name("Build features")

    # The recommender reads the same features from the online store.
    materialized = materialize_features(
        features=built.outputs["Output"],
        as_of=as_of,
        registry=registry,
        online_store=online_store,
        releases=releases,
        interaction_log=interaction_log,
    ).set_display_name("Materialize features")
    materialized.set_caching_options(False)

    # Feast joins each cutoff with the feature values at that time.
    fetched = fetch_training_set(
        spine=built.outputs["spine"],
        features=built.outputs["Output"],
        registry=registry,
        online_store=online_store,
        compute=compute,
        spark_properties=spark_properties,
    ).set_display_name("Fetch training set")
    training_set = fetched.outputs["training_set"]

    # Fit both parts of the ranking on the training split only.
    fitted_model = train_interest_model(
        training_set=training_set,
        items=items,
        feedback=feedback_policy,
        split="train",
        hyperparameters=hyperparameters,
        tracking_uri=tracking_uri,
        experiment=experiment,
        warehouse=warehouse,
        releases=releases,
        workers=training_workers,
    ).set_display_name("Train interest model")
    run_id = fitted_model.outputs["Output"]
    fitted_filters = train_collaborative_filters(
        training_set=training_set,
        items=items,
        users=users,
        feedback=feedback_policy,
        split="train",
        ease_max_items=ease_max_items,
    ).set_display_name("Train collaborative filters")

    # Compare the served ranking over all items with the baselines and the live version.
    evaluated = evaluate_release(
        interest_model=fitted_model.outputs["interest_model"],
        collaborative_filters=fitted_filters.outputs["collaborative_filters"],
        training_set=training_set,
        items=items,
        users=users,
        interactions=validated.outputs["valid_interactions"],
        feedback=feedback_policy,
        quarantine=validated.outputs["quarantine"],
        validation=validated.outputs["metrics"],
        protocol=protocol,
        releases=releases,
        tracking_uri=tracking_uri,
        run_id=run_id,
        policy=policy,
        pipeline_run=dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
        image=image,
        interaction_log=interaction_log,
        warehouse=warehouse,
        off_policy=off_policy,
        fairness=fairness,
    ).set_display_name("Evaluate release")

    # Fit both again, with the validation and test interactions too.
    refitted_model = train_interest_model(
        training_set=training_set,
        items=items,
        feedback=feedback_policy,
        split="all",
        hyperparameters=hyperparameters,
        tracking_uri=tracking_uri,
        experiment=experiment,
        warehouse=warehouse,
        run_id=run_id,
        base_model=fitted_model.outputs["interest_model"],
        workers=training_workers,
    ).set_display_name("Refit interest model")
    refitted_filters = train_collaborative_filters(
        training_set=training_set,
        items=items,
        users=users,
        feedback=feedback_policy,
        split="all",
        ease_max_items=ease_max_items,
    ).set_display_name("Refit collaborative filters")

    # Register the refitted parts together with the evaluation.
    registered = register_release(
        interest_model=refitted_model.outputs["interest_model"],
        collaborative_filters=refitted_filters.outputs["collaborative_filters"],
        items=items,
        evaluation=evaluated.outputs["evaluation"],
        tracking_uri=tracking_uri,
        run_id=run_id,
        model_name=model_name,
        review_history=review_history,
        run_facts=run_facts,
        job_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
    ).set_display_name("Register release")
    registered.set_caching_options(False)

    # The gate, by evidence and policy: components/evaluate_release/release_gate.py. It comes after the
    # materialization, which would otherwise compute the interests under the new release a second time.
    with dsl.If(evaluated.outputs["Output"] == "push", name="goes-live"):
        push_release(
            version=registered.output,
            approved_by=f"policy {policy}",
            model_name=model_name,
            tracking_uri=tracking_uri,
            releases=releases,
            model_server=model_server,
            features=materialized.output,
            registry=registry,
            online_store=online_store,
            review_history=review_history,
            run_facts=run_facts,
            job_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        ).set_display_name("Push release").set_caching_options(False)
