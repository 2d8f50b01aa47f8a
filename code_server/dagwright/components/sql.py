"""Components that execute SQL."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import jinja2

from dagwright.authoring.results import MaterializeResult
from dagwright.components.assets import OpSpec
from dagwright.components.errors import ComponentError
from dagwright.components.executable import ExecutableComponent
from dagwright.components.folder import ComponentLoadContext
from dagwright.components.resolver import Model, Resolver


class SQLClient(ABC):
    """Something that executes SQL. Subclass it, or give any object with this method."""

    @abstractmethod
    def connect_and_execute(self, sql: str) -> None:
        """Execute the statements."""


class SqlComponent(ExecutableComponent):
    """Assets made by SQL. Subclasses say where it comes from.

    In YAML, `connection` is a template that gives a client: `"{{ context.load_component('connection') }}"`, or a template
    variable.
    """

    connection: Annotated[Any, Resolver(lambda _, value: value, model_field_type=str)]
    execution: OpSpec | None = None

    @abstractmethod
    def get_sql_content(self, context: Any, component_load_context: ComponentLoadContext) -> str:
        """The statements."""

    @abstractmethod
    def get_unique_name(self) -> str:
        """The op's name, where the execution gives none."""

    def execute(self, context: Any, component_load_context: ComponentLoadContext) -> None:
        """Execute the statements."""
        run = getattr(self.connection, "connect_and_execute", None)
        if run is None:
            raise ComponentError(
                f"{type(self).__name__}: connection is {self.connection!r}, which cannot execute SQL",
                mend="give an object with connect_and_execute(sql), by a template",
            )
        run(self.get_sql_content(context, component_load_context))

    @property
    def op_spec(self) -> OpSpec:
        given = self.execution or OpSpec()
        return given.model_copy(update={"name": given.name or self.get_unique_name()})

    def invoke_execute_fn(self, context: Any, component_load_context: ComponentLoadContext) -> Iterable[Any]:
        self.execute(context, component_load_context)
        return [MaterializeResult(asset_key=spec.key) for spec in self.assets or []]


class SqlFile(Model):
    """A file with SQL."""

    path: str


class TemplatedSqlComponent(SqlComponent):
    """Assets made by SQL with placeholders: `sql_template` is a text, or `{path: file.sql}`; `sql_template_vars` fills it in."""

    sql_template: Annotated[str | SqlFile, Resolver.passthrough(model_field_type=str | SqlFile)]
    sql_template_vars: Mapping[str, Any] | None = None

    def get_sql_content(self, context: Any, component_load_context: ComponentLoadContext) -> str:
        del context
        template = self.sql_template
        if isinstance(template, SqlFile):
            file = component_load_context.path / Path(template.path)
            if not file.is_file():
                raise ComponentError(f"there is no file {file}", mend="correct `path:`, which is relative to the defs.yaml")
            template = file.read_text(encoding="utf-8")
        environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
        try:
            return environment.from_string(template).render(**(self.sql_template_vars or {}))
        except jinja2.TemplateError as error:
            raise ComponentError(f"the SQL template cannot be filled in: {error}", mend="give the name in sql_template_vars") from None

    def get_unique_name(self) -> str:
        template = self.sql_template.path if isinstance(self.sql_template, SqlFile) else self.sql_template
        text = f"{template}:{sorted((self.sql_template_vars or {}).items())}"
        return "sql_" + hashlib.sha256(text.encode()).hexdigest()[:8]
