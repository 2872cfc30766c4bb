"""What Feast's registry says of the online features, read as it stands."""

from collections.abc import Iterable, Sequence
from typing import Any

import fsspec
import sqlalchemy

from feature_repo.addresses import FILE_URLS, is_file
from feature_repo.contract import FEAST_PROJECT
from serving.online_store.feast_formats import FeatureView, Registry


def read_features(registry: str, views: Sequence[str]) -> dict[str, list[str]]:
    """The names of each view's features, in the order of `views`.

    Args:
        registry: a file path, s3:// or gs://, or a SQLAlchemy URL.

    Raises:
        LookupError: the registry has no such view.
        OSError, sqlalchemy.exc.SQLAlchemyError: the registry can't be read.
    """
    found = {view.spec.name: [feature.name for feature in view.spec.features] for view in _views(registry)}
    if missing := [view for view in views if view not in found]:
        raise LookupError(f"it has no view {missing[0]}")
    return {view: found[view] for view in views}


def _views(registry: str) -> Iterable[Any]:
    if is_file(registry) or registry.startswith(FILE_URLS):
        with fsspec.open(registry, "rb") as file:
            written = Registry.FromString(file.read())
        return [view for view in written.feature_views if view.spec.project == FEAST_PROJECT]
    engine = sqlalchemy.create_engine(registry, poolclass=sqlalchemy.NullPool)
    query = sqlalchemy.text("SELECT feature_view_proto FROM feature_views WHERE project_id = :project")
    with engine.connect() as connection:
        rows = connection.execute(query, {"project": FEAST_PROJECT}).scalars().all()
    return [FeatureView.FromString(bytes(row)) for row in rows]
