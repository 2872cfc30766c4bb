"""Entry point of Feast's command line: `feast apply` collects the objects that this module defines."""

from pathlib import Path

from feature_repo.features import feast_objects

_HOME = Path(__file__).parents[1] / ".penchant"

globals().update({f"{o.name}_{type(o).__name__}": o for o in feast_objects(f"{_HOME}/warehouse/features")})
