"""Pushes, decisions, alias moves, registrations and ingests that a SIGKILL ends at each of their writes.

With MLflow's database and files, and a release of all parts; without a model, which no write depends on.
"""

import shutil
from contextlib import ExitStack, nullcontext, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from unittest.mock import patch

from components.errors import StepError
from components.push_release import candidate_check, promotion, publication
from components.push_release.live_switch import switch
from components.push_release.publication import verify
from components.register_release.registered_version import CANDIDATE, LIVE
from components.register_release.review_history import Act
from pipelines.errors import RunError
from tests.attack.figures import Figure
from tests.attack.reviewed_home import ReviewedHome
from tests.attack.write_walk import Action, memory, walk
from tests.components.ingest_interactions.conftest import Home as Warehouse
from tests.components.push_release.conftest import MATERIALIZE

# What the history may say last of a version whose promotion was killed: "approved" alone is not enough.
_ENDS: Final[tuple[list[Act], ...]] = ([], [Act.INTERRUPTED], [Act.PUSHED])


def figures() -> list[Figure]:
    with TemporaryDirectory(prefix="killed-pushes-", dir=memory()) as folder, ExitStack() as stack:
        _without_model(stack)
        home = ReviewedHome(Path(folder, "home"))
        home.prepare()
        rows = [
            walk(what, home.folder, home.restore, action, check)
            for what, action, check in [*_decisions(home), *_alias_moves(home), _registration(home)]
        ]
        return [*rows, _ingest(Path(folder, "warehouse"))]


def _without_model(stack: ExitStack) -> None:
    """Skip the smoke test and the users' interests, which need a model; keep few versions, to prune some."""
    stack.enter_context(patch(MATERIALIZE, lambda *arguments: None))
    for module in (promotion, candidate_check):
        stack.enter_context(patch.object(module, "smoke_test", lambda *_, **__: nullcontext()))
    stack.enter_context(patch.object(publication, "KEEP", 1))


def _decisions(home: ReviewedHome) -> list[tuple[str, Action, Action]]:
    """Return actions with a name, and what follows a kill: the next command, and the check of its result."""

    def fail() -> None:
        with patch.object(promotion, "smoke_test", side_effect=StepError("no answer")), suppress(RunError):
            home.approve(3)

    def roll_back() -> None:
        switch(home.store, 1, "rolled back", "ada", "empty answers", pinned=True)
        home.recover()

    def any_command() -> None:
        home.recover()
        home.check_consistent()
        assert [record.act for record in home.decisions(3)][-1:] in _ENDS

    def approve(version: int) -> None:
        home.approve(version)
        home.check_live(version)
        home.check_consistent()

    def retry() -> None:
        home.push(3)
        home.check_live(3)

    return [
        ("an approval, then any command", partial(home.approve, 3), any_command),
        ("an approval, then of another version", partial(home.approve, 3), partial(approve, 1)),
        ("a failed smoke test, then an approval", fail, partial(approve, 3)),
        ("a rejection, then an approval", partial(home.reject, 3), partial(approve, 3)),
        ("a rejection, then any command", partial(home.reject, 1), any_command),
        ("a rollback, then any command", roll_back, any_command),
        ("the push of a pipeline, then its retry", partial(home.push, 3), retry),
    ]


def _alias_moves(home: ReviewedHome) -> list[tuple[str, Action, Action]]:
    """Return moves of an alias in MLflow, and the next round of the watcher after a kill."""

    def move(alias: str, version: int, rejected: bool = False) -> None:
        if rejected:
            home.reject(version)
        home.set_alias(alias, version)
        home.watch()

    def promoted() -> None:
        target = home.alias(LIVE)  # the version before, where the kill came before MLflow stored the alias
        home.watch()
        home.check_consistent()
        assert target is not None
        home.check_live(target)
        assert [record.act for record in home.decisions(3)][-1:] == ([Act.PUSHED] if target == 3 else [])

    def set_back() -> None:
        is_moved = home.alias(LIVE) == 3
        home.watch()
        home.check_consistent()
        home.check_live(2)
        refusals = [record for record in home.decisions(3) if record.act == Act.ALIAS_REFUSED]
        # A kill between the record and the alias repeats both.
        assert is_moved <= len(refusals) <= 2

    def candidate() -> None:
        is_moved = home.alias(CANDIDATE) == 1
        home.watch()
        home.check_consistent()
        assert home.alias(CANDIDATE) == (1 if is_moved else 3)
        made = [record for record in home.decisions(1) if record.act == Act.MADE_CANDIDATE]
        assert is_moved <= len(made) <= 2

    return [
        ("the alias live moved, then the watcher", partial(move, LIVE, 3), promoted),
        ("live on a rejected version, then the watcher", partial(move, LIVE, 3, rejected=True), set_back),
        ("the alias candidate moved, then the watcher", partial(move, CANDIDATE, 1), candidate),
    ]


def _registration(home: ReviewedHome) -> tuple[str, Action, Action]:
    """A killed registration leaves versions that can all be downloaded, and the next one registers."""

    def again() -> None:
        newest = home.release.register()
        with TemporaryDirectory() as downloads:
            for version in home.registry.versions():
                verify(home.registry.download(version.number, Path(downloads, str(version.number))))
        assert home.registry.version(newest).aliases == [CANDIDATE]

    return "a registration, then another", home.release.register, again


def _ingest(folder: Path) -> Figure:
    """An ingest of a corrected file, as in the tests of the warehouse."""
    folder.mkdir()
    home = Warehouse(folder)
    rows = "user_id,item_id,timestamp\nann,tea,1700000000\nann,milk,1700000005\n"
    file = home.write("log.csv", rows)
    home.ingest(interactions_file=file)
    shutil.copytree(home.warehouse, folder / "copy")
    home.write("log.csv", rows.replace("milk", "cake"))
    correct = partial(home.ingest, interactions_file=file)

    def restore() -> None:
        shutil.rmtree(home.warehouse)
        shutil.copytree(folder / "copy", home.warehouse)

    def again() -> None:
        correct()
        assert [row["item_id"] for row in home.rows("interactions")] == ["tea", "cake"]

    return walk("an ingest of a corrected file, then again", home.warehouse, restore, correct, again)
