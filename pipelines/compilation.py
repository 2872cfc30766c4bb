"""Compiles a pipeline for Kubeflow Pipelines."""

from collections.abc import Callable
from pathlib import Path

from pipelines.settings import Settings

# A function that creates the tasks of a pipeline, such as `training`.
PipelineFunction = Callable[..., None]


def compile_pipeline(function: PipelineFunction, settings: Settings, file: Path) -> None:
    """Write a pipeline as YAML, with the images and resources of the settings."""
    from kfp import compiler

    from pipelines.kubernetes_config import build_pipeline

    compiler.Compiler().compile(build_pipeline(function, settings), str(file))
