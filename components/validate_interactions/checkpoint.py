"""Runs a suite of Great Expectations over frames, and gathers what it found."""

from string import Template
from typing import Any

import great_expectations as gx
import numpy as np
import pandas as pd
from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from numpy.typing import NDArray

from components.validate_interactions.findings import EXAMPLES, Finding


class Checkpoint:
    """One suite in a context that lives in memory alone; findings grow with each frame."""

    def __init__(self, suite: gx.ExpectationSuite) -> None:
        config = DataContextConfig(
            # Otherwise each context leaves a directory for a site of its own behind.
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            progress_bars=ProgressBarsConfig(globally=False),
        )
        context = gx.get_context(mode="ephemeral", project_config=config)
        asset = context.data_sources.add_pandas("pandas").add_dataframe_asset(suite.name)
        definition = gx.ValidationDefinition(
            name=suite.name,
            data=asset.add_batch_definition_whole_dataframe(suite.name),
            suite=context.suites.add(suite),
        )
        self._checkpoint = context.checkpoints.add(
            gx.Checkpoint(
                name=suite.name,
                validation_definitions=[context.validation_definitions.add(definition)],
                result_format={"result_format": "COMPLETE", "include_unexpected_rows": False},
            )
        )
        self.findings: list[Finding] = []

    def run(self, frame: pd.DataFrame) -> NDArray[np.uint64]:
        """Validate one frame.

        Returns:
            [rows] the critical expectations that each row fails; bit n stands for `findings[n]`.

        Raises:
            RuntimeError: an expectation could not be evaluated.
        """
        outcome = self._checkpoint.run(batch_parameters={"dataframe": frame})
        (validated,) = outcome.run_results.values()
        assert isinstance(validated, ExpectationSuiteValidationResult)
        if not self.findings:
            self.findings = [_finding(result) for result in validated.results]
        failures = np.zeros(len(frame), np.uint64)
        for bit, (finding, result) in enumerate(zip(self.findings, validated.results, strict=True)):
            _check_evaluated(result)
            unexpected = frame.index.get_indexer(result.result["unexpected_index_list"])
            finding.rows += len(frame)
            finding.failed += len(unexpected)
            shown = unexpected[: EXAMPLES - len(finding.examples)]
            finding.examples += [_spoken(value) for value in frame[_told(frame, finding)].iloc[shown]]
            if finding.stops:
                failures[unexpected] |= np.uint64(1 << bit)
        return failures


def _finding(result: ExpectationValidationResult) -> Finding:
    config = result.expectation_config
    assert config is not None
    result.render()
    # Great Expectations' own words for the expectation, such as "values must never be null."
    (rendered,) = [part.value for part in config.rendered_content or []]
    values = {name: str(parameter["value"]) for name, parameter in (rendered.params or {}).items()}
    return Finding(
        expectation=config.type,
        column=config.kwargs["column"],
        reason=config.meta["reason"],
        severity=str(getattr(config.severity, "value", config.severity)),
        statement=Template(rendered.template).safe_substitute(values),
    )


def _told(frame: pd.DataFrame, finding: Finding) -> str:
    """The column to take examples from: of "item_id known" the item ids tell more than False."""
    column = finding.column.partition(" ")[0]
    return column if column in frame else finding.column


def _check_evaluated(result: ExpectationValidationResult) -> None:
    """An expectation that breaks is reported as unmet, which would blame the data."""
    info: dict[str, Any] = result.exception_info or {}
    for cause in [info] if "raised_exception" in info else info.values():
        if cause["raised_exception"]:
            raise RuntimeError(f"{result.expectation_config}: {cause['exception_message']}")


def _spoken(value: Any) -> str:
    """A value on one line of a terminal, whatever is in it."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
