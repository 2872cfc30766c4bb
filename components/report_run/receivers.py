"""Who is told how a run ended; this becomes a parameter of the pipelines, so it has no secret."""

from dataclasses import dataclass, fields
from typing import Any, Self


@dataclass(frozen=True)
class Receivers:
    """Addresses, "" for none.

    Attributes:
        webhook: an http(s) URL, or the path of a file that has it.
        webhook_key_file: the path of the file with the key that signs the webhook.
        pushgateway: address of a Prometheus Pushgateway.
        textfiles: the directory that node_exporter's textfile collector reads.
        link: the address of a run's page, with {run} for its name or id.
        kubeflow: address of Kubeflow's API, which knows the failed step.
        kubeflow_token_file: path of the file with its bearer token.
        facts: where the steps of the run leave their facts (components.run_facts).
        record: the folder of a local run, which has its record.
    """

    webhook: str = ""
    webhook_key_file: str = ""
    pushgateway: str = ""
    textfiles: str = ""
    link: str = ""
    kubeflow: str = ""
    kubeflow_token_file: str = ""
    facts: str = ""
    record: str = ""

    @classmethod
    def parse(cls, given: dict[str, Any]) -> Self:
        """Return the receivers of the pipeline's parameter `report`."""
        names = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in given.items() if name in names})

    @property
    def exist(self) -> bool:
        """Whether anybody is told."""
        return bool(self.webhook or self.pushgateway or self.textfiles)
