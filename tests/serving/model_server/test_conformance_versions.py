"""Changes of versions, labels and configurations at run time, as in TensorFlow Serving."""

import shutil
from collections.abc import Callable

import grpc
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest

from tests.patience import HANG_S
from tests.serving.model_server.served_model import AVAILABLE, END, ServedModel, fails
from tests.serving.model_server.tiny_model import predict_request, sequences, write_warmup

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


def test_the_newest_version_is_the_default(model: ServedModel) -> None:
    model.publish(2, scale=2.0)
    model.wait_for(2, AVAILABLE)

    assert model.interest() == [2.0, 2.0]
    assert model.interest(version=2) == [2.0, 2.0]
    assert model.interest(version=1) == [1.0, 1.0]


def test_latest_unloads_the_oldest_version_once_the_new_one_is_loaded(model: ServedModel) -> None:
    model.publish(2, scale=2.0)
    model.publish(3, scale=2.0)

    model.wait_for(1, END)
    assert {version: status.state for version, status in model.statuses().items()} == {
        1: END,
        2: AVAILABLE,
        3: AVAILABLE,
    }
    with fails(NOT_FOUND, f"Specific({model.name}, 1)"):
        model.interest(version=1)


def test_status_lists_the_newest_version_first(model: ServedModel) -> None:
    model.publish(2)
    model.wait_for(2, AVAILABLE)

    assert list(model.statuses()) == [2, 1]


def test_status_of_one_version(model: ServedModel) -> None:
    model.publish(2)
    model.wait_for(2, AVAILABLE)
    request = GetModelStatusRequest()
    request.model_spec.name = model.name
    request.model_spec.version.value = 1

    (status,) = model.client.models.GetModelStatus(request, timeout=HANG_S).model_version_status

    assert (status.version, status.state, status.status.error_code) == (1, AVAILABLE, 0)


def test_a_corrupt_version_ends_with_an_error_and_the_others_stay_available(model: ServedModel) -> None:
    staged = model.path / ".2.staged"
    shutil.copytree(model.release[1.0], staged)
    (staged / "saved_model.pb").write_bytes(b"no protobuf")
    staged.rename(model.path / "2")

    status = model.wait_for(2, END)
    assert status.status.error_code != 0
    assert status.status.error_message != ""
    assert model.interest() == [1.0, 1.0]


def test_a_corrupt_newest_version_does_not_unload_the_only_available_one(model: ServedModel) -> None:
    model.policy = {"latest": {"num_versions": 1}}
    model.reload()
    (model.path / "2").mkdir()

    model.wait_for(2, END)
    assert model.interest() == [1.0, 1.0]


def test_a_corrupt_version_that_is_replaced_under_a_new_number_is_served(model: ServedModel) -> None:
    (model.path / "2").mkdir()
    model.wait_for(2, END)

    model.publish(3, scale=2.0)

    model.wait_for(3, AVAILABLE)
    assert model.interest() == [2.0, 2.0]


def test_a_renamed_directory_is_another_version(model: ServedModel) -> None:
    (model.path / "1").rename(model.path / "5")

    model.wait_for(5, AVAILABLE)
    model.wait_for(1, END)
    assert model.interest() == [1.0, 1.0]


def test_removing_the_last_version_unloads_it(model: ServedModel) -> None:
    shutil.rmtree(model.path / "1")

    model.wait_for(1, END)
    with fails(NOT_FOUND, f"Servable not found for request: Latest({model.name})"):
        model.interest()


def test_a_restored_version_is_served_again(model: ServedModel) -> None:
    shutil.rmtree(model.path / "1")
    model.wait_for(1, END)

    model.publish(1, scale=2.0)

    model.wait_for(1, AVAILABLE)
    assert model.interest() == [2.0, 2.0]


def test_directory_names_must_be_numbers_and_may_have_leading_zeros(model: ServedModel) -> None:
    model.publish("draft")
    model.publish("007", scale=2.0)

    model.wait_for(7, AVAILABLE)
    assert set(model.statuses()) == {1, 7}


