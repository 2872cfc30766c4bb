"""A data set prepared as `penchant benchmark` prepares it, for commands that train on it several times."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from components.errors import StepError
from components.ingest_interactions.datasets import REGISTRY
from pipelines.benchmark.plan import Plan, make_plan
from pipelines.benchmark.steps import prepare


def source_parser(description: str | None) -> argparse.ArgumentParser:
    """The arguments that say what is prepared."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("source", help=f"{', '.join(REGISTRY)}, or a file of interactions")
    parser.add_argument("--items", type=Path, help="a file of items")
    parser.add_argument("--keep-seen", action="store_true", help="seen items may be answered again")
    parser.add_argument("--home", type=Path, help="where the prepared data are kept, or lie already")
    return parser


@contextmanager
def prepared(given: argparse.Namespace) -> Iterator[tuple[Path, Plan]]:
    """The home that a benchmark's steps work in, its data prepared, and their plan."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    named = given.source in REGISTRY
    dataset, file = (given.source, None) if named else ("", Path(given.source))
    try:
        plan = make_plan(dataset, file, given.items, 5, "leave-one-out", given.keep_seen, {})
        with TemporaryDirectory() as folder:
            home = given.home or Path(folder)
            if not (home / "training_set.parquet").exists():
                (home / "warehouse").mkdir(parents=True, exist_ok=True)
                prepare(home, plan)
            yield home, plan
    except (StepError, ValueError) as error:
        raise SystemExit(str(error)) from error
