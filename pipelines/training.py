"""The training pipeline: from raw interactions to a registered, and where policy allows live, release."""

from kfp import dsl

from components.build_features.component import build_features
from components.evaluate_release.component import evaluate_release
from components.fetch_training_set.component import fetch_training_set
from components.ingest_interactions.component import ingest_interactions
from components.materialize_features.component import materialize_features
from components.push_release.component import push_release
from components.register_release.component import register_release
from components.train_collaborative_filters.component import train_collaborative_filters
from components.train_interest_model.component import train_interest_model
from components.validate_interactions.component import validate_interactions


def training(
    warehouse: str,
    interaction_log: str,
    registry: str,
    online_store: str,
    tracking_uri: str,
    releases: str,
    model_server: str = "",
    dataset: str = "",
    interactions_file: str = "",
    items_file: str = "",
    users_file: str = "",
    protocol: str = "time",
    policy: str = "auto",
    max_failed_share: float = 0.05,
    hyperparameters: dict = {},  # noqa: B006 (the default of a pipeline parameter)
    experiment: str = "penchant",
    model_name: str = "penchant",
) -> None:
    """Learn from every interaction up to now.

    1. Ingest what is new in the sources.
    2. Validate it; stop when too much of it fails.
    3. Build the features, into Feast's offline store.
    4. Materialize the newest into Feast's online store.
    5. Fetch the training set, point in time.
    6. Train the interest model, on a schedule from the last one where that is honest, and the collaborative
       filters on the training part.
    7. Evaluate the ranking as served, on the test part.
    8. Refit both on everything: what goes live has seen the newest interactions.
    9. Register the release as the candidate.
    10. Push it when it is better and the policy is "auto"; otherwise a reviewer decides.
    """
    # Only ingest reads the world, so only it must run each time; what follows depends on its outputs.
    ingested = ingest_interactions(
        dataset=dataset,
        interactions_file=interactions_file,
        items_file=items_file,
        users_file=users_file,
        interaction_log=interaction_log,
        warehouse=warehouse,
    ).set_display_name("Ingest interactions")
    ingested.set_caching_options(False)
    items, as_of = ingested.outputs["items"], ingested.outputs["Output"]

    # Sound interactions go on, the others go to the quarantine with the reason.
    validated = validate_interactions(
        interactions=ingested.outputs["interactions"],
        items=items,
        users=ingested.outputs["users"],
        as_of=as_of,
        warehouse=warehouse,
        max_failed_share=max_failed_share,
    ).set_display_name("Validate interactions")

    # One row per user and cutoff: a history holds what came strictly before.
    built = build_features(
        interactions=validated.outputs["valid_interactions"],
        users=ingested.outputs["users"],
        as_of=as_of,
        protocol=protocol,
        warehouse=warehouse,
    ).set_display_name("Build features")

    # Serving reads the same features from the online store.
    materialize_features(
        features=built.outputs["Output"],
        as_of=as_of,
        registry=registry,
        online_store=online_store,
        releases=releases,
    ).set_display_name("Materialize features").set_caching_options(False)

    # Feast joins each cutoff with the features as they stood then.
    fetched = fetch_training_set(
        spine=built.outputs["spine"],
        features=built.outputs["Output"],
        registry=registry,
        online_store=online_store,
    ).set_display_name("Fetch training set")
    training_set = fetched.outputs["training_set"]

    # The parts of the ranking, fitted on the training split alone.
    fitted_model = train_interest_model(
        training_set=training_set,
        items=items,
        split="train",
        hyperparameters=hyperparameters,
        tracking_uri=tracking_uri,
        experiment=experiment,
        releases=releases,
    ).set_display_name("Train interest model")
    run_id = fitted_model.outputs["Output"]
    fitted_filters = train_collaborative_filters(
        training_set=training_set, items=items, users=ingested.outputs["users"], split="train"
    ).set_display_name("Train collaborative filters")

    # The served ranking over all items, beside its baselines and the live version.
    evaluated = evaluate_release(
        interest_model=fitted_model.outputs["interest_model"],
        collaborative_filters=fitted_filters.outputs["collaborative_filters"],
        training_set=training_set,
        items=items,
        users=ingested.outputs["users"],
        protocol=protocol,
        releases=releases,
        tracking_uri=tracking_uri,
        run_id=run_id,
    ).set_display_name("Evaluate release")

    # What is registered has learned from the held-out interactions too.
    refitted_model = train_interest_model(
        training_set=training_set,
        items=items,
        split="all",
        hyperparameters=hyperparameters,
        tracking_uri=tracking_uri,
        experiment=experiment,
        run_id=run_id,
        base_model=fitted_model.outputs["interest_model"],
    ).set_display_name("Refit interest model")
    refitted_filters = train_collaborative_filters(
        training_set=training_set, items=items, users=ingested.outputs["users"], split="all"
    ).set_display_name("Refit collaborative filters")

    # The candidate, with its evaluation beside it.
    registered = register_release(
        interest_model=refitted_model.outputs["interest_model"],
        collaborative_filters=refitted_filters.outputs["collaborative_filters"],
        items=items,
        evaluation=evaluated.outputs["evaluation"],
        gate_decision=evaluated.outputs["Output"],
        tracking_uri=tracking_uri,
        run_id=run_id,
        model_name=model_name,
    ).set_display_name("Register release")
    registered.set_caching_options(False)

    # The gate: better by rule, and the policy lets the rule decide.
    with (
        dsl.If(policy == "auto", name="policy-is-auto"),
        dsl.If(evaluated.outputs["Output"] == "better", name="better-than-live"),
    ):
        push_release(
            version=registered.output,
            approved_by="policy auto",
            model_name=model_name,
            tracking_uri=tracking_uri,
            releases=releases,
            model_server=model_server,
            features=built.outputs["Output"],
            registry=registry,
            online_store=online_store,
        ).set_display_name("Push release").set_caching_options(False)
