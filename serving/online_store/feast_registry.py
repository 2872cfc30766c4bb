"""The names of the online features, read from Feast's registry without its SDK."""

from collections.abc import Iterable, Sequence

import sqlalchemy

from feature_repo.contract import FEAST_PROJECT
from feature_repo.filesystems import open_binary
from feature_repo.store_addresses import FILE_URLS, is_file
from serving.protos.feature_store_pb2 import FeatureView, Registry


def read_features(registry: str, views: Sequence[str]) -> dict[str, list[str]]:
    """Return the feature names of each view, in the order of `views`.

    Args:
        registry: a file path, an s3:// or gs:// URL of a file, or a SQLAlchemy URL.

    Raises:
        LookupError: the registry has no such view.
        OSError, sqlalchemy.exc.SQLAlchemyError: the registry can't be read.
    """
    features = {view.spec.name: [feature.name for feature in view.spec.features] for view in _read(registry)}
    if missing := [view for view in views if view not in features]:
        raise LookupError(f"it has no view {missing[0]}")
    return {view: features[view] for view in views}


def _read(registry: str) -> Iterable[FeatureView]:
    if is_file(registry) or registry.startswith(FILE_URLS):
        with open_binary(registry) as file:
            content = Registry.FromString(file.read())
        return [view for view in content.feature_views if view.spec.project == FEAST_PROJECT]
    engine = sqlalchemy.create_engine(registry, poolclass=sqlalchemy.NullPool)
    query = sqlalchemy.text("SELECT feature_view_proto FROM feature_views WHERE project_id = :project")
    with engine.connect() as connection:
        rows = connection.execute(query, {"project": FEAST_PROJECT}).scalars().all()
    return [FeatureView.FromString(bytes(row)) for row in rows]
