"""Connects to the Kubeflow Pipelines API, and says in one sentence what went wrong."""

import io
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from pipelines.errors import RunError
from pipelines.settings import Settings

if TYPE_CHECKING:
    from kfp import Client
    from kfp_server_api import ApiException

ADVICE: Final[dict[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "the token is missing, wrong or expired: set PENCHANT_KUBEFLOW_TOKEN_FILE",
    HTTPStatus.FORBIDDEN: "the token does not allow this: ask for the role kubeflow-pipelines-edit",
    HTTPStatus.NOT_FOUND: "there is no such object; is PENCHANT_KUBEFLOW the address of the Pipelines API?",
}


@contextmanager
def connect(settings: Settings) -> Iterator["Client"]:
    """Connect to the API at PENCHANT_KUBEFLOW.

    Raises:
        ValueError: PENCHANT_KUBEFLOW is not set, or the token file cannot be read.
        RunError: the server cannot be reached, or refuses a call; inside the block too.
    """
    if not settings.kubeflow:
        raise ValueError("PENCHANT_KUBEFLOW is not set: expected the address of the Kubeflow Pipelines API")
    from kfp import Client
    from kfp.client import ServiceAccountTokenVolumeCredentials
    from kfp_server_api import ApiException
    from urllib3.exceptions import HTTPError

    token_file = settings.kubeflow_token_file
    if token_file and not token_file.is_file():
        raise ValueError(f"PENCHANT_KUBEFLOW_TOKEN_FILE={str(token_file)!r}: expected a file with a token")
    try:
        _check_health(settings)
        with warnings.catch_warnings():
            # Each client warns of servers older than 2.0.0-beta.2, whatever the server is.
            warnings.filterwarnings("ignore", message="This client only works with Kubeflow Pipeline")
            client = Client(
                host=settings.kubeflow,
                namespace=settings.kubeflow_namespace or "kubeflow",
                credentials=ServiceAccountTokenVolumeCredentials(path=str(token_file))
                if token_file
                else None,
                ssl_ca_cert=str(settings.kubeflow_ca) if settings.kubeflow_ca else None,
            )
        yield client
    except ApiException as error:
        raise RunError(f"Kubeflow at {settings.kubeflow}: {_describe(error)}") from error
    except HTTPError as error:
        reason = getattr(error, "reason", None) or error
        raise RunError(
            f"Kubeflow at {settings.kubeflow} cannot be reached: {reason}; check PENCHANT_KUBEFLOW and the "
            "network"
        ) from error


@contextmanager
def starting_a_run(settings: Settings) -> Iterator[None]:
    """Say of a call without an answer that the run may have started: to repeat it would start another one.

    Raises:
        RunError: Kubeflow took the call, or may have taken it, and did not answer.
    """
    from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError

    try:
        yield
    except HTTPError as error:
        reason = getattr(error, "reason", None) or error
        if not isinstance(reason, (ProtocolError, ReadTimeoutError)):
            raise
        raise RunError(
            f"Kubeflow at {settings.kubeflow} did not answer: {reason}; the run may have started all the "
            "same, so look at `penchant runs list` before you repeat this"
        ) from error


def experiment_id(client: "Client", settings: Settings) -> str:
    """Return the id of the experiment of the settings; create it if there is none."""
    with without_links():
        experiment = client.create_experiment(
            settings.experiment, namespace=settings.kubeflow_namespace or None
        )
    return str(experiment.experiment_id)


@contextmanager
def without_links() -> Iterator[None]:
    """Discard what kfp's client prints: links to pages at the address of the API, where no page is."""
    with redirect_stdout(io.StringIO()):
        yield


def _check_health(settings: Settings) -> None:
    """Call the server once; kfp's client would try for 25 seconds and log each failure."""
    from kfp_server_api import ApiClient, Configuration, HealthzServiceApi

    configuration = Configuration(host=settings.kubeflow)
    if settings.kubeflow_token_file:
        configuration.api_key = {"authorization": settings.kubeflow_token_file.read_text().strip()}
        configuration.api_key_prefix = {"authorization": "Bearer"}
    if settings.kubeflow_ca:
        configuration.ssl_ca_cert = str(settings.kubeflow_ca)
    HealthzServiceApi(ApiClient(configuration)).healthz_service_get_healthz()


def _describe(error: "ApiException") -> str:
    """Return the server's message, or else its status, with advice."""
    try:
        message = json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        message = f"{error.status} {error.reason}"
    advice = ADVICE.get(error.status)
    return f"{message}; {advice}" if advice else message
