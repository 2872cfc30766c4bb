"""The model of saved weights."""

import numpy as np

from components.train_interest_model.export.saved_weights import SavedWeights
from components.train_interest_model.network.model import InterestModel
from tests.components.train_interest_model.conftest import World


def restored(saved: SavedWeights, cycle: World) -> InterestModel:
    content = np.zeros((len(cycle.item_ids), saved.content.size), np.float32)
    model = InterestModel(saved.hyperparameters, len(cycle.item_ids), saved.vocabulary.sizes, content)
    saved.assign_to(model, saved.vocabulary)
    return model