def test_a_failing_warmup_request_fails_the_load(model: ServedModel) -> None:
    staged = model.path / ".2.staged"
    shutil.copytree(model.release[1.0], staged)
    write_warmup(staged, [predict_request("tiny", sequences(["i1"]), "mood")])
    staged.rename(model.path / "2")

    status = model.wait_for(2, END).status
    assert status.error_code == PRECONDITION.value[0]
    assert 'Serving signature key "mood" not found.' in status.error_message


def test_a_specific_policy_serves_the_listed_versions(model: ServedModel) -> None:
    for version in (2, 3):
        model.publish(version, scale=2.0)
    model.policy = {"specific": {"versions": [1, 3]}}
    model.reload()

    model.wait_for(3, AVAILABLE)
    assert model.wait_for(1, AVAILABLE)
    model.policy = {"specific": {"versions": [2]}}
    model.reload()
    model.wait_for(2, AVAILABLE)
    model.wait_for(1, END)
    model.wait_for(3, END)


def test_the_policy_all_serves_every_version(model: ServedModel) -> None:
    model.policy = {"all": {}}
    model.reload()
    for version in (2, 3):
        model.publish(version)

    for version in (1, 2, 3):
        model.wait_for(version, AVAILABLE)


def test_the_default_policy_serves_the_latest_version(model: ServedModel) -> None:
    model.policy = {}
    model.reload()
    model.publish(2)

    model.wait_for(2, AVAILABLE)
    model.wait_for(1, END)


def test_labels_select_versions_and_can_be_moved(model: ServedModel) -> None:
    model.publish(2, scale=2.0)
    model.wait_for(2, AVAILABLE)

    model.reload(stable=1, canary=2)
    assert model.interest(label="stable") == [1.0, 1.0]
    assert model.interest(label="canary") == [2.0, 2.0]

    model.reload(stable=2)
    assert model.interest(label="stable") == [2.0, 2.0]
    with fails(INVALID, "Unrecognized servable version label: canary"):
        model.interest(label="canary")


def test_a_label_for_an_unavailable_version_is_rejected_without_effect(model: ServedModel) -> None:
    model.reload(stable=1)

    with fails(PRECONDITION, f"Request to assign label to version 9 of model {model.name}"):
        model.reload(stable=9)
    assert model.interest(label="stable") == [1.0, 1.0]


def test_a_reload_replaces_the_configuration(new_model: Callable[[], ServedModel]) -> None:
    one, other = new_model(), new_model()
    one.publish(1)
    other.publish(1, scale=2.0)

    one.client.reload(one.config(), other.config())
    assert (one.interest(), other.interest()) == ([1.0, 1.0], [2.0, 2.0])

    other.reload()
    one.wait_for(1, END)
    assert other.interest() == [2.0, 2.0]
    with fails(NOT_FOUND, f"Latest({one.name})"):
        one.interest()

    one.client.reload(one.config(), other.config())
    one.wait_for(1, AVAILABLE)
    assert one.interest() == [1.0, 1.0]


def test_a_reload_of_a_new_model_that_cannot_be_loaded_fails(new_model: Callable[[], ServedModel]) -> None:
    broken = new_model()
    (broken.path / "1").mkdir(parents=True)

    with fails(grpc.StatusCode.UNKNOWN, "Some models did not become available", broken.name):
        broken.reload()


def test_a_model_listed_twice_is_rejected(model: ServedModel) -> None:
    with fails(INVALID, f"Illegal to list model {model.name} multiple times in config list"):
        model.client.reload(model.config(), model.config())
    assert model.interest() == [1.0, 1.0]


def test_a_model_without_a_platform_is_rejected(model: ServedModel) -> None:
    config = model.config()
    config.model_platform = ""

    with fails(INVALID, "model_platform"):
        model.client.reload(config)


def test_a_reload_without_a_model_list_is_rejected(model: ServedModel) -> None:
    with fails(INVALID, "Only ModelConfigList is currently supported"):
        model.client.reload_request(ReloadConfigRequest())
