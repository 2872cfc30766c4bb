"""The command `benchmark`."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.commands.benchmark_options import (
    AllPositive,
    JsonFile,
    KeepSeen,
    MinInteractions,
    PublicDataset,
    Seeds,
    TieOrders,
    Tune,
)
from pipelines.commands.errors import exit_on_error, out
from pipelines.commands.options import (
    Exposure,
    Hyperparameter,
    Interactions,
    Items,
    MinValue,
    Negative,
    Neutral,
    Positive,
    Protocol,
)

if TYPE_CHECKING:
    from pipelines.benchmark.plan import Plan


def benchmark(
    dataset: PublicDataset = "",
    interactions: Interactions = None,
    items: Items = None,
    min_interactions: MinInteractions = 5,
    protocol: Protocol = "leave-one-out",
    keep_seen: KeepSeen = False,
    seeds: Seeds = 3,
    tie_orders: TieOrders = 0,
    tune: Tune = None,
    json_file: JsonFile = None,
    positive: Positive = None,
    negative: Negative = None,
    neutral: Neutral = None,
    exposure: Exposure = None,
    min_value: MinValue = None,
    all_positive: AllPositive = None,
    hyperparameter: Hyperparameter = None,
) -> None:
    """Train and evaluate under a published protocol; print the results next to published ones.

    It works in a temporary folder and leaves the data and the live release of the home unchanged. The home
    keeps the study and the MLflow runs of --tune. It also keeps finished seeds until the results are written,
    so that after a failure or a kill the same command trains only the others. Results are means over the
    seeds, with the standard deviation.

    ```
    penchant benchmark movielens-100k
    penchant benchmark movielens-1m --seeds 1 --json results.json
    penchant benchmark movielens-1m --seeds 1 --tie-orders 5
    penchant benchmark movielens-100k --by-value    # low ratings are negative
    penchant benchmark --interactions interactions.csv --protocol time
    penchant benchmark --interactions interactions.csv --protocol time --tune 60
    ```
    """
    with exit_on_error():
        from pipelines.benchmark.plan import make_plan
        from pipelines.pipeline_arguments import feedback_arguments, parse_hyperparameters

        hyperparameters = parse_hyperparameters(hyperparameter or [])
        own, described = (Path(file) if file else None for file in (interactions, items))
        if all_positive is None:
            all_positive = not (positive or negative or neutral or min_value)
        if tie_orders and not all_positive:
            raise ValueError("--tie-orders needs --all-positive: otherwise equal times have no order")
        options = feedback_arguments(positive, negative, neutral, exposure, min_value, all_positive)
        plan = make_plan(
            dataset, own, described, min_interactions, protocol, keep_seen, hyperparameters, **options
        )
        if tune is None:
            _measure(plan, seeds, tie_orders, json_file)
        elif tune <= 0:
            raise ValueError(f"--tune={tune:g}: expected minutes above 0")
        elif tie_orders:
            raise ValueError("--tune takes no --tie-orders: use these to evaluate the best hyperparameters")
        else:
            _search(plan, tune, json_file)


def _measure(plan: "Plan", seeds: int, tie_orders: int, json_file: Path | None) -> None:
    """Train and evaluate; print the results, and write them to the file."""
    from pipelines.benchmark.benchmark import run_benchmark
    from pipelines.benchmark.kept_seeds import KeptSeeds
    from pipelines.benchmark.results import result_tables, write_json
    from pipelines.settings import load_settings

    settings = load_settings()
    kept = KeptSeeds.of(plan, settings.home)
    results = run_benchmark(plan, seeds, settings, out, kept, tie_orders)
    out.print(*result_tables(results), sep="\n")
    if json_file:
        write_json(results, json_file)
    kept.delete()


def _search(plan: "Plan", minutes: float, json_file: Path | None) -> None:
    """Search hyperparameters; print the trials, and write them to the file."""
    from pipelines.benchmark.benchmark import run_tuning
    from pipelines.benchmark.results import write_json
    from pipelines.benchmark.tuning_results import tuning_tables
    from pipelines.settings import load_settings

    study = run_tuning(plan, minutes, load_settings(), out)
    out.print(*tuning_tables(plan, study), sep="\n", soft_wrap=True)
    if json_file:
        write_json(study, json_file)
