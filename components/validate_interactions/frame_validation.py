"""Runs a Great Expectations suite over data frames and sums up the results."""

from typing import Any, Final

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

from components.validate_interactions.expectation_results import EXAMPLES, ExpectationResult

RESULT_FORMAT: Final = {"result_format": "COMPLETE", "include_unexpected_rows": False}
EXAMPLE_ROWS = 1_000
MAX_EXAMPLE_LENGTH = 30


class FrameValidation:
    """One suite in an in-memory context; `results` accumulates over the frames."""

    def __init__(self, suite: gx.ExpectationSuite) -> None:
        config = DataContextConfig(
            # Otherwise each context leaves a temporary directory for its own Data Docs behind.
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            progress_bars=ProgressBarsConfig(globally=False),
        )
        context = gx.get_context(mode="ephemeral", project_config=config)
        asset = context.data_sources.add_pandas("pandas").add_dataframe_asset(suite.name)
        self._suite, self._frames = suite, asset.add_batch_definition_whole_dataframe(suite.name)
        self.results: list[ExpectationResult] = []

    def run(self, frame: pd.DataFrame) -> NDArray[np.uint64]:
        """Validate one frame.

        Returns:
            [rows] bit n is set where the row fails the critical expectation `results[n]`.

        Raises:
            RuntimeError: an expectation could not be evaluated.
        """
        # Without a checkpoint of Great Expectations, which copies the suite and the results many times.
        batch = self._frames.get_batch({"dataframe": frame})
        validated = batch.validate(self._suite, result_format=RESULT_FORMAT)
        assert isinstance(validated, ExpectationSuiteValidationResult)
        if not self.results:
            self.results = [_empty_result(validation) for validation in validated.results]
        failed_bits = np.zeros(len(frame), np.uint64)
        for bit, (result, validation) in enumerate(zip(self.results, validated.results, strict=True)):
            _check_evaluated(validation)
            failed = frame.index.get_indexer(validation.result["unexpected_index_list"])
            result.rows += len(frame)
            result.failed_rows += len(failed)
            _add_examples(result, frame, failed, _example_column(frame, validation))
            if result.is_critical:
                failed_bits[failed] |= np.uint64(1 << bit)
        return failed_bits

    def pass_rows(self, rows: int) -> None:
        """Count rows that are known to meet each expectation."""
        for result in self.results:
            result.rows += rows


def _empty_result(validation: ExpectationValidationResult) -> ExpectationResult:
    config = validation.expectation_config
    assert config is not None
    severity = str(getattr(config.severity, "value", config.severity))
    return ExpectationResult(config.type, **config.meta, severity=severity)


def _add_examples(
    result: ExpectationResult, frame: pd.DataFrame, failed: NDArray[np.int64], column: str
) -> None:
    """Add different values among the first failed rows, and the first interaction id."""
    for value in frame[column].iloc[failed[:EXAMPLE_ROWS]]:
        example = _format_example(value)
        if len(result.examples) < EXAMPLES and example not in result.examples:
            result.examples.append(example)
    if len(failed) and not result.first_interaction and "interaction_id" in frame:
        result.first_interaction = _format_example(frame["interaction_id"].iloc[failed[0]])


def _example_column(frame: pd.DataFrame, validation: ExpectationValidationResult) -> str:
    """Return the reported column if the frame has it, else the checked one."""
    config = validation.expectation_config
    assert config is not None
    reported: str = config.meta["column"]
    return reported if reported in frame else config.kwargs["column"]


def _check_evaluated(validation: ExpectationValidationResult) -> None:
    """Raise RuntimeError for an evaluation error, which Great Expectations reports as a failure."""
    info: dict[str, Any] = validation.exception_info or {}
    for cause in [info] if "raised_exception" in info else info.values():
        if cause["raised_exception"]:
            raise RuntimeError(f"{validation.expectation_config}: {cause['exception_message']}")


def _format_example(value: Any) -> str:
    """Return a value as one short line of printable characters."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= MAX_EXAMPLE_LENGTH else f"{text[: MAX_EXAMPLE_LENGTH - 1]}…"
