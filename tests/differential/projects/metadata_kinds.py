"""Each kind of metadata."""

import dagster as dg

V = dg.MetadataValue


@dg.asset
def everything():
    schema = dg.TableSchema(
        columns=[
            dg.TableColumn("id", "int", description="key", constraints=dg.TableColumnConstraints(nullable=False, unique=True)),
            dg.TableColumn("name"),
        ],
        constraints=dg.TableConstraints(other=["id > 0"]),
    )
    return dg.MaterializeResult(
        metadata={
            "int": 1,
            "float": 1.5,
            "text": "words",
            "bool": True,
            "none": None,
            "dict": {"a": [1, {"b": None}]},
            "list": [1, 2],
            "key": dg.AssetKey(["a", "b"]),
            "md": V.md("# head"),
            "json": V.json({"x": 1}),
            "url": V.url("http://x"),
            "path": V.path("/tmp/x"),
            "notebook": V.notebook("/tmp/x.ipynb"),
            "timestamp": V.timestamp(1700000000.0),
            "asset": V.asset(dg.AssetKey("other")),
            "python": V.python_artifact(dict),
            "null": V.null(),
            "columns": V.table_schema(schema),
        }
    )


def case_all():
    return dg.materialize([everything])


def case_table():
    table = V.table([dg.TableRecord({"a": 1, "b": "x"}), dg.TableRecord({"a": 2, "b": "y"})])
    return [(c.name, c.type) for c in table.schema.columns], [dict(r.data) for r in table.records]


def case_schema():
    schema = dg.TableSchema.from_name_type_dict({"a": "int", "b": "string"})
    return [(c.name, c.type, c.constraints.nullable, c.constraints.unique) for c in schema.columns]


def case_lineage():
    lineage = dg.TableColumnLineage({"a": [dg.TableColumnDep(asset_key=dg.AssetKey("up"), column_name="x")]})
    return {name: [(dep.asset_key, dep.column_name) for dep in deps] for name, deps in lineage.deps_by_column.items()}


def case_unsupported():
    @dg.asset
    def wrong():
        return dg.MaterializeResult(metadata={"object": object()})

    return dg.materialize([wrong], raise_on_error=False).success
