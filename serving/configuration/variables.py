"""Checks the names of the variables PENCHANT_… in the environment: a mistyped one would have no effect."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

PREFIX: Final = "PENCHANT_"

# Former names of settings -> their names now.
_RENAMED: Final = {
    "PENCHANT_THREADS": "PENCHANT_MAX_IN_FLIGHT",
    "PENCHANT_SECRET": "PENCHANT_SECRET_NAME",
    "PENCHANT_VOLUME": "PENCHANT_VOLUME_CLAIM",
}

# What Kubernetes sets in each pod for a Service called penchant-…
_OF_KUBERNETES: Final = re.compile(r"_SERVICE_(HOST|PORT)(_\w+)?$|_PORT(_\d+_[A-Z]+(_(PORT|PROTO|ADDR))?)?$")

# Variables of the pipelines' settings and of the command's options. Recommender and pipelines often share an
# environment, and the recommender can be installed without the pipelines.
PIPELINES: Final = frozenset(
    {"accelerator", "accelerator_count", "experiment", "image", "kubeflow", "kubeflow_ca"}
    | {"kubeflow_namespace", "kubeflow_timezone", "kubeflow_token_file", "model_name", "model_server"}
    | {
        "compute",
        "ease_max_items",
        "policy",
        "prune_after_days",
        "review_history",
        "secret_name",
        "service_account",
        "spark_properties",
        "tracking_uri",
        "training_cpu",
        "training_image",
        "training_workers",
        "insecure_workers",
    }
    | {"training_memory", "volume_claim", "warehouse", "step_timeout_s", "training_timeout_s"}
    | {"webhook_url", "webhook_key_file", "pushgateway", "metrics_textfiles", "run_link"}
    | {"off_policy_days", "off_policy_answers", "off_policy_min_effective", "off_policy_min_support"}
    | {"calibration_clicks", "scenarios", "provider_column", "max_group_gap", "min_provider_exposure"}
    | {"balanced_exposure_gap", "privacy_budget", "privacy_delta"}
)
COMMAND: Final = frozenset({"address", "tls_roots", "token"})


def check_names(names: Iterable[str], settings: Iterable[str]) -> None:
    """Check the `names` of the environment's variables against the known ones; `settings` in lower case.

    Raises:
        ValueError: names each variable with a former or an unknown name, and the nearest right name.
    """
    known = {f"{PREFIX}{name.upper()}" for name in {*settings, *PIPELINES, *COMMAND}}
    unknown = sorted(
        name
        for name in names
        if name.startswith(PREFIX) and name not in known and not _OF_KUBERNETES.search(name)
    )
    if unknown:
        raise ValueError("settings: " + "; ".join(_advice(name, known) for name in unknown))


def _advice(name: str, known: set[str]) -> str:
    if name in _RENAMED:
        return f"{name} is now called {_RENAMED[name]}"
    names = sorted(each.removeprefix(PREFIX) for each in known)
    near = get_close_matches(name.removeprefix(PREFIX), names, n=1)
    advice = (
        f"did you mean {PREFIX}{near[0]}?"
        if near
        else "serving/README.md and infra/README.md list the settings."
    )
    return f"{name} is no setting: {advice} Unset it, or correct its name"
