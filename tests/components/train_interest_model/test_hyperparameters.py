"""Hyperparameters: invalid values, and the values chosen from the data, for refits and warm starts."""

import math

import pytest

from components.errors import StepError
from components.train_interest_model.auto_hyperparameters import Statistics, resolve
from components.train_interest_model.continued_training import for_refit
from components.train_interest_model.hyperparameters import AUTO, Hyperparameters

DENSE = Statistics(interactions=1_000_000, windows=9_000, items=3_400, mean_length=111, repeat_share=0)


def test_from_dict_casts_floats_to_the_fields_types() -> None:
    settings = Hyperparameters.from_dict(
        {"units": 64.0, "dropout": 0, "use_content": False, "epochs": "auto"}
    )
    assert (settings.units, settings.dropout, settings.use_content) == (64, 0.0, False)
    assert isinstance(settings.units, int)
    assert isinstance(settings.dropout, float)
    assert settings.epochs == AUTO


def test_from_dict_inverts_to_dict() -> None:
    settings = Hyperparameters(encoder="gru", units=32)
    assert Hyperparameters.from_dict(settings.to_dict()) == settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"unit": 64}, "unknown hyperparameter 'unit': allowed are encoder, embedding_size, units"),
        ({"encoder": "transformer"}, "encoder must be one of lstm, gru, rnn, cnn, got 'transformer'"),
        ({"units": 1.5}, "units must be a whole number, got 1.5"),
        ({"units": "many"}, "units must be a number, got 'many'"),
        ({"dropout": 1}, "dropout must be a share from 0 to below 1, got 1"),
        ({"refit_epoch_share": 1.5}, "refit_epoch_share must be a share from 0 to 1, got 1.5"),
        ({"epochs": 0}, "epochs must be above 0, got 0"),
        ({"learning_rate": -0.1}, "learning_rate must be above 0, got -0.1"),
        ({"learning_rate": math.nan}, "learning_rate must be a finite number, got nan"),
        ({"epochs": math.inf}, "epochs must be a finite number, got inf"),
        ({"xla": "yes"}, "xla must be true or false, got 'yes'"),
    ],
)
def test_an_invalid_value_raises_with_the_allowed_ones(values: dict[str, object], message: str) -> None:
    with pytest.raises(StepError) as raised:
        Hyperparameters.from_dict(values)
    assert message in str(raised.value)


def test_resolve_chooses_all_auto_values_with_reasons() -> None:
    settings, reasons = resolve(Hyperparameters(units=48), DENSE)
    assert settings.units == 48
    assert "units" not in reasons
    assert AUTO not in settings.to_dict().values()
    assert "auto" not in settings.to_dict().values()
    assert settings.loss == "full"
    assert "3,400 items" in reasons["loss"]


def test_resolve_chooses_sampled_softmax_for_many_items_and_keeps_seen_items_for_many_repeats() -> None:
    large = Statistics(interactions=10**7, windows=10**6, items=10**6, mean_length=10, repeat_share=0.4)
    settings, _ = resolve(Hyperparameters(), large)
    assert (settings.loss, settings.seen_items) == ("sampled", "keep")
    assert settings.embedding_precision == "float16"
    assert resolve(Hyperparameters(), DENSE)[0].embedding_precision == "float32"


@pytest.mark.parametrize(
    ("interactions", "items", "loss"),
    [
        (80_000, 14_000, "part"),
        (80_000, 4_500, "full"),  # the part would be most of them
        (80_000, 2_000, "full"),  # 40 per item
        (180_000, 12_000, "full"),  # many
        (400_000, 200_000, "sampled"),
    ],
)
def test_sparse_data_of_many_items_have_a_part_of_them_in_a_softmax(
    interactions: int, items: int, loss: str
) -> None:
    data = Statistics(interactions, windows=900, items=items, mean_length=50, repeat_share=0)
    assert resolve(Hyperparameters(), data)[0].loss == loss


def test_few_interactions_are_read_less_often_with_a_higher_learning_rate() -> None:
    few = Statistics(interactions=45_000, windows=900, items=1_700, mean_length=50, repeat_share=0)
    few_settings, many_settings = (resolve(Hyperparameters(), data)[0] for data in (few, DENSE))
    assert few_settings.learning_rate > many_settings.learning_rate
    assert few_settings.epochs < many_settings.epochs
    assert (few_settings.batch_size, many_settings.batch_size) == (1_280, 6_400)


@pytest.mark.parametrize(("interactions", "epochs"), [(20_000, 10), (35_000, 7), (80_000, 6)])
def test_a_softmax_over_a_part_has_fewer_epochs_at_a_higher_learning_rate(
    interactions: int, epochs: int
) -> None:
    part, full = (
        resolve(Hyperparameters(), Statistics(interactions, 900, items, mean_length=50, repeat_share=0))[0]
        for items in (14_000, 2_000)
    )
    assert (part.loss, full.loss) == ("part", "full")
    assert (part.epochs, part.learning_rate, part.dropout) == (epochs, 0.02, 0.2)
    assert (full.epochs > epochs, full.learning_rate, full.dropout) == (True, 0.01, 0.3)


@pytest.mark.parametrize("items", [14_000, 2_000])
def test_epochs_learning_rate_and_dropout_follow_the_loss_that_a_person_sets(items: int) -> None:
    data = Statistics(80_000, 900, items, mean_length=50, repeat_share=0)
    full, part, sampled = (
        resolve(Hyperparameters(loss=loss), data)[0] for loss in ("full", "part", "sampled")
    )
    assert (part.epochs, part.learning_rate, part.dropout) == (6, 0.02, 0.2)
    for other in (full, sampled):
        assert (other.epochs, other.learning_rate, other.dropout) == (8, 0.01, 0.3)


