"""dagwright: define data assets and jobs in Python, run, schedule and observe them.

Everything that users write is a name of this package: `import dagwright as dg`. The names are loaded when they are
first used, so that importing the package costs little; `_EXPORTS` says where each lives.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

__version__ = "0.1.0"

_MODULES = {
    # What users write.
    "dagwright.authoring.asset_sensors": (
        "AssetSensorDefinition MultiAssetSensorDefinition MultiAssetSensorEvaluationContext asset_sensor "
        "build_multi_asset_sensor_context multi_asset_sensor"
    ),
    "dagwright.authoring.assets": "asset",
    "dagwright.authoring.assets_definition": "AssetsDefinition",
    "dagwright.authoring.automation": "AutomationCondition",
    "dagwright.authoring.automation_older": "AutoMaterializePolicy AutoMaterializeRule",
    "dagwright.authoring.automation_sensors": "AutomationConditionSensorDefinition",
    "dagwright.authoring.config_files": "config_from_files config_from_pkg_resources config_from_yaml_strings",
    "dagwright.authoring.freshness_sensor": "build_sensor_for_freshness_checks",
    "dagwright.authoring.check_factories": (
        "build_column_schema_change_checks build_last_update_freshness_checks build_metadata_bounds_checks "
        "build_time_partition_freshness_checks"
    ),
    "dagwright.authoring.checks": "AssetChecksDefinition asset_check multi_asset_check",
    "dagwright.authoring.code_references": (
        "AnchorBasedFilePathMapping CodeReferencesMetadataValue FilePathMapping LocalFileCodeReference UrlCodeReference "
        "link_code_references_to_git with_source_code_references"
    ),
    "dagwright.authoring.config": "Config EnvVar PermissiveConfig RunConfig",
    "dagwright.authoring.config_mapping": "ConfigMapping config_mapping",
    "dagwright.authoring.config_schema": (
        "Any Array Bool BoolSource Enum EnumValue Field Float Int IntSource Map Noneable Permissive ScalarUnion Selector Shape "
        "String StringSource"
    ),
    "dagwright.authoring.configured": "configured",
    "dagwright.authoring.definitions": "Definitions definitions",
    "dagwright.authoring.executors": (
        "Executor ExecutorDefinition ExecutorRequirement InitExecutorContext StepAttempt asyncio_executor dask_executor executor "
        "in_process_executor multi_or_in_process_executor multiple_process_executor_requirements multiprocess_executor threads_executor"
    ),
    "dagwright.authoring.event_types": "EventType",
    "dagwright.authoring.external_assets": "SourceAsset external_asset external_asset_from_spec external_assets_from_specs",
    "dagwright.authoring.freshness": "FreshnessPolicy apply_freshness_policy",
    "dagwright.authoring.graph_assets": "graph_asset graph_multi_asset",
    "dagwright.authoring.graphs": "GraphDefinition GraphIn GraphOut graph",
    "dagwright.authoring.hooks": "HookDefinition failure_hook success_hook",
    "dagwright.authoring.instance": (
        "AssetRecordsFilter EventRecordsFilter EventRecordsResult Instance RunStatusChangeRecordsFilter instance_for_test"
    ),
    "dagwright.authoring.instance_assets": "AssetCheckExecutionRecord AssetPartitionStatus AssetRecord",
    "dagwright.authoring.instance_events": "AssetCheckEvaluation Event EventLogEntry EventLogRecord",
    "dagwright.authoring.instance_runs": "RunRecord RunView RunsFilter",
    "dagwright.authoring.inventory": "AssetValueLoader",
    "dagwright.authoring.io_managers": (
        "ConfigurableIOManager ConfigurableIOManagerFactory ConfigurableLegacyIOManagerAdapter IOManager IOManagerDefinition InputManager "
        "InputManagerDefinition input_manager io_manager"
    ),
    "dagwright.authoring.jobs": "JobDefinition UnresolvedAssetJobDefinition define_asset_job job",
    "dagwright.authoring.loggers": (
        "InitLoggerContext JsonLogFormatter LoggerDefinition build_init_logger_context colored_console_logger default_loggers "
        "json_console_logger logger"
    ),
    "dagwright.authoring.mappings": (
        "AllPartitionMapping DimensionPartitionMapping IdentityPartitionMapping LastPartitionMapping MultiPartitionMapping "
        "MultiToSingleDimensionPartitionMapping PartitionMapping SpecificPartitionsPartitionMapping StaticPartitionMapping "
        "TimeWindowPartitionMapping"
    ),
    "dagwright.authoring.module_definitions": (
        "load_definitions_from_current_module load_definitions_from_module load_definitions_from_modules "
        "load_definitions_from_package_module load_definitions_from_package_name"
    ),
    "dagwright.authoring.modules": (
        "load_asset_checks_from_current_module load_asset_checks_from_modules load_asset_checks_from_package_module "
        "load_asset_checks_from_package_name load_assets_from_current_module load_assets_from_modules "
        "load_assets_from_package_module load_assets_from_package_name map_asset_specs"
    ),
    "dagwright.authoring.multi_assets": "multi_asset",
    "dagwright.authoring.node_graphs": (
        "DependencyDefinition DynamicCollectDependencyDefinition InputMapping MultiDependencyDefinition NodeInvocation OutputMapping"
    ),
    "dagwright.authoring.observables": "multi_observable_source_asset observable_source_asset",
    "dagwright.authoring.ops": "DynamicOut In Nothing OpDefinition Out op",
    "dagwright.authoring.partitioned_config": (
        "PartitionedConfig daily_partitioned_config dynamic_partitioned_config hourly_partitioned_config monthly_partitioned_config "
        "partitioned_config static_partitioned_config weekly_partitioned_config"
    ),
    "dagwright.authoring.partition_moment": "partition_loading_context",
    "dagwright.authoring.partitions": (
        "AddDynamicPartitionsRequest DeleteDynamicPartitionsRequest DynamicPartitionsDefinition MultiPartitionKey "
        "MultiPartitionsDefinition PartitionKeyRange PartitionsDefinition StaticPartitionsDefinition TimeWindow"
    ),
    "dagwright.authoring.policies": "BackfillPolicy Backoff Failure Jitter RetryPolicy RetryRequested backoff",
    "dagwright.authoring.repositories": (
        "BindResourcesToJobs ReconstructableJob build_reconstructable_job file_relative_path reconstructable repository with_resources"
    ),
    "dagwright.authoring.requests": "RunRequest SkipReason",
    "dagwright.authoring.resource_building": "build_init_resource_context build_resources",
    "dagwright.authoring.resources": (
        "ConfigurableResource ConfigurableResourceFactory InitResourceContext ResourceDefinition ResourceDependency ResourceParam "
        "make_values_resource resource"
    ),
    "dagwright.authoring.results": (
        "AssetCheckResult AssetCheckSeverity AssetMaterialization AssetObservation DataVersion DataVersionsByPartition "
        "DynamicOutput ExpectationResult MaterializeResult ObserveResult Output"
    ),
    "dagwright.authoring.run_sensors": (
        "CodeLocationSelector JobSelector RepositorySelector RunFailureSensorContext RunStatusSensorContext "
        "RunStatusSensorDefinition build_run_status_sensor_context make_email_on_run_failure_sensor run_failure_sensor "
        "run_status_sensor"
    ),
    "dagwright.authoring.schedules": (
        "DefaultScheduleStatus ScheduleDefinition ScheduleEvaluationContext build_schedule_context "
        "build_schedule_from_partitioned_job schedule"
    ),
    "dagwright.authoring.scoped_resources": "UnknownResourceError",
    "dagwright.authoring.selections": "AssetSelection",
    "dagwright.authoring.sensor_results": "SensorResult SensorReturnTypesUnion",
    "dagwright.authoring.sensors": "DefaultSensorStatus SensorDefinition SensorEvaluationContext build_sensor_context sensor",
    "dagwright.authoring.specs": "AssetCheckSpec AssetDep AssetIn AssetOut AssetSpec",
    "dagwright.authoring.table_metadata": "TableMetadataSet",
    "dagwright.authoring.tag_names": (
        "ASSET_PARTITION_RANGE_END_TAG ASSET_PARTITION_RANGE_START_TAG DATA_VERSION_TAG MAX_RUNTIME_SECONDS_TAG "
        "MULTIPARTITION_KEY_DELIMITER PARTITION_NAME_TAG"
    ),
    "dagwright.authoring.time_partitions": (
        "DailyPartitionsDefinition HourlyPartitionsDefinition MonthlyPartitionsDefinition ScheduleType "
        "TimeWindowPartitionsDefinition WeeklyPartitionsDefinition"
    ),
    "dagwright.authoring.type_loaders": "TypeLoader dagster_type_loader",
    "dagwright.authoring.value_types": (
        "Dict List Optional PythonClassType Set Tuple TypeCheck TypeCheckError ValueType check_dagster_type "
        "make_python_type_usable_as_dagster_type usable_as_dagster_type"
    ),
    "dagwright.authoring.warning_classes": "BetaWarning ConfigArgumentWarning PreviewWarning SupersessionWarning",
    "dagwright.authoring.webhooks": (
        "WebhookDelivery WebhookSensorDefinition WebhookSensorEvaluationContext build_webhook_sensor_context webhook_sensor"
    ),
    # Values that every process knows.
    "dagwright_shared.model.errors": "DagwrightError DefinitionError InvalidRequestError NotFoundError SubsetError UserCodeError",
    "dagwright_shared.model.keys": "AssetCheckKey AssetKey AssetOrCheckKey",
    "dagwright_shared.model.metadata": (
        "AssetMetadataValue BoolMetadataValue FloatMetadataValue IntMetadataValue JobMetadataValue JsonMetadataValue "
        "MarkdownMetadataValue MetadataValue NotebookMetadataValue NullMetadataValue ObjectMetadataValue PathMetadataValue "
        "PythonArtifactMetadataValue RunMetadataValue TableColumn TableColumnConstraints TableColumnDep TableColumnLineage "
        "TableColumnLineageMetadataValue TableConstraints TableMetadataValue TableRecord TableSchema TableSchemaMetadataValue "
        "TextMetadataValue TimestampMetadataValue UrlMetadataValue normalize_metadata"
    ),
    "dagwright_shared.model.runs": "RunStatus",
    # Running: contexts, IO managers, tests.
    "dagwright.components.assets": "AssetAttributesModel ResolvedAssetCheckSpec ResolvedAssetKey ResolvedAssetSpec",
    "dagwright.components.component_class": "Component ComponentTypeSpec component component_instance template_var",
    "dagwright.components.errors": "ComponentError",
    "dagwright.components.executable": "FunctionComponent PythonScriptComponent UvRunComponent",
    "dagwright.components.folder": "ComponentLoadContext ComponentPath ComponentTree DefinitionsComponent DefsFolderComponent",
    "dagwright.components.project": "build_component_defs build_defs_for_component load_defs load_from_defs_folder",
    "dagwright.components.resolution": "ResolutionContext",
    "dagwright.components.resolved": "Resolvable",
    "dagwright.components.resolver": "Injected Model Resolver",
    "dagwright.components.scaffold": "ScaffoldRequest Scaffolder scaffold_component scaffold_with",
    "dagwright.components.sql": "SqlComponent TemplatedSqlComponent",
    "dagwright.components.state": "StateBackedComponent",
    "dagwright.components.testing": "component_defs get_all_components_defs_within_project get_component_defs_within_project",
    "dagwright.execution.building": (
        "InvocationError build_asset_check_context build_asset_context build_input_context build_op_context build_output_context"
    ),
    "dagwright.execution.compute": "OutputError",
    "dagwright.execution.contexts": "AssetCheckExecutionContext AssetExecutionContext OpExecutionContext",
    "dagwright.execution.hooks": "HookContext build_hook_context",
    "dagwright.execution.io_contexts": "InputContext OutputContext",
    "dagwright.execution.io_managers": "FilesystemIOManager InMemoryIOManager fs_io_manager mem_io_manager",
    "dagwright.execution.logs": "EventLogger get_dagster_logger",
    "dagwright.execution.path_io": "UPathIOManager",
    "dagwright.authoring.partition_subsets": "PartitionsSubset UpstreamPartitionsResult",
    "dagwright.execution.partition_view": "PartitionError",
    "dagwright.execution.resources": "ResourceError",
    "dagwright.execution.table_io": "DbClient DbIOManager DbTypeHandler TablePartitionDimension TableSlice partition_where_clause",
    "dagwright.execution.versions": "DataProvenance",
    "dagwright.job_execution": "JobExecutionResult ReexecutionOptions execute_job",
    "dagwright.libraries.environment": "environ",
    "dagwright.libraries.merging": "merge_dicts",
    "dagwright.libraries.registry": "LibraryRegistry",
    "dagwright.libraries.serdes": "SerializationError deserialize_value serialize_value whitelist_for_serdes",
    "dagwright.libraries.temporary_files": "safe_tempfile_path",
    "dagwright.pipes.client": "PipesClient PipesClientCompletedInvocation PipesSubprocessClient",
    "dagwright.pipes.injectors": "PipesEnvContextInjector PipesFileContextInjector PipesTempFileContextInjector",
    "dagwright.pipes.messages": "PipesExecutionResult PipesMessageHandler",
    "dagwright.pipes.ports": "PipesContextInjector PipesLaunchedData PipesLogReader PipesMessageReader",
    "dagwright.pipes.protocol": "PipesError PipesExecutionError",
    "dagwright.pipes.readers": "PipesBlobStoreMessageReader PipesCompositeMessageReader PipesFileMessageReader PipesTempFileMessageReader",
    "dagwright.pipes.session": "PipesSession open_pipes_session",
    "dagwright.planning.validation": "validate_run_config",
    "dagwright.automation_trial": "EvaluateAutomationConditionsResult evaluate_automation_conditions",
    "dagwright.testing": "ExecuteInProcessResult materialize materialize_to_memory",
    "dagwright.trial": "TestInstance TrialTick",
}
_EXPORTS = {name: module for module, names in _MODULES.items() for name in names.split()}

_ALIASES = {
    # Names that carry Dagster's brand, and the plain noun that each stands for here.
    "CheckError": "DagwrightError",
    "DagsterAssetMetadataValue": "AssetMetadataValue",
    "DagsterConfigMappingFunctionError": "UserCodeError",
    "DagsterError": "DagwrightError",
    "DagsterEventLogInvalidForRun": "DagwrightError",
    "DagsterExecutionStepExecutionError": "UserCodeError",
    "DagsterExecutionStepNotFoundError": "InvalidRequestError",
    "DagsterInvalidConfigDefinitionError": "DefinitionError",
    "DagsterInvalidConfigError": "InvalidRequestError",
    "DagsterInvalidDefinitionError": "DefinitionError",
    "DagsterInvalidInvocationError": "InvocationError",
    "DagsterInvalidSubsetError": "SubsetError",
    "DagsterInvariantViolationError": "DagwrightError",
    "DagsterPipesError": "PipesError",
    "DagsterLibraryRegistry": "LibraryRegistry",
    "DagsterLogManager": "EventLogger",
    "DagsterPipesExecutionError": "PipesExecutionError",
    "RepositoryDefinition": "Definitions",
    "DagsterResourceFunctionError": "ResourceError",
    "DagsterRunNotFoundError": "NotFoundError",
    "DagsterStepOutputNotFoundError": "OutputError",
    "DagsterUnknownPartitionError": "InvalidRequestError",
    "DagsterUnknownResourceError": "UnknownResourceError",
    "DagsterUnmetExecutorRequirementsError": "DefinitionError",
    "DagsterEvent": "Event",
    "DagsterEventType": "EventType",
    "DagsterInstance": "Instance",
    "DagsterJobMetadataValue": "JobMetadataValue",
    "DagsterRun": "RunView",
    "DagsterRunMetadataValue": "RunMetadataValue",
    "DagsterRunStatus": "RunStatus",
    "LegacyFreshnessPolicy": "FreshnessPolicy",
    "DagsterType": "ValueType",
    "DagsterTypeCheckDidNotPass": "TypeCheckError",
    "DagsterTypeCheckError": "TypeCheckError",
    "DagsterTypeLoader": "TypeLoader",
    "DagsterTypeLoaderContext": "OpExecutionContext",
    "TypeCheckContext": "OpExecutionContext",
    "DagsterUserCodeExecutionError": "UserCodeError",
    "PythonObjectDagsterType": "PythonClassType",
}

_PACKAGES = ("components",)
"""Reached as attributes too: `dg.components.load_defs`."""

__all__ = sorted([*_EXPORTS, *_ALIASES, "__version__"])  # noqa: PLE0605 - computed from the table


def __getattr__(name: str) -> Any:
    plain = _ALIASES.get(name, name)
    module = _EXPORTS.get(plain)
    if name in _PACKAGES:
        return importlib.import_module(f"dagwright.{name}")
    if module is None:
        from dagwright.missing_names import error  # noqa: PLC0415 - only for a name that is not there

        raise error(name, __all__, sys._getframe(1))
    value = getattr(importlib.import_module(module), plain)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
