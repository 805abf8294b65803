"""DuckDB as the engine: reads the pruned Parquet files of a Delta table, streams results into Delta."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from itertools import count
from typing import Final, cast

import duckdb
import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import polars as pl
import pyarrow as pa
import sqlglot
from deltalake import DeltaTable
from ibis.backends.sql.datatypes import DuckDBType
from sqlglot import exp
from typing_extensions import override

from reco_assets.platform.engine import Engine, Written, day_column, plain
from reco_assets.platform.lake import PARTITIONS, Lake, within
from reco_assets.platform.staging import Staged

#: Rows that come out of DuckDB at a time.
BATCH: Final = 65_536
#: Rows that are kept until they are written, a file for each of their days.
_HELD: Final = 2_000_000
#: Numbers that are sorted in memory, 16 bytes each, to find those that come again.
_SORTED: Final = 50_000_000

#: Spark's names of the functions in platform/engine.py, and the dates that both engines share.
_FUNCTIONS = """
    CREATE MACRO unix_micros(t) AS epoch_us(t);
    CREATE MACRO timestamp_micros(us) AS make_timestamptz(us);
    CREATE MACRO unix_date(d) AS CAST(d - DATE '1970-01-01' AS INTEGER);
    CREATE MACRO date_from_unix_date(n) AS DATE '1970-01-01' + n;
    CREATE MACRO xxhash64(s) AS CAST(hash(s) >> 1 AS BIGINT);
