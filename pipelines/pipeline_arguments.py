"""Builds the parameters of the pipelines from settings and command-line options."""

import json
from pathlib import Path
from typing import Any, Final

from components.errors import StepError
from components.evaluate_online.off_policy_options import OffPolicyOptions
from components.fairness_policy import FairnessPolicy
from components.ingest_interactions.feedback.feedback_options import KINDS, parse_options
from components.ingest_interactions.reading import COLUMNS_FIELD, COLUMNS_OPTION, FILE_FIELDS, Reading
from components.train_interest_model.hyperparameters import Hyperparameters
from pipelines.settings import Settings
from serving.ranking.scenarios import load_scenarios

# Parameters that are addresses; each is a setting of the same name.
ADDRESSES: Final = (
    "warehouse",
    "interaction_log",
    "registry",
    "online_store",
    "tracking_uri",
    "review_history",
    "releases",
    "model_server",
)
TRAINING_SETTINGS: Final = (
    *ADDRESSES,
    "compute",
    "spark_properties",
    "ease_max_items",
    "training_workers",
    "policy",
    "experiment",
    "model_name",
)
PROMOTION_SETTINGS: Final = (
    "tracking_uri",
    "review_history",
    "releases",
    "features",
    "registry",
    "online_store",
    "model_server",
    "model_name",
)


def training_arguments(
    settings: Settings, protocol: str, max_failed_share: float, hyperparameters: dict[str, Any]
) -> dict[str, Any]:
    """Return the parameters of the training pipeline, except its sources."""
    return {
        **{name: getattr(settings, name) for name in TRAINING_SETTINGS},
        "pseudonym_key_file": _file(settings.pseudonym_key_file),
        "run_facts": settings.run_facts,
        "protocol": protocol,
        "max_failed_share": max_failed_share,
        "hyperparameters": hyperparameters,
        "off_policy": off_policy_options(settings).to_json(),
        "fairness": FairnessPolicy(
            settings.provider_column,
            settings.max_group_gap,
            settings.min_provider_exposure,
            settings.balanced_exposure_gap,
        ).to_json(),
    }


def off_policy_options(settings: Settings) -> OffPolicyOptions:
    """Return how a candidate's clicks are estimated.

    Raises:
        ValueError: the file of the scenarios is wrong.
    """
    return OffPolicyOptions(
        load_scenarios(settings.scenarios),
        settings.off_policy_days,
        settings.off_policy_answers,
        settings.off_policy_min_effective,
        settings.off_policy_min_support,
        settings.calibration_clicks,
    )


def promotion_arguments(
    settings: Settings, version: int, approved_by: str, reason: str, force: bool = False, last_seen: int = -1
) -> dict[str, Any]:
    """Return the parameters of the promotion pipeline."""
    return {
        **{name: getattr(settings, name) for name in PROMOTION_SETTINGS},
        "run_facts": settings.run_facts,
        "version": version,
        "approved_by": approved_by,
        "reason": reason,
        "force": force,
        "last_seen": last_seen,
    }


def source_arguments(
    dataset: str, interactions: str | None, items: str | None, users: str | None
) -> dict[str, str]:
    """Return the sources of the training pipeline; files by absolute path or URL, "" for none.

    Raises:
        ValueError: a data set and files.
    """
    files = {"interactions_file": interactions, "items_file": items, "users_file": users}
    if dataset and any(files.values()):
        raise ValueError("give a data set or your own --interactions, not both: a home holds one catalog")
    return {
        "dataset": dataset,
        **{name: _address(file) if file else "" for name, file in files.items()},
    }


def _file(path: Path | None) -> str:
    return str(path.expanduser().absolute()) if path else ""


def _address(file: str) -> str:
    return file if "://" in file else str(Path(file).expanduser().absolute())


def reading_arguments(**options: Any) -> dict[str, Any]:
    """Return the parameter `reading`: the options of a command that say how its files are read.

    Args:
        options: by the keys of reading.Reading; None for an option that was not given. Columns are texts such
            as `["visitorid=user_id,itemid=item_id"]`, or a JSON object. `files` has texts such as
            `["delimiter=;", "header=false"]`.

    Raises:
        ValueError: an option is malformed, or its value is not allowed.
    """
    given = {name: value for name, value in options.items() if value is not None}
    given |= _parse_file_options(given.pop("files", []))
    for table, field in COLUMNS_FIELD.items():
        if texts := given.get(field):
            given[field] = _parse_columns(COLUMNS_OPTION[table], texts)
    try:
        Reading.parse(given, "the options")
    except StepError as error:
        raise ValueError(str(error)) from error
    return {"reading": given}


def feedback_arguments(
    positive: list[str] | None,
    negative: list[str] | None,
    neutral: list[str] | None,
    exposure: list[str] | None,
    min_value: str | None,
    all_positive: bool | None,
) -> dict[str, Any]:
    """Return the parameter `feedback`: what event types and ratings mean; None for an option not given.

    Args:
        positive, negative: texts such as `["purchase=3,save"]`, with weights; the others without.
        min_value: a number, or "auto" to learn where liking begins.

    Raises:
        ValueError: an option is malformed, or its value is not allowed.
    """
    texts = (positive, negative, neutral, exposure)
    kinds = {kind: given or [] for kind, given in zip(KINDS, texts, strict=True)}
    try:
        return {"feedback": parse_options(kinds, min_value, all_positive)}
    except StepError as error:
        raise ValueError(str(error)) from error


def _parse_file_options(texts: list[str]) -> dict[str, Any]:
    """Parse `["delimiter=;", "header=false"]`."""
    given: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in FILE_FIELDS:
            raise ValueError(
                f"--reading {text}: expected NAME=VALUE, where NAME is one of {', '.join(FILE_FIELDS)}"
            )
        given[name] = value
        if name == "header":
            if value not in ("true", "false"):
                raise ValueError(f"--reading {text}: expected header=true or header=false")
            given[name] = value == "true"
    return given


def _parse_columns(option: str, texts: list[str]) -> dict[str, str]:
    """Parse `["a=user_id,b=item_id"]`, or JSON for names that contain a comma."""
    columns: dict[str, str] = {}
    for text in texts:
        if text.lstrip().startswith("{"):
            columns |= json.loads(text)
            continue
        for pair in text.split(","):
            source, separator, name = pair.rpartition("=")
            if not separator or not source.strip():
                raise ValueError(f"{option} {text}: expected NAME=COLUMN,…, such as visitorid=user_id")
            columns[source.strip()] = name.strip()
    return columns


def parse_hyperparameters(pairs: list[str]) -> dict[str, Any]:
    """Parse `["epochs=5"]` into `{"epochs": 5}`; a value that is not JSON is a string.

    Raises:
        ValueError: a pair without "=", an unknown name, or a value that the hyperparameter does not allow.
    """
    parsed: dict[str, Any] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            raise ValueError(f"--set {pair}: expected NAME=VALUE, such as epochs=5")
        if name == "dp_epsilon":
            raise ValueError(
                f"--set {pair}: no hyperparameter, because the noise is in the data and not in training: "
                f"use `penchant run --epsilon {value}`"
            )
        try:
            parsed[name] = json.loads(value)
        except json.JSONDecodeError:
            parsed[name] = value
    try:
        Hyperparameters.from_dict(parsed)
    except StepError as error:
        raise ValueError(f"--set: {error}") from error
    return parsed
