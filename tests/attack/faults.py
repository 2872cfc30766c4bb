"""Each part of a small shop fails in turn: what the user sees, whether answers go on, and the next try."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.attack.faulty_shop import Shop
from tests.attack.figures import Figure
from tests.attack.killed_steps import killed_steps
from tests.fake_model_server import fake_model_server

# A port at which nothing listens.
_NOBODY: Final = "127.0.0.1:9"

Variables = dict[str, str]
_APPROVE: Final = ("review", "approve", "1", "--by", "ada", "--reason", "better")


@dataclass(frozen=True)
class Fault:
    """A fault, the command that meets it, and the exit code that is right."""

    what: str
    inject: Callable[[], AbstractContextManager[Variables]]
    command: tuple[str, ...]
    code: int = 1


def figures() -> list[Figure]:
    with (
        TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder,
        Shop(Path(folder)) as shop,
    ):
        rows = [_figure(shop, fault) for fault in _faults(shop)]
        return [*rows, *killed_steps(shop)]


def _faults(shop: Shop) -> Iterator[Fault]:
    run = ("run", *shop.options)

    def variables(values: Variables) -> Callable[[], AbstractContextManager[Variables]]:
        return lambda: nullcontext(values)

    @contextmanager
    def full_disk() -> Iterator[Variables]:
        with shop.full_disk():
            yield {}

    @contextmanager
    def without_postgresql() -> Iterator[Variables]:
        shop.postgresql.stop()
        try:
            yield {}
        finally:
            shop.postgresql.start()

    @contextmanager
    def without_redis() -> Iterator[Variables]:
        shop.stop_redis()
        try:
            yield {}
        finally:
            shop.start_redis()

    @contextmanager
    def refusing_model_server() -> Iterator[Variables]:
        with fake_model_server() as server:
            yield {"PENCHANT_MODEL_SERVER": server.address}

    no_mlflow = variables({"PENCHANT_TRACKING_URI": f"http://{_NOBODY}"})
    gone = {"PYTHONPATH": shop.gone_store}
    no_releases = variables({"PENCHANT_RELEASES": "gone://penchant/releases", **gone})
    no_warehouse = variables({"PENCHANT_WAREHOUSE": "gone://penchant/warehouse", **gone})
    disk = "disk full (a tmpfs)" if shop.is_mounted else "disk full (RLIMIT_FSIZE)"
    yield Fault(f"{disk}: run", full_disk, run)
    yield Fault(f"{disk}: approve", full_disk, _APPROVE)
    yield Fault("object store fails: run", no_warehouse, run)
    yield Fault("object store fails: approve", no_releases, _APPROVE)
    yield Fault("object store fails: rollback", no_releases, ("review", "rollback", "--by", "ada"))
    yield Fault("MLflow down: run", no_mlflow, run)
    yield Fault("MLflow down: approve", no_mlflow, _APPROVE)
    yield Fault("MLflow down: show", no_mlflow, ("review", "show", "1"))
    yield Fault("MLflow down: list, which needs none", no_mlflow, ("review", "list"), code=0)
    yield Fault("PostgreSQL down: run", without_postgresql, run)
    yield Fault("PostgreSQL down: approve", without_postgresql, _APPROVE)
    yield Fault("Redis down: run", without_redis, run)
    yield Fault("Redis down: approve, without interests", without_redis, _APPROVE, code=0)
    yield Fault("model server refuses: approve", refusing_model_server, _APPROVE)


def _figure(shop: Shop, fault: Fault) -> Figure:
    """Meet the fault with the command, and repeat it without; a run is repeated by the last attack."""
    with fault.inject() as environment:
        seen = shop.command(*fault.command, **environment)
    is_whole = fault.command[0] == "run" or shop.command(*fault.command).code in (0, fault.code)
    return Figure(
        fault.what,
        f"exit code {seen.code}: {seen.message}",
        f"exit code {fault.code}, a clear sentence; answers go on; the next try is whole",
        seen.code == fault.code and seen.is_clear and seen.is_answered and is_whole,
    )