"""


class DuckDBEngine(Engine):
    """One in-memory DuckDB connection over a lake; it spills to disk beyond ``memory_gb``.

    Parameters
    ----------
    threads
        0 takes every core.
    """

    def __init__(self, lake: Lake, *, threads: int = 0, memory_gb: float = 4.0) -> None:
        self.lake = lake
        self._spill = tempfile.TemporaryDirectory(prefix="reco-spill-")
        options: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{memory_gb}GB",
            "temp_directory": self._spill.name,
            "preserve_insertion_order": False,
        }
        if threads:
            options["threads"] = threads
        self._connection = duckdb.connect(config=options)
        self._connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        self._connection.execute("SET produce_arrow_string_view = true")  # as Polars has it: not copied
        self._connection.execute(_FUNCTIONS)
        self._names = (f"source_{number}" for number in count())

    @override
    def table(
        self,
        name: str,
        *,
        event_dates: tuple[date, date] | None = None,
        columns: Sequence[str] | None = None,
        version: int | None = None,
    ) -> ir.Table:
        delta = self.lake.open(name, version)
        schema = pa.schema(delta.schema().to_arrow())
        days = within(day_column(name), *event_dates) if event_dates else None
        files = delta.file_uris(file_pruning_predicate=days) if days else delta.file_uris()
        view = next(self._names)
        kept = list(columns or schema.names)
        where = f" WHERE {days}" if days else ""
        if not files:
            self._connection.register(view, schema.empty_table())
        elif self.lake.remote:
            # DuckDB would need an extension to read an object store; deltalake brings its own client.
            dataset = delta.to_pyarrow_dataset(file_pruning_predicate=days)
            self._connection.register(f"{view}_files", dataset)
            self._connection.execute(f"CREATE VIEW {view} AS SELECT * FROM {view}_files{where}")
        else:
            paths = ", ".join("'" + path.replace("'", "''") + "'" for path in files)
            partition = PARTITIONS.get(name)
            # Ids that look like numbers must stay text: the day is the only partition value there is.
            hive = f", hive_partitioning = true, hive_types = {{'{partition}': DATE}}" if partition else ""
            names = ", ".join(f'"{item}"' for item in schema.names)
            found = f"read_parquet([{paths}], union_by_name = true{hive})"
            try:
                self._connection.execute(f"CREATE VIEW {view} AS SELECT {names} FROM {found}{where}")
            except duckdb.BinderException:
                # all of these files are older than one of the columns
                self._connection.register(f"{view}_blank", schema.empty_table())
                self._connection.execute(
                    f"CREATE VIEW {view} AS SELECT {names} FROM "
                    f"(FROM {view}_blank UNION ALL BY NAME FROM {found}){where}"
                )
        table: ir.Table = ibis.table(ibis.Schema.from_pyarrow(schema), name=view)
        return table.select(*kept)

    @override
    def arrow(self, data: pa.Table) -> ir.Table:
        view = next(self._names)
        data = plain(data)
        self._connection.register(view, data)
        return ibis.table(ibis.Schema.from_pyarrow(data.schema), name=view)

    @override
    def to_arrow(self, expression: ir.Table) -> pa.Table:
        return self._reader(expression).read_all()

    @override
    def repeated(self, column: ir.Table) -> pa.Table:
        # sorting numbers takes a third of what grouping them does, and finds the same; but in memory
        reader = self._reader(column)
        parts = [pl.Series(reader.schema.names[0], reader.schema.empty_table().column(0))]
        rows = 0
        for batch in reader:
            parts.append(pl.Series(batch.column(0)))
            rows += batch.num_rows
            if rows > _SORTED:
                reader.close()
                return super().repeated(column)
        values = pl.concat(parts).sort()
        again = values.filter(values == values.shift()).unique()
        return again.to_frame().to_arrow()

    @override
    def replace_window(
        self,
        name: str,
        expression: ir.Table,
        first: date,
        last: date,
        *,
        progress: Mapping[str, int] | None = None,
        onto: DeltaTable | None = None,
    ) -> Written:
        reader = self._reader(expression)
        nothing = pl.DataFrame(reader.schema.empty_table())
        staged = Staged(self.lake, name, nothing.schema, held=_HELD)
        for batch in reader:
            staged.write(pl.DataFrame(batch))
        return Written(staged.replace_window(first, last, progress, onto), staged.rows)

    @override
    def replace(self, name: str, expression: ir.Table, **metadata: str) -> Written:
        rows = _Counted(self._reader(expression))
        return Written(self.lake.replace(name, rows.reader, **metadata), rows.count)

    @override
    def close(self) -> None:
        self._connection.close()
        self._spill.cleanup()

    def _reader(self, expression: ir.Table) -> pa.RecordBatchReader:
        reader: pa.RecordBatchReader = self._connection.sql(_sql(expression.op())).to_arrow_reader(BATCH)
        return reader


@lru_cache(maxsize=128)
def _sql(operation: ops.Node) -> str:
    """The query of an expression. A micro-batch asks the same ones each time: writing them takes longer
    than running them.
    """
    expression = cast("ir.Table", operation.to_expr())
    columns = ", ".join(
        f'CAST("{name}" AS {DuckDBType.to_string(dtype)}) AS "{name}"'
        for name, dtype in expression.schema().items()
    )
    query = _reading_again(sqlglot.parse_one(ibis.to_sql(expression, dialect="duckdb"), dialect="duckdb"))
    if all(total.dtype.is_integer() for total in operation.find(ops.Sum)):
        query = _narrow(query)
    return f"SELECT {columns} FROM ({query.sql(dialect='duckdb')})"


def _reading_again(query: exp.Expr) -> exp.Expr:
    """``query`` with its shared parts that only pick rows and columns of files not kept in memory.

    DuckDB keeps the result of any part that is used twice, all columns of it; reading the files again,
    only the columns needed each time, is several times faster and needs no memory.
    """
    for part in query.find_all(exp.CTE):
        body = part.this
        derived = body.find(exp.Join, exp.AggFunc, exp.Window, exp.SetOperation, exp.Distinct, exp.Subquery)
        if derived is None and not body.args.get("group"):
            part.set("materialized", False)
    return query


def _narrow(query: exp.Expr) -> exp.Expr:
    """``query`` with its sums, all of whole numbers, as BIGINT, as they are declared.

    DuckDB makes HUGEINT of them, and what follows carries twice the bytes.
    """
    for total in list(query.find_all(exp.Sum)):
        whole: exp.Expr = total
        while isinstance(whole.parent, exp.Window | exp.Filter):
            whole = whole.parent
        whole.replace(exp.Cast(this=whole.copy(), to=exp.DataType.build("BIGINT")))
    return query


class _Counted:
    """A reader that counts the rows passing through it."""

    def __init__(self, source: pa.RecordBatchReader) -> None:
        self.count = 0
        self._source = source
        self.reader = pa.RecordBatchReader.from_batches(source.schema, self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for batch in self._source:
            self.count += batch.num_rows
            yield batch
