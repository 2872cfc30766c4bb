"""The compiled pipelines: the order of the steps, the gate, the exit handler, and each step's options."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2 as kubernetes
from kfp.pipeline_spec import pipeline_spec_pb2 as spec

from components.train_interest_model.workers.job_manifest import FIELDS, LABEL
from pipelines.compilation import compile_pipeline
from pipelines.promotion_pipeline import promotion
from pipelines.scheduled_pipeline import only_when_due
from pipelines.settings import Settings, load_settings
from pipelines.step_environment import MEMORY, VARIABLES
from pipelines.step_limits import REPORT_TIMEOUT_S
from pipelines.training_pipeline import training

IMAGE = "penchant/training:1.2.3-gpu"
GATED = "push-release"
REPORT = "report-run"

# Task -> the tasks it depends on.
EDGES = {
    "ingest-interactions": set(),
    "validate-interactions": {"ingest-interactions"},
    "build-features": {"ingest-interactions", "validate-interactions"},
    "materialize-features": {"ingest-interactions", "build-features"},
    "fetch-training-set": {"build-features"},
    "train-interest-model": {"ingest-interactions", "fetch-training-set"},
    "train-collaborative-filters": {"ingest-interactions", "fetch-training-set"},
    "evaluate-release": {
        "ingest-interactions",
        "validate-interactions",
        "fetch-training-set",
        "train-interest-model",
        "train-collaborative-filters",
    },
    "train-interest-model-2": {"ingest-interactions", "fetch-training-set", "train-interest-model"},
    "train-collaborative-filters-2": {"ingest-interactions", "fetch-training-set"},
    "register-release": {
        "ingest-interactions",
        "train-interest-model",
        "train-interest-model-2",
        "train-collaborative-filters-2",
        "evaluate-release",
    },
    "condition-2": {"materialize-features", "evaluate-release", "register-release"},
}


class Compiled:
    """A compiled pipeline, parsed with the schemas that Kubeflow uses."""

    def __init__(self, function: Any, settings: Settings, file: Path) -> None:
        compile_pipeline(function, settings, file)
        self.text = file.read_text()
        pipeline, *platform = yaml.load_all(self.text, yaml.CSafeLoader)
        self.spec = json_format.ParseDict(pipeline, spec.PipelineSpec())
        self.tasks: dict[str, Any] = {
            name: task
            for dag in (self.spec.root.dag, *(c.dag for c in self.spec.components.values()))
            for name, task in dag.tasks.items()
        }
        self.executors: dict[str, Any] = {
            name: json_format.ParseDict(executor, spec.PipelineDeploymentConfig.ExecutorSpec()).container
            for name, executor in pipeline["deploymentSpec"]["executors"].items()
        }
        self.on_kubernetes: dict[str, Any] = {
            name: json_format.ParseDict(executor, kubernetes.KubernetesExecutorConfig())
            for document in platform
            for name, executor in document["platforms"]["kubernetes"]["deploymentSpec"]["executors"].items()
        }

    def task(self, name: str) -> Any:
        return self.tasks[name]

    @property
    def steps(self) -> dict[str, Any]:
        """The tasks that are no groups of tasks."""
        groups = {name for name, component in self.spec.components.items() if component.HasField("dag")}
        return {name: task for name, task in self.tasks.items() if task.component_ref.name not in groups}


@pytest.fixture(scope="module")
def on_gpu(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    home = tmp_path_factory.mktemp("home")
    settings = load_settings(
        home=home,
        image=IMAGE,
        accelerator_count=2,
        training_cpu="6",
        training_memory="24Gi",
        secret_name="stores",
        volume_claim="home",
    )
    return Compiled(training, settings, home / "training.yaml")


@pytest.fixture(scope="module")
def cpu_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("home")
    return load_settings(home=home, accelerator_count=0, step_timeout_s=60, training_timeout_s=0)


@pytest.fixture(scope="module")
def on_cpu(cpu_settings: Settings) -> Compiled:
    return Compiled(training, cpu_settings, cpu_settings.home / "training.yaml")


def test_each_task_depends_on_the_tasks_that_it_reads(on_gpu: Compiled) -> None:
    tasks = on_gpu.spec.components["comp-exit-handler-1"].dag.tasks
    assert {name: set(task.dependent_tasks) for name, task in tasks.items()} == EDGES


def test_the_last_step_reports_how_all_others_ended(on_gpu: Compiled) -> None:
    assert set(on_gpu.spec.root.dag.tasks) == {"exit-handler-1", REPORT}
    report = on_gpu.task(REPORT)
    assert report.trigger_policy.strategy == report.trigger_policy.ALL_UPSTREAM_TASKS_COMPLETED
    assert report.inputs.parameters["status"].task_final_status.producer_task == "exit-handler-1"
    assert report.inputs.parameters["pipeline"].runtime_value.constant.string_value == "training"
    job_id = report.inputs.parameters["job_id"].runtime_value.constant.string_value
    assert job_id == "{{$.pipeline_job_uuid}}"


def test_steps_with_something_to_report_write_it_where_the_last_step_reads_it(on_gpu: Compiled) -> None:
    for name in ("ingest-interactions", "register-release", GATED):
        parameters = on_gpu.task(name).inputs.parameters
        assert parameters["run_facts"].component_input_parameter == "pipelinechannel--run_facts"
        job_id = parameters["job_id"].runtime_value.constant.string_value
        assert job_id == "{{$.pipeline_job_uuid}}"


def test_a_schedule_that_is_not_due_is_not_reported(tmp_path: Path) -> None:
    compiled = Compiled(only_when_due(training), load_settings(home=tmp_path), tmp_path / "due.yaml")
    assert set(compiled.spec.root.dag.tasks) == {"exit-handler-1", REPORT}
    facts = compiled.task("check-schedule").inputs.parameters["run_facts"]
    assert facts.component_input_parameter == "pipelinechannel--run_facts"


def test_steps_have_the_time_limits_of_the_settings(on_cpu: Compiled) -> None:
    limits = {
        name.removeprefix("exec-"): config.active_deadline_seconds
        for name, config in on_cpu.on_kubernetes.items()
        if config.active_deadline_seconds
    }
    assert limits.pop(REPORT) == REPORT_TIMEOUT_S  # it reports that the others ran out of time
    assert {"ingest-interactions", "evaluate-release"} < limits.keys()
    assert set(limits.values()) == {60}
    assert "train-interest-model" not in limits


def test_every_task_except_ingestion_depends_on_validation() -> None:
    """So a failed validation stops the pipeline."""

    def ancestors(task: str) -> set[str]:
        return EDGES[task] | {ancestor for parent in EDGES[task] for ancestor in ancestors(parent)}

    independent = {task for task in EDGES if "validate-interactions" not in ancestors(task)}
    assert independent == {"ingest-interactions", "validate-interactions"}


def test_a_release_is_pushed_only_when_the_evaluation_says_so(on_gpu: Compiled) -> None:
    gate = on_gpu.task("condition-2")

    assert gate.task_info.name == "goes-live"
    assert gate.trigger_policy.condition == (
        "inputs.parameter_values['pipelinechannel--evaluate-release-Output'] == 'push'"
    )
    assert set(on_gpu.spec.components[gate.component_ref.name].dag.tasks) == {GATED}


def test_the_gate_reads_the_decision_of_the_evaluation(on_gpu: Compiled) -> None:
    gate = on_gpu.task("condition-2").inputs.parameters["pipelinechannel--evaluate-release-Output"]
    assert gate.task_output_parameter.producer_task == "evaluate-release"
    policy = on_gpu.task("evaluate-release").inputs.parameters["policy"]
    assert policy.component_input_parameter == "pipelinechannel--policy"
    pushed = on_gpu.task(GATED).inputs.parameters["version"]
    assert pushed.component_input_parameter == "pipelinechannel--register-release-Output"


def test_the_registered_parts_are_fitted_on_all_interactions(on_gpu: Compiled) -> None:
    inputs = on_gpu.task("register-release").inputs.artifacts
    for artifact, split in (("interest_model", "all"), ("collaborative_filters", "all")):
        producer = on_gpu.task(inputs[artifact].task_output_artifact.producer_task)
        assert producer.inputs.parameters["split"].runtime_value.constant.string_value == split
    evaluated = on_gpu.task("evaluate-release").inputs.artifacts["interest_model"].task_output_artifact
    fitted = on_gpu.task(evaluated.producer_task)
    assert fitted.inputs.parameters["split"].runtime_value.constant.string_value == "train"


def test_only_the_evaluated_model_may_start_from_the_live_release(on_gpu: Compiled) -> None:
    evaluated, refitted = (on_gpu.task(f"train-interest-model{suffix}").inputs for suffix in ("", "-2"))
    assert evaluated.parameters["releases"].component_input_parameter == "pipelinechannel--releases"
    assert "base_model" not in evaluated.artifacts
    assert "releases" not in refitted.parameters
    assert refitted.artifacts["base_model"].task_output_artifact.producer_task == "train-interest-model"


def test_every_step_runs_in_the_image_with_the_secret_and_the_volume(on_gpu: Compiled) -> None:
    assert {container.image for container in on_gpu.executors.values()} == {IMAGE}
    assert set(on_gpu.on_kubernetes) == set(on_gpu.executors)
    for config in on_gpu.on_kubernetes.values():
        (secret,) = config.secret_as_volume
        assert (secret.secret_name, secret.mount_path) == ("stores", "/etc/penchant")
        (volume,) = config.pvc_mount
        assert volume.constant == "home"


def test_only_training_steps_request_accelerators(on_gpu: Compiled) -> None:
    requesting = {name for name, c in on_gpu.executors.items() if c.HasField("resources")}
    assert requesting == {"exec-train-interest-model", "exec-train-interest-model-2"}
    for name in requesting:
        resources = on_gpu.executors[name].resources
        assert resources.accelerator.resource_type == "nvidia.com/gpu"
        assert resources.accelerator.resource_count == "2"
        assert resources.resource_cpu_limit == "6"
        assert resources.resource_memory_limit == "24Gi"


def test_training_steps_have_what_their_other_workers_need(on_gpu: Compiled) -> None:
    labelled = {name for name, config in on_gpu.on_kubernetes.items() if config.pod_metadata.labels}
    assert labelled == {"exec-train-interest-model", "exec-train-interest-model-2"}
    for name in labelled:
        config = on_gpu.on_kubernetes[name]
        assert dict(config.pod_metadata.labels) == dict([LABEL])
        assert {field.name: field.field_path for field in config.field_path_as_env} == FIELDS
        parameters = on_gpu.task(name.removeprefix("exec-")).inputs.parameters
        assert parameters["workers"].component_input_parameter == "pipelinechannel--training_workers"
        assert parameters["warehouse"].component_input_parameter == "pipelinechannel--warehouse"


def test_no_accelerator_is_requested_when_the_count_is_zero(on_cpu: Compiled) -> None:
    assert not any(c.resources.HasField("accelerator") for c in on_cpu.executors.values())
    for config in on_cpu.on_kubernetes.values():
        assert not config.secret_as_volume
        assert not config.pvc_mount


def test_every_step_is_retried(on_gpu: Compiled) -> None:
    assert GATED in on_gpu.steps
    for name, task in on_gpu.steps.items():
        assert task.retry_policy.max_retry_count == 2, name
        assert task.retry_policy.backoff_duration.seconds == 30, name


def test_steps_with_inputs_or_effects_outside_the_pipeline_are_not_cached(on_gpu: Compiled) -> None:
    uncached = {name for name, task in on_gpu.steps.items() if not task.caching_options.enable_cache}
    assert uncached == {"ingest-interactions", "materialize-features", "register-release", GATED, REPORT}


def test_steps_get_the_variables_of_their_libraries(on_gpu: Compiled) -> None:
    variables = {
        name.removeprefix("exec-"): {variable.name: variable.value for variable in container.env}
        for name, container in on_gpu.executors.items()
    }
    keras_3 = {"TF_USE_LEGACY_KERAS": "0", "KERAS_BACKEND": "tensorflow"}
    assert variables["train-interest-model"] == variables["train-interest-model-2"] == keras_3 | MEMORY
    assert {name: variables[name] for name in VARIABLES} == VARIABLES


def test_display_names_are_unique(on_gpu: Compiled) -> None:
    names = [task.task_info.name for task in on_gpu.tasks.values()]
    assert len(set(names)) == len(names)
    assert {"Train interest model", "Refit interest model", "Push release"} <= set(names)


def test_promotion_consists_of_the_push(tmp_path: Path) -> None:
    compiled = Compiled(promotion, load_settings(home=tmp_path, image=IMAGE), tmp_path / "p.yaml")
    assert set(compiled.steps) == {GATED, REPORT}
    assert not compiled.task(GATED).caching_options.enable_cache
    assert {container.image for container in compiled.executors.values()} == {IMAGE}


def test_compilation_is_deterministic(on_cpu: Compiled, cpu_settings: Settings, tmp_path: Path) -> None:
    compile_pipeline(training, cpu_settings, tmp_path / "again.yaml")
    assert (tmp_path / "again.yaml").read_text() == on_cpu.text
