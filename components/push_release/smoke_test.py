"""Tests a published release over gRPC before it is live."""

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Final

import numpy as np

from components.errors import StepError
from components.interest_batches import Compute, compute_in_batches
from feature_repo.contract import INTEREST_MODEL
from feature_repo.histories import History
from serving.errors import Unavailable
from serving.interest.model_server_client import InterestClient
from serving.process.child_process import ChildProcess
from serving.ranking.candidate_retrieval import Retriever
from serving.ranking.query import Query
from serving.ranking.reranking import Reranker
from serving.release.ranking_data import Ranking
from serving.release.release_store import ReleaseStore

# Time for a model server to load and warm up a large model.
LOAD_TIMEOUT_S: Final = 120.0
ANSWER_TIMEOUT_S: Final = 5.0
POLL_S: Final = 0.1
STOP_TIMEOUT_S: Final = 10.0
TOP: Final = 10


@contextlib.contextmanager
def smoke_test(store: ReleaseStore, version: int, model_server: str) -> Iterator[Compute]:
    """Test a version on the model server, or on an embedded one when `model_server` is empty.

    Yields:
        The interests of the tested version, computed by the model server until the block ends.

    Raises:
        StepError: the version does not load, does not answer, or answers wrongly.
    """
    ranking = store.open(version)
    with _server(store, version) if not model_server else contextlib.nullcontext(model_server) as address:
        client = InterestClient(address)
        try:
            try:
                _wait_until_available(client, version, address)
                _check_answers(client, ranking, version)
            except Unavailable as error:
                raise StepError(f"version {version} fails the smoke test: {error}") from error
            yield lambda histories, users: compute_in_batches(
                lambda batch, of: client.interest(batch, version, ANSWER_TIMEOUT_S, of), histories, users
            )
        finally:
            client.close()


def _check_answers(client: InterestClient, ranking: Ranking, version: int) -> None:
    histories = probes(ranking)
    interests = client.interest(histories, version, ANSWER_TIMEOUT_S).interest
    expected = (len(histories), ranking.item_embeddings.shape[1])
    if interests.shape != expected or not np.isfinite(interests).all():
        raise StepError(
            f"version {version} fails the smoke test: expected {expected} finite numbers, got "
            f"{interests.shape}, {np.count_nonzero(~np.isfinite(interests))} of them not finite"
        )
    if len(ranking.catalog) > 1 and np.allclose(interests[0], interests[-1]):
        raise StepError(
            f"version {version} fails the smoke test: its interest does not depend on the history"
        )
    retriever, reranker = Retriever(ranking), Reranker(ranking)
    for history, interest in zip(histories, interests, strict=True):
        items = [ranking.catalog.index[item] for item in history.item_ids if item in ranking.catalog.index]
        query = Query(ranking, np.asarray(items, np.int32), np.arange(len(items), dtype=np.int64), interest)
        candidates = retriever.retrieve(query)
        scores = reranker.scores(query, candidates.items)
        needed = min(TOP, len(ranking.catalog))
        if len(scores) < needed or not np.isfinite(scores).all():
            raise StepError(
                f"version {version} fails the smoke test: expected at least {needed} finite scores, "
                f"got {np.count_nonzero(np.isfinite(scores))} of {len(scores)}"
            )


def probes(ranking: Ranking) -> list[History]:
    """Return test histories: an empty one, one unknown item, and two lists of popular items."""
    popular = np.argsort(-ranking.filters.popularity, kind="stable")[:200]
    ids = [ranking.catalog.item_ids[index] for index in popular]
    return [History(), _history(["no such item"]), _history(ids), _history(ids[: max(1, len(ids) // 2)])]


def _history(item_ids: list[str]) -> History:
    """Return a history with one view a second."""
    timestamps = [1_000_000 * second for second in range(1, len(item_ids) + 1)]
    return History(item_ids, item_ids, ["view"] * len(item_ids), [float("nan")] * len(item_ids), timestamps)


def _wait_until_available(client: InterestClient, version: int, address: str) -> None:
    deadline = time.monotonic() + LOAD_TIMEOUT_S
    while True:
        with contextlib.suppress(Unavailable):
            if version in client.available_versions(ANSWER_TIMEOUT_S):
                return
        if time.monotonic() > deadline:
            raise StepError(
                f"version {version} is not AVAILABLE at {address} after {LOAD_TIMEOUT_S:.0f} s: "
                "see the model server's log"
            )
        time.sleep(POLL_S)


@contextlib.contextmanager
def _server(store: ReleaseStore, version: int) -> Iterator[str]:
    """Run an embedded model server with this version only; yield its address."""
    base_path = store.local(INTEREST_MODEL, version).parent
    arguments = ["--base-path", str(base_path), "--port", "0", "--version-policy", f"specific:{version}"]
    arguments.append("--end-with-parent")
    server = ChildProcess("serving.model_server", arguments, os.environ, announces="model server")
    try:
        address = server.wait_until_listening()
        if address is None:
            raise StepError(f"the embedded model server did not start (exit code {server.popen.wait()})")
        yield address
    finally:
        server.stop(STOP_TIMEOUT_S)
