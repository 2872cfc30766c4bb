"""Who is told how a run ended, from the settings: for runs on this machine, and for runs on Kubeflow."""

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from components.report_run.receivers import Receivers
from pipelines.settings import Settings

# The shortest key that is worth signing with, in bytes.
_SHORTEST_KEY: Final = 16


def local_receivers(settings: Settings) -> Receivers:
    """Return the receivers of runs on this machine.

    Raises:
        ValueError: a file or folder of a setting is missing, or a key is too short.
    """
    webhook, key_file, textfiles = settings.webhook_url, settings.webhook_key_file, settings.metrics_textfiles
    if webhook.startswith("/") and not Path(webhook).is_file():
        raise ValueError(f"PENCHANT_WEBHOOK_URL={webhook}: expected a URL, or a file that contains one")
    if key_file and not (key_file.is_file() and key_file.stat().st_size >= _SHORTEST_KEY):
        raise ValueError(
            f"PENCHANT_WEBHOOK_KEY_FILE={key_file}: expected a file with a key of {_SHORTEST_KEY} characters "
            "or more; `openssl rand -hex 32` prints one"
        )
    if textfiles and not (textfiles.is_dir() and os.access(textfiles, os.W_OK)):
        raise ValueError(
            f"PENCHANT_METRICS_TEXTFILES={textfiles}: expected a folder that this user may write, the one of "
            "node_exporter's --collector.textfile.directory"
        )
    return Receivers(
        webhook=webhook,
        webhook_key_file=str(key_file or ""),
        pushgateway=settings.pushgateway,
        textfiles=str(textfiles or ""),
        link=settings.run_link,
    )


def kubeflow_receivers(settings: Settings) -> Receivers:
    """Return the receivers of runs on Kubeflow; the paths of files are those in the pods of the steps.

    A Kubeflow on the loopback interface is one behind a tunnel: the steps can't ask it.
    """
    kubeflow = "" if is_loopback(settings.kubeflow) else settings.kubeflow
    return Receivers(
        webhook=settings.webhook_url,
        webhook_key_file=str(settings.webhook_key_file or ""),
        pushgateway=settings.pushgateway,
        link=settings.run_link,
        kubeflow=kubeflow,
        kubeflow_token_file=str(settings.kubeflow_token_file or "") if kubeflow else "",
        facts=settings.run_facts,
    )


def is_loopback(address: str) -> bool:
    """Return whether an address, with or without a scheme, is this machine's loopback interface."""
    host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
