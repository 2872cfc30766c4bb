import pytest

from components.errors import StepError
from components.train_interest_model.auto_hyperparameters import Statistics, refit, resolve
from components.train_interest_model.hyperparameters import AUTO, Hyperparameters

DENSE = Statistics(interactions=1_000_000, windows=9_000, items=3_400, mean_length=111, repeat_share=0)


def test_numbers_of_a_pipeline_become_the_types_they_stand_for() -> None:
    settings = Hyperparameters.from_dict(
        {"units": 64.0, "dropout": 0, "use_content": False, "epochs": "auto"}
    )
    assert (settings.units, settings.dropout, settings.use_content) == (64, 0.0, False)
    assert isinstance(settings.units, int)
    assert isinstance(settings.dropout, float)
    assert settings.epochs == AUTO


def test_what_was_written_is_read_back() -> None:
    settings = Hyperparameters(encoder="gru", units=32)
    assert Hyperparameters.from_dict(settings.to_dict()) == settings


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"unit": 64}, "unknown hyperparameter 'unit': allowed are encoder, embedding_size, units"),
        ({"encoder": "transformer"}, "encoder is one of lstm, gru, rnn, cnn, got 'transformer'"),
        ({"units": 1.5}, "units is a whole number, got 1.5"),
        ({"units": "many"}, "units is a number, got 'many'"),
        ({"dropout": 1}, "dropout is a share from 0 to below 1, got 1"),
        ({"epochs": 0}, "epochs is above 0, got 0"),
        ({"learning_rate": -0.1}, "learning_rate is above 0, got -0.1"),
        ({"xla": "yes"}, "xla is true or false, got 'yes'"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(given: dict[str, object], message: str) -> None:
    with pytest.raises(StepError) as raised:
        Hyperparameters.from_dict(given)
    assert message in str(raised.value)


def test_what_is_left_open_is_chosen_from_the_data_with_a_reason() -> None:
    settings, reasons = resolve(Hyperparameters(units=48), DENSE)
    assert settings.units == 48
    assert "units" not in reasons
    assert AUTO not in settings.to_dict().values()
    assert "auto" not in settings.to_dict().values()
    assert settings.loss == "full"
    assert "3,400 items" in reasons["loss"]


def test_a_large_catalog_gets_the_sampled_softmax_and_repeats_keep_seen_items() -> None:
    large = Statistics(interactions=10**7, windows=10**6, items=10**6, mean_length=10, repeat_share=0.4)
    settings, _ = resolve(Hyperparameters(), large)
    assert (settings.loss, settings.seen_items) == ("sampled", "keep")
    assert settings.embedding_precision == "float16"
    assert resolve(Hyperparameters(), DENSE)[0].embedding_precision == "float32"


def test_a_refit_takes_its_share_of_the_base_models_epochs() -> None:
    base, _ = resolve(Hyperparameters(), DENSE)
    settings, _ = refit(Hyperparameters(refit_epoch_share=0.2), base, base_epochs=30)
    assert settings.epochs == 6
    assert settings.units == base.units


def test_a_refit_serves_as_the_base_model_does_unless_it_is_told_otherwise() -> None:
    base, _ = resolve(Hyperparameters(embedding_precision="int8", pruning=0.5), DENSE)
    as_before, _ = refit(Hyperparameters(), base, base_epochs=30)
    assert (as_before.embedding_precision, as_before.pruning) == ("int8", 0.5)
    otherwise, _ = refit(Hyperparameters(embedding_precision="float16", pruning=0.25), base, base_epochs=30)
    assert (otherwise.embedding_precision, otherwise.pruning) == ("float16", 0.25)


def test_a_refit_refuses_another_shape_than_the_base_model_has() -> None:
    base, _ = resolve(Hyperparameters(units=32), DENSE)
    with pytest.raises(StepError, match="units = 64 but the base model has 32"):
        refit(Hyperparameters(units=64), base, base_epochs=10)
