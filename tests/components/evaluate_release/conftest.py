"""Two ring data sets, built once."""

from typing import Any

import pytest

from tests.components.evaluate_release.ring_world import World, build_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A run whose model and filters predict the next item."""
    return build_world(tmp_path_factory.mktemp("world"), step=1)


@pytest.fixture(scope="session")
def wrong_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A run whose model and filters predict an item far away."""
    return build_world(tmp_path_factory.mktemp("wrong_world"), step=17)


@pytest.fixture(scope="session")
def blend(world: World) -> dict[str, Any]:
    """The blend fitted on `world`."""
    from components.evaluate_release.blend.blend_fit import fit_blend
    from components.evaluate_release.data.held_out import HeldOut
    from components.evaluate_release.evaluation import assemble
    from components.evaluate_release.models.served_ranking import ServedRanking
    from components.saved_model import SavedInterestModel
    from feature_repo.feedback import FeedbackPolicy

    ranking = assemble(world.interest_model, world.filters, world.items)
    validation = HeldOut.read(world.training_set, ranking.catalog, FeedbackPolicy()).validation
    with SavedInterestModel(world.interest_model / "saved_model") as model:
        examples = ServedRanking(ranking, validation, model.interest(validation.histories)).examples()
    return fit_blend(examples.features, examples.targets)
