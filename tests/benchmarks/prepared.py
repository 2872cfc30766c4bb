"""Prepares a data set like `penchant benchmark`, for commands that train on it several times."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from components.errors import StepError
from components.ingest_interactions.datasets.registry import REGISTRY
from pipelines.benchmark.plan import Plan, make_plan
from pipelines.benchmark.steps import prepare

# Every interaction is positive, as in publications.
PUBLIC: Final = {"all_positive": True}


def source_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of the arguments that choose the data set."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("source", help=f"{', '.join(REGISTRY)}, or a file of interactions")
    parser.add_argument("--items", type=Path, help="a file of items")
    parser.add_argument("--keep-seen", action="store_true", help="recommend items that a user has had before")
    parser.add_argument("--home", type=Path, help="folder of the prepared data; used again when it exists")
    return parser


@contextmanager
def prepared(arguments: argparse.Namespace) -> Iterator[tuple[Path, Plan]]:
    """Prepare the data; gives the home that the steps work in, and their plan."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    named = arguments.source in REGISTRY
    dataset, file = (arguments.source, None) if named else ("", Path(arguments.source))
    try:
        plan = make_plan(dataset, file, arguments.items, 5, "leave-one-out", arguments.keep_seen, {}, PUBLIC)
        with TemporaryDirectory() as folder:
            home = arguments.home or Path(folder)
            if not (home / "training_set.parquet").exists():
                (home / "warehouse").mkdir(parents=True, exist_ok=True)
                prepare(home, plan)
            yield home, plan
    except (StepError, ValueError) as error:
        raise SystemExit(str(error)) from error
