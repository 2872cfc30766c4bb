"""Imports what MLflow imports and prepares at the first use of a database: 3 CPU seconds.

A process that has imported this module forks others that use MLflow at once.
"""

import mlflow.store.model_registry.sqlalchemy_store
import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
from sqlalchemy.orm import configure_mappers

configure_mappers()
