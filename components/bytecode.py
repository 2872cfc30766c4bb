"""Imports what the steps that use Feast import: `python -O -m components.bytecode` writes its bytecode.

These steps run with -O (pipelines/step_environment.py), and package installers compile for Python without it.
Where nothing may write bytecode later, as in a container, each such step would compile 1,600 modules: 9 s.
"""

import tensorflow  # noqa: F401 (as SavedModels import it)

import components.fetch_training_set.training_set
import components.materialize_features.materialization
import components.push_release.promotion  # noqa: F401