@pytest.mark.parametrize(
    ("interactions", "items", "members"),
    [
        (150_000, 12_000, 4),  # sparse: 13 interactions per item
        (400_000, 30_000, 2),  # sparse, but four would take more than half an hour
        (45_000, 1_700, 1),  # 26 per item
        (900_000, 80_000, 1),  # many
        (400_000, 200_000, 1),  # sampled softmax
    ],
)
def test_sparse_data_have_several_members_where_time_permits(
    interactions: int, items: int, members: int
) -> None:
    data = Statistics(interactions, windows=900, items=items, mean_length=50, repeat_share=0)
    assert resolve(Hyperparameters(), data)[0].members == members


def test_seen_items_are_negatives_where_interactions_per_item_are_few() -> None:
    sparse = Statistics(interactions=45_000, windows=900, items=4_000, mean_length=50, repeat_share=0)
    chosen = [resolve(Hyperparameters(), data)[0].seen_negatives for data in (sparse, DENSE)]
    assert chosen == ["on", "off"]


@pytest.mark.parametrize(
    ("items", "repeat_share", "chosen"),
    [
        (3_400, 0.0, (128, "projected", 256, 20)),
        (3_400, 0.4, (64, "off", 256, 30)),  # repeats
        (80_000, 0.0, (64, "on", 256, 30)),  # 12 per item
        (3_400_000, 0.0, (64, "on", 256, 30)),
    ],
)
def test_many_interactions_per_item_have_wide_vectors_and_a_projected_history(
    items: int, repeat_share: float, chosen: tuple[int, str, int, int]
) -> None:
    data = Statistics(1_000_000, windows=9_000, items=items, mean_length=111, repeat_share=repeat_share)
    settings, _ = resolve(Hyperparameters(), data)
    assert (settings.embedding_size, settings.history_mean, settings.units, settings.epochs) == chosen


@pytest.mark.parametrize(
    ("items", "repeat_share", "chosen"),
    [(3_400, 0.0, "off"), (3_400, 0.06, "on"), (3_400, 0.4, "on"), (80_000, 0.0, "on")],
)
def test_seen_items_are_negatives_with_few_interactions_per_item_or_with_repeats(
    items: int, repeat_share: float, chosen: str
) -> None:
    data = Statistics(1_000_000, windows=9_000, items=items, mean_length=111, repeat_share=repeat_share)
    assert resolve(Hyperparameters(), data)[0].seen_negatives == chosen


def test_items_start_from_factors_unless_interactions_are_many_or_few_per_item() -> None:
    few = Statistics(interactions=45_000, windows=900, items=1_700, mean_length=50, repeat_share=0)
    sparse = Statistics(interactions=45_000, windows=900, items=4_000, mean_length=50, repeat_share=0)
    starts = [resolve(Hyperparameters(), data)[0].item_start for data in (few, DENSE, sparse)]
    assert starts == ["factors", "random", "random"]


def test_the_length_of_windows_does_not_change_the_batch() -> None:
    short = Statistics(interactions=80_000, windows=20_000, items=15_000, mean_length=4, repeat_share=0)
    long = Statistics(interactions=80_000, windows=800, items=15_000, mean_length=100, repeat_share=0)
    assert resolve(Hyperparameters(), short)[0].batch_size == resolve(Hyperparameters(), long)[0].batch_size


def test_a_learning_rate_that_is_given_is_kept() -> None:
    few = Statistics(interactions=45_000, windows=900, items=1_700, mean_length=50, repeat_share=0)
    assert resolve(Hyperparameters(learning_rate=0.02), few)[0].learning_rate == 0.02


def test_a_refit_has_a_share_of_the_base_models_epochs() -> None:
    base, _ = resolve(Hyperparameters(), DENSE)
    settings, _ = for_refit(Hyperparameters(refit_epoch_share=0.2), base, 30, base.learning_rate)
    assert settings.epochs == 6
    assert settings.units == base.units
    assert settings.learning_rate == pytest.approx(0.3 * base.learning_rate)


def test_a_refit_is_longer_with_few_interactions_per_item() -> None:
    sparse = Statistics(interactions=45_000, windows=900, items=4_000, mean_length=50, repeat_share=0)
    base, _ = resolve(Hyperparameters(), sparse)
    settings, reasons = for_refit(Hyperparameters(), base, 8, 0.02)
    assert (settings.epochs, settings.learning_rate) == (5, 0.02)
    assert reasons["epochs"] == "0.6 x the 8 epochs of a cold start"
    dense, _ = resolve(Hyperparameters(), DENSE)
    assert for_refit(Hyperparameters(), dense, 20, 0.003)[0].epochs == 3


def test_a_refit_has_the_base_models_compression_unless_requested_otherwise() -> None:
    base, _ = resolve(Hyperparameters(embedding_precision="int8", pruning=0.5), DENSE)
    unchanged, _ = for_refit(Hyperparameters(), base, 30, 0.003)
    assert (unchanged.embedding_precision, unchanged.pruning) == ("int8", 0.5)
    requested, _ = for_refit(Hyperparameters(embedding_precision="float16", pruning=0.25), base, 30, 0.003)
    assert (requested.embedding_precision, requested.pruning) == ("float16", 0.25)


def test_a_refit_with_another_shape_raises() -> None:
    base, _ = resolve(Hyperparameters(units=32), DENSE)
    with pytest.raises(StepError, match="units = 64 but the base model has 32"):
        for_refit(Hyperparameters(units=64), base, 10, 0.003)
