"""The table of the ablation, against values computed by hand."""

from collections.abc import Mapping

from rich.console import Console

from components.train_interest_model.hyperparameters import Hyperparameters
from tests.benchmarks.ablation import DEFAULTS, ROWS, table


def test_table_shows_the_mean_of_the_differences_of_each_seed() -> None:
    rows: dict[str, list[Mapping[str, float]]] = {
        name: [{"validation_ndcg_at_10": ndcg, "validation_hr_at_10": 2 * ndcg} for ndcg in seeds]
        for name, seeds in ((DEFAULTS, (0.1, 0.3)), ("with positions", (0.2, 0.4)))
    }
    console = Console(width=120)
    with console.capture() as capture:
        console.print(table("shop", [7, 8], rows))
    text = capture.get()
    for part in ("0.2000 ± 0.1414", "0.3000 ± 0.1414", "+0.1000 ± 0.0000", "0.6000", "seeds 7, 8"):
        assert part in text


def test_each_row_but_the_first_differs_from_the_defaults() -> None:
    default = Hyperparameters()
    for name, changes in ROWS.items():
        assert (Hyperparameters.from_dict(changes) == default) == (name == DEFAULTS)
        assert all(getattr(default, key) != value for key, value in changes.items())
