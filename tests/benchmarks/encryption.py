"""Measures what an encrypted home costs: runs, answers and recordings, in turn with those of a plain one.

python -m tests.benchmarks.encryption [--dataset movielens-100k] [--rounds 2] [--set epochs=2 …]

CPU seconds are those of `penchant run` with all its steps, and those of gocryptfs. Then the release of the
last run is served from its home and from an encrypted copy, with SQLite logs in both.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import mean
from typing import Final

import psutil
import pyarrow.dataset as ds
from rich.console import Console
from rich.table import Table

from feature_repo.contract import INTEREST_MODEL
from pipelines.privacy.home_encryption import encrypt_home
from pipelines.settings import Settings
from serving.configuration.encrypted_home import encrypted_home
from serving.protos import recommender_pb2 as pb
from tests.benchmarks.load import Latencies, Target, one_client
from tests.benchmarks.processes import recommender, server

KEY: Final = b"0123456789abcdef0123456789abcdef"
USERS: Final = 200
ROUNDS: Final = 20
CALLS: Final = 100
BURST: Final = 5  # recordings, before as many answers


@dataclass(frozen=True)
class Cost:
    """What a run took; `tool_s` are the CPU seconds of gocryptfs."""

    wall_s: float
    cpu_s: float
    tool_s: float

    @property
    def all_cpu_s(self) -> float:
        return self.cpu_s + self.tool_s


@contextmanager
def encrypted(home: Path) -> Iterator[None]:
    """Encrypt a home, keep it unlocked meanwhile, and lock it."""
    encrypt_home(Settings(home=home), KEY)
    try:
        yield
    finally:
        encrypted_home(home).lock()


def run(home: Path, options: list[str]) -> Cost:
    """Run `penchant run` in a home."""
    command = [sys.executable, "-m", "pipelines", "run", "--home", str(home), *options]
    start, before, tool = time.perf_counter(), getrusage(RUSAGE_CHILDREN), _tool_s(home)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = getrusage(RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(time.perf_counter() - start, cpu_s, _tool_s(home) - tool)


def _tool_s(home: Path) -> float:
    """Return the CPU seconds of the gocryptfs of a home."""
    ciphertext = str(encrypted_home(home).ciphertext)
    processes = [
        each for each in psutil.process_iter(["cmdline"]) if ciphertext in (each.info["cmdline"] or ())
    ]
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def measure_runs(folder: Path, rounds: int, options: list[str]) -> tuple[list[Cost], list[Cost]]:
    """Return the costs of runs in new plain and new encrypted homes; the last plain one is `folder`/plain."""
    plain, secret = [], []
    for _ in range(rounds):
        shutil.rmtree(folder / "plain", ignore_errors=True)
        plain.append(run(folder / "plain", options))
        with encrypted(folder / "secret"):
            secret.append(run(folder / "secret", options))
        shutil.rmtree(encrypted_home(folder / "secret").ciphertext)
    return plain, secret


def measure_answers(plain: Path) -> dict[str, Latencies]:
    """Return the latencies of answers and recordings from a home and from an encrypted copy.

    Recordings change the log, so answers are measured before them, and again between them.
    """
    secret = plain.with_name("copy")
    shutil.copytree(plain, secret, symlinks=True)
    interactions = ds.dataset(plain / "warehouse" / "interactions", format="parquet")
    users = interactions.to_table(["user_id"])["user_id"].unique().to_pylist()[:USERS]
    models = str(plain / "releases" / INTEREST_MODEL)
    with (
        encrypted(secret),
        server("serving.model_server", "--base-path", models, "--port", "0") as model_server,
        recommender(plain, model_server.address) as one,
        recommender(secret, model_server.address) as other,
    ):
        addresses = {"plain": one.server.address, "encrypted": other.server.address}
        answers = {f"answer, {name}": Target.of(each, users) for name, each in addresses.items()}
        recordings = {f"recording, {name}": _recordings(each, users) for name, each in addresses.items()}
        between = {f"between, {name}": Target.of(each, users[::-1]) for name, each in addresses.items()}
        latencies = one_client(answers, ROUNDS, CALLS) | one_client(recordings, ROUNDS, CALLS)
        mixed = one_client({**recordings, **between}, ROUNDS * CALLS // BURST, BURST)
        return latencies | {name: mixed[name] for name in between}


def _recordings(address: str, users: list[str]) -> Target:
    interactions = [pb.Interaction(user_id=user, item_id="1", event_type="view") for user in users]
    requests = [pb.RecordInteractionsRequest(interactions=[each]) for each in interactions]
    return Target(address, tuple(each.SerializeToString() for each in requests), "RecordInteractions")


def table_of_runs(plain: list[Cost], secret: list[Cost]) -> Table:
    table = Table("a run", title="Mean of the runs", title_justify="left")
    for heading in ("plain", "encrypted", "encrypted / plain", "of each round"):
        table.add_column(heading, justify="right")
    for name, attribute in (("wall, s", "wall_s"), ("CPU with gocryptfs, s", "all_cpu_s")):
        pairs = [tuple(getattr(each, attribute) for each in both) for both in zip(plain, secret, strict=True)]
        without, with_it = (mean(each) for each in zip(*pairs, strict=True))
        ratios = " ".join(f"{other / one:.3f}" for one, other in pairs)
        table.add_row(name, f"{without:.1f}", f"{with_it:.1f}", f"{with_it / without:.3f}", ratios)
    table.add_row("CPU of gocryptfs, s", "", f"{mean(each.tool_s for each in secret):.1f}", "", "")
    return table


def table_of_answers(latencies: dict[str, Latencies]) -> Table:
    table = Table("one client", title=f"{ROUNDS} rounds of {CALLS} calls, in turn", title_justify="left")
    for heading in ("plain: p50, ms", "encrypted: p50, ms", "encrypted / plain", "p99 / p99"):
        table.add_column(heading, justify="right")
    for kind, name in (
        ("answer", "answer"),
        ("recording", "recording"),
        ("between", "answer between recordings"),
    ):
        plain, secret = latencies[f"{kind}, plain"], latencies[f"{kind}, encrypted"]
        ratios = (f"{secret.p50 / plain.p50:.3f}", f"{secret.p99 / plain.p99:.3f}")
        table.add_row(name, f"{plain.p50:.3f}", f"{secret.p50:.3f}", *ratios)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dataset", default="movielens-100k")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each kind")
    parser.add_argument(
        "--set", nargs="*", default=["epochs=2"], metavar="NAME=VALUE", help="as `penchant run --set`"
    )
    arguments = parser.parse_args()
    options = ["--dataset", arguments.dataset, *(f"--set={each}" for each in arguments.set)]
    console = Console(width=120)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with tempfile.TemporaryDirectory(prefix="penchant-encryption-") as folder:
        console.print(table_of_runs(*measure_runs(Path(folder), arguments.rounds, options)))
        console.print(table_of_answers(measure_answers(Path(folder, "plain"))))


if __name__ == "__main__":
    main()
