"""Entry point of Feast's command line: `feast apply` collects the objects that this module defines."""

from pathlib import Path

from feature_repo.feature_views import feast_objects

_HOME = Path(__file__).parents[1] / ".penchant"

user, history, profile, interest_state, training, serving = feast_objects(f"{_HOME}/warehouse/features")
