"""Each size works in an environment that holds nothing else; the training size is that of these tests."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fake_model_server import fake_model_server
from tests.packaging.environments import SIZES, Environment
from tests.serving.planted import write_release

# Prints the items that the recommender at argv[1] answers for a user who has seen one of them.
CLIENT = """
import json, sys
from serving.client import Recommender

with Recommender(sys.argv[1], timeout_s=60) as recommender:
    answer = recommender.recommend("user", k=3, history=[sys.argv[2]])
print(json.dumps([item.item_id for item in answer.recommendations]))
"""


def print_costs(size: str, environment: Environment) -> None:
    seconds = environment.import_seconds(SIZES[size][1])
    print(f"{size}: {len(environment.packages)} packages, {environment.megabytes:.0f} MB, {seconds:.2f} s")


def test_the_client_is_small(client: Environment) -> None:
    print_costs("client", client)
    assert client.packages == {"penchant", "grpcio", "protobuf", "typing-extensions"}
    assert client.megabytes <= 30


def test_the_recommender_needs_no_training_package(serving: Environment) -> None:
    print_costs("serving", serving)
    training = {"tensorflow", "keras", "kfp", "mlflow", "great-expectations", "feast", "pandas", "duckdb"}
    assert serving.packages.isdisjoint(training)
    assert len(serving.packages) <= 40
    assert serving.megabytes <= 650


@pytest.mark.parametrize("size", ["client", "serving"])
def test_the_command_names_the_extra_that_it_needs(size: str, request: pytest.FixtureRequest) -> None:
    environment: Environment = request.getfixturevalue(size)
    done = subprocess.run(
        [environment.folder / "bin" / "penchant"],
        env=environment.variables(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert (
        done.stderr == "penchant: this command needs the training extra: pip install 'penchant[training]'\n"
    )


@pytest.fixture
def model_server() -> Iterator[str]:
    """The address of a server that has version 1 of the interest model and computes nothing."""
    with fake_model_server() as server:
        yield server.address


@pytest.fixture
def recommender(serving: Environment, model_server: str, tmp_path: Path) -> Iterator[str]:
    """The address of a recommender that runs in the environment of the serving extra."""
    write_release(tmp_path / "releases", 1)
    (tmp_path / "releases" / "live.json").write_text(json.dumps({"version": 1}))
    settings = {"HOME": str(tmp_path), "PORT": "0", "MODEL_SERVER": model_server}
    variables = serving.variables(**{f"PENCHANT_{name}": value for name, value in settings.items()})
    command = [str(serving.python), "-m", "serving.server"]
    process = subprocess.Popen(command, env=variables, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    yield process.stdout.readline().removeprefix("recommender on ").strip()
    process.terminate()
    process.wait()


def test_the_client_gets_an_answer_from_the_recommender(client: Environment, recommender: str) -> None:
    items = json.loads(client.run("-c", CLIENT, recommender, "horror-3"))
    assert len(items) == 3
    assert all(item.startswith("horror-") for item in items)
