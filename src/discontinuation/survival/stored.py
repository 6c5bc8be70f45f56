"""How is a result kept in a file and read back, exactly as it was?

Any frozen dataclass of this package that is decorated with `storable` can be written as JSON, or as
a Parquet file that holds its `.summary` for everybody and the rest in the metadata of the schema.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from discontinuation.problems import Problem, refuse

Kind = TypeVar("Kind", bound=type)

KEY = b"discontinuation"
KINDS: dict[str, type] = {}
FORMAT = 1


def storable(kind: Kind) -> Kind:
    """Let results of a frozen dataclass be written and read."""
    KINDS[_name(kind)] = kind
    return kind


def _name(kind: type) -> str:
    return f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}"


def _kind(name: str) -> type:
    """Find a class by its name, in the modules of this package only."""
    if name not in KINDS:
        module = name.partition(".")[0]
        if (Path(__file__).parent / f"{module}.py").is_file():
            import_module(f"{__package__}.{module}")
    return KINDS[name]


def to_json(result: Any) -> str:
    """Write a result as JSON; numbers keep all their digits, NaN and infinity are strings."""
    return json.dumps({"format": FORMAT, "result": _pack(result)}, allow_nan=False)


def from_json(text: str) -> Any:
    """Read what `to_json` wrote.

    Raises
    ------
    InvalidInput
        Text that is not such a result.
    """
    try:
        return _unpack(json.loads(text)["result"])
    except (ValueError, KeyError, TypeError) as error:
        message = f"is not a stored result: {error}"
        refuse([Problem("stored result", message)])


def write_result(result: Any, path: Path | str) -> None:
    """Keep a result in a file ending in .json or .parquet.

    Raises
    ------
    InvalidInput
        Another ending.
    """
    path = Path(path)
    if path.suffix == ".json":
        path.write_text(to_json(result), encoding="utf-8")
    elif path.suffix == ".parquet":
        _write_parquet(result, path)
    else:
        refuse([Problem(str(path), "allowed: .json or .parquet", value=path.suffix)])


def read_result(path: Path | str) -> Any:
    """Read a result from a file that `write_result` wrote.

    Raises
    ------
    InvalidInput
        Another file.
    """
    path = Path(path)
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        metadata = pq.read_schema(path).metadata or {}
        if KEY not in metadata:
            refuse([Problem(str(path), "holds no stored result")])
        return from_json(metadata[KEY].decode())
    return from_json(path.read_text(encoding="utf-8"))


def _write_parquet(result: Any, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(result.summary, preserve_index=False)
    metadata = {**(table.schema.metadata or {}), KEY: to_json(result).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), path)


def _pack(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        kind = _name(type(value))
        if KINDS.get(kind) is not type(value):
            raise TypeError(f"{kind} is not storable")
        parts = {field.name: _pack(getattr(value, field.name)) for field in fields(value)}
        return {"kind": kind, "fields": parts}
    if isinstance(value, np.ndarray):
        flat = [_pack(one) for one in value.ravel().tolist()]
        return {"array": flat, "shape": list(value.shape), "dtype": value.dtype.str}
    if isinstance(value, pd.Series):
        return {"series": _pack(value.to_frame("values"))}
    if isinstance(value, pd.DataFrame):
        return {"frame": _pack_frame(value)}
    return _pack_plain(value)


def _pack_plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return {"float": str(value)}
    if isinstance(value, tuple):
        return {"tuple": [_pack(one) for one in value]}
    if isinstance(value, list):
        return [_pack(one) for one in value]
    if isinstance(value, Mapping):
        return {"items": [[_pack(key), _pack(one)] for key, one in value.items()]}
    return value


def _pack_frame(frame: pd.DataFrame) -> str:
    """Keep a frame as Parquet in text: it holds types, categories and the index."""
    import base64

    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return base64.b64encode(buffer.getvalue()).decode()


def _unpack(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpack(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "kind" in value:
        kind = _kind(value["kind"])
        return kind(**{name: _unpack(part) for name, part in value["fields"].items()})
    if "array" in value:
        flat = [_unpack(one) for one in value["array"]]
        array = np.array(flat, dtype=np.dtype(value["dtype"]))
        return array.reshape(value["shape"])
    return _unpack_plain(value)


def _unpack_plain(value: dict[str, Any]) -> Any:
    if "series" in value:
        frame: pd.DataFrame = _unpack(value["series"])
        return frame["values"]
    if "frame" in value:
        import base64

        return pd.read_parquet(io.BytesIO(base64.b64decode(value["frame"])))
    if "float" in value:
        return float(value["float"])
    if "tuple" in value:
        return tuple(_unpack(one) for one in value["tuple"])
    return {_unpack(key): _unpack(one) for key, one in value["items"]}
