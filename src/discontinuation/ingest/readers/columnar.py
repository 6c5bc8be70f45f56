"""What does a Parquet file hold?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from discontinuation.ingest.readers.headings import name_problems
from discontinuation.ingest.readers.source import (
    SourceFile,
    SourceTable,
    listing,
    records,
)
from discontinuation.ingest.readers.typed_columns import (
    categories,
    floats,
    integers,
    texts,
    to_frame,
)

# A few kilobytes can declare any number of equal cells.
MOST_CELLS = 500_000_000


def read_parquet(file: SourceFile) -> SourceTable:
    """Read a Parquet file.

    Parameters
    ----------
    file
        The file.

    Returns
    -------
    SourceTable
        Dictionary columns of text are categories; decimal numbers are decimal.Decimal; times of
        day are durations since midnight.

    Raises
    ------
    InvalidInput
        See `read_source`; columns that hold lists, structures, binary data or the like.
    """
    from pyarrow import parquet

    with (
        file.read_as("a Parquet file"),
        parquet.ParquetFile(file.path, page_checksum_verification=True) as source,
    ):
        schema, rows = source.schema_arrow, source.metadata.num_rows
        _refuse_unreadable(file, schema, rows)
        table = source.read()
        table.validate(full=True)
        cells = {field.name: _column(table.column(field.name), field) for field in schema}
        frame = to_frame(cells, rows)
    return SourceTable(
        file.name,
        frame,
        records(rows),
        "record",
        formats={field.name: str(field.type) for field in schema},
        statements=_statements(frame, schema),
    )


def _refuse_unreadable(file: SourceFile, schema: Any, rows: int) -> None:
    import pyarrow as pa

    if not schema.names:
        raise file.invalid("holds no column")
    if rows * len(schema.names) > MOST_CELLS:
        raise file.invalid(
            f"declares {rows} records of {len(schema.names)} columns; "
            f"allowed: {MOST_CELLS} cells, split the file"
        )
    problems = name_problems(file, schema.names)
    for field in schema:
        inner = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if _converter(inner) is None:
            message = f"holds {inner}; allowed: text, numbers, truth values, dates and times"
            problems.append(file.problem(message, column=field.name))
    file.refuse(problems)


def _statements(frame: pd.DataFrame, schema: Any) -> list[str]:
    import pyarrow as pa

    statements = []
    zones = [
        f"{field.name} ({field.type.tz})"
        for field in schema
        if pa.types.is_timestamp(field.type) and field.type.tz
    ]
    if zones:
        statements.append(f"times with a time zone: {listing(zones)}")
    if not len(frame):
        statements.append("there are no records")
    return statements


def _converter(kind: Any) -> Callable[[Any], Any] | None:
    """Choose how a column of an Arrow type is put into the frame."""
    import pyarrow as pa

    check = pa.types
    rules: list[tuple[Callable[[Any], bool], Callable[[Any], Any]]] = [
        (check.is_boolean, _truths),
        (check.is_integer, _integers),
        (check.is_floating, _floats),
        (check.is_decimal, lambda column: column.to_pandas().to_numpy(object)),
        (check.is_date, lambda column: column.cast(pa.timestamp("us")).to_pandas()),
        (check.is_timestamp, _times),
        (check.is_time, _times_of_day),
        (check.is_duration, _spans),
        (_is_text, lambda column: texts(column.to_pandas().to_numpy(object))),
        (check.is_null, lambda column: np.full(len(column), None, dtype=object)),
    ]
    return next((convert for fits, convert in rules if fits(kind)), None)


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _column(column: Any, field: Any) -> Any:
    import pyarrow as pa

    kind = field.type
    if pa.types.is_dictionary(kind):
        if _is_text(kind.value_type):
            found = column.to_pandas().array
            return categories(found.codes, found.categories, found.ordered)
        kind = kind.value_type
        column = column.cast(kind)
    convert = _converter(kind)
    assert convert is not None
    return convert(column)


def _missing(column: Any) -> Any:
    return column.is_null().to_numpy().astype(bool)


def _values(column: Any, filler: Any) -> Any:
    import pyarrow.compute as pc

    return pc.fill_null(column, filler).to_numpy()


def _truths(column: Any) -> Any:
    return pd.arrays.BooleanArray(_values(column, False).astype(bool), _missing(column))


def _integers(column: Any) -> Any:
    return integers(_values(column, 0), _missing(column))


def _floats(column: Any) -> Any:
    import pyarrow as pa

    return floats(_values(column.cast(pa.float64()), 0.0), _missing(column))


def _times(column: Any) -> Any:
    import pyarrow as pa

    return _in_microseconds(column, lambda unit: pa.timestamp(unit, tz=column.type.tz))


def _times_of_day(column: Any) -> Any:
    import pyarrow as pa

    storage = pa.int32() if pa.types.is_time32(column.type) else pa.int64()
    ticks = column.cast(storage).cast(pa.int64())
    return _spans(ticks.cast(pa.duration(column.type.unit)))


def _spans(column: Any) -> Any:
    import pyarrow as pa

    return _in_microseconds(column, pa.duration)


def _in_microseconds(column: Any, make: Callable[[str], Any]) -> Any:
    """Give times in microseconds, and in nanoseconds only where there are any."""
    import pyarrow as pa

    if column.type.unit == "ns" and (_values(column.cast(pa.int64()), 0) % 1000).any():
        return column.to_pandas()
    return column.cast(make("us")).to_pandas()
