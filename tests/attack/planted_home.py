"""A home with a small shop, whose log an attack writes to, and the steps of a run that read it."""

import contextlib
import io
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from components.errors import StepError
from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Outputs, Sources, ingest
from components.validate_interactions.validation import validate
from feature_repo.feedback import FeedbackPolicy
from feature_repo.interaction import Interaction
from serving.api.validation import RequestLimits, read_interactions
from serving.errors import InvalidRequest
from serving.protos import recommender_pb2 as pb
from serving.user_data.interaction_log import InteractionLog

# The shop's customers: 100 of them, each with 40 interactions, one an hour from 2023-11-14 on.
USERS: Final = 100
ROWS: Final = 4_000
START: Final = datetime(2023, 11, 14, 22)
HEADER: Final = "interaction_id,user_id,item_id,timestamp,event_type\n"


def shop_rows() -> list[str]:
    return [
        f"{number},u{number % USERS},i{number % 40},{START + timedelta(hours=number):%Y-%m-%dT%H:%M:%S},view"
        for number in range(ROWS)
    ]


@dataclass(frozen=True)
class PlantedHome:
    """A folder with the shop's file, a warehouse and an interaction log."""

    root: Path

    def record(self, interactions: Sequence[Interaction], checked: bool = True) -> str:
        """Record as a client does; return "recorded", or the service's answer.

        Args:
            checked: whether the service checks the interactions; an earlier version let more pass.
        """
        if checked:
            try:
                for start in range(0, len(interactions), 1_000):
                    messages = [_message(interaction) for interaction in interactions[start : start + 1_000]]
                    read_interactions(pb.RecordInteractionsRequest(interactions=messages), RequestLimits())
            except InvalidRequest as error:
                return f"refused: {error}"
        log = InteractionLog(self.log)
        log.record(interactions)
        log.close()
        return "recorded"

    @property
    def log(self) -> str:
        return f"sqlite:///{self.root}/log.sqlite"

    def run(self, rows: Sequence[str] = (), items: str = "", **options: object) -> str:
        """Ingest the shop's rows, if any, and the log, and validate; return "passed", or the error."""
        files = {}
        for name, text in (("interactions", "\n".join(rows) and HEADER + "\n".join(rows)), ("items", items)):
            if text:
                (self.root / f"{name}.csv").write_text(text + "\n")
                files[f"{name}_file"] = str(self.root / f"{name}.csv")
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                self._steps(Sources(interaction_log=self.log, **files, **options))  # type: ignore[arg-type]
        except StepError as error:
            return str(error).splitlines()[0]
        return "passed"

    def _steps(self, sources: Sources) -> None:
        warehouse, root = str(self.root / "warehouse"), self.root
        outputs = Outputs(
            root / "snapshot", root / "items.parquet", root / "users.parquet", root / "feedback.json"
        )
        as_of = ingest(sources, FeedbackOptions(), warehouse, outputs)
        tables = (outputs.interactions, outputs.items, outputs.users)
        policy = FeedbackPolicy.read(outputs.feedback)
        validate(
            *tables,
            policy,
            as_of,
            warehouse,
            0.05,
            valid_interactions=self.valid,
            quarantine=root / "quarantine",
            data_docs=root / "docs.html",
        )

    @property
    def valid(self) -> Path:
        return self.root / "valid.parquet"

    def rows_of_others(self) -> int:
        """Return the number of valid interactions of the shop's customers."""
        users = pq.read_table(self.valid, columns=["user_id"])["user_id"].to_pylist()
        return sum(user.startswith("u") for user in users)


@contextlib.contextmanager
def planted_home() -> Iterator[PlantedHome]:
    """Yield a home in which one run has passed."""
    with tempfile.TemporaryDirectory(prefix="penchant-attack-") as folder:
        home = PlantedHome(Path(folder))
        assert home.run(shop_rows()) == "passed"
        yield home


def _message(interaction: Interaction) -> pb.Interaction:
    message = pb.Interaction(
        interaction_id=interaction.interaction_id,
        user_id=interaction.user_id,
        item_id=interaction.item_id,
        event_type=interaction.event_type,
    )
    message.timestamp.FromMicroseconds(interaction.timestamp)
    return message
