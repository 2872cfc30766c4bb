"""The modules that the steps of a compiled pipeline import."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from typing import Any


def modules_of_steps(pipeline: Any) -> list[list[str]]:
    """Return what the functions of the steps import, in an order in which the steps can run."""
    spec = pipeline.pipeline_spec
    executors = spec.deployment_spec["executors"]
    return [_imported(executors[label]["container"]["command"][-1]) for label in _labels(spec.root.dag, spec)]


def _labels(dag: Any, spec: Any) -> Iterator[str]:
    """Yield the label of each step's executor, those of nested groups such as conditions too."""
    needs = {name: list(task.dependent_tasks) for name, task in dag.tasks.items()}
    for name in TopologicalSorter(needs).static_order():
        component = spec.components[dag.tasks[name].component_ref.name]
        if component.HasField("dag"):
            yield from _labels(component.dag, spec)
        else:
            yield component.executor_label


def _imported(source: str) -> list[str]:
    modules: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            modules.append(node.module)
        elif isinstance(node, ast.Import):
            modules += [name.name for name in node.names]
    return modules
