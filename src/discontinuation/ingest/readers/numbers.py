"""Which cells are numbers, and does the file write them with a decimal comma?"""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

# Plain numbers only; what float() takes besides (1_0, infinity, digits of other scripts) is not
# one. Spaces around a number are padding, not content.
_NUMBER = r"^[ \t]*[+-]?([0-9]+{d}?[0-9]*|{d}[0-9]+)([eE][+-]?[0-9]+)?[ \t]*$"
_COMMA_NUMBER = r"^[ \t]*[+-]?[0-9]+(,[0-9]+)?([eE][+-]?[0-9]+)?[ \t]*$"
# 1,234 may be one and a bit or one thousand and more; 0,234 and 12,5 and 1234,567 may not.
_THOUSANDS_OR_WHOLE = r"^[ \t]*[+-]?([0-9]+|[1-9][0-9]{0,2}(,[0-9]{3})+)[ \t]*$"

BoolArray = npt.NDArray[np.bool_]


def as_numbers(
    series: pd.Series[Any], decimal: str = "."
) -> tuple[pd.Series[float], pd.Series[bool]]:
    """Read the cells of one column as numbers, strictly.

    Parameters
    ----------
    series
        Any column of a `SourceTable`. Text must be a plain number such as ``-1.5``, ``.5`` or
        ``2e-3``, with spaces around it at most; thousands separators, ``1_0``, ``inf``, ``nan``
        and ``0x1F`` are not numbers. True and False are 1 and 0. Dates and times are no numbers.
    decimal
        Decimal separator of text: ``"."`` or ``","``.

    Returns
    -------
    values : Series of float64
        Same index; NaN where the cell is missing or not a number.
    bad : Series of bool
        True where a cell holds something that is not a finite number.

    Raises
    ------
    ValueError
        Another decimal separator.
    """
    if decimal not in (".", ","):
        raise ValueError(f"decimal is {decimal!r}; allowed: '.' or ','")
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(object)
    missing = series.isna().to_numpy(bool)
    if pd.api.types.is_bool_dtype(series.dtype) or pd.api.types.is_numeric_dtype(series.dtype):
        values = series.to_numpy(dtype=float, na_value=np.nan)
    elif series.dtype == object or pd.api.types.is_string_dtype(series.dtype):
        values = _object_numbers(series, decimal)
    else:
        values = np.full(len(series), np.nan)
    bad = ~np.isfinite(values) & ~missing
    return (
        pd.Series(np.where(bad, np.nan, values), index=series.index, name=series.name),
        pd.Series(bad, index=series.index, name=series.name),
    )


def _object_numbers(series: pd.Series[Any], decimal: str) -> npt.NDArray[np.float64]:
    """Read cells of text, or of text and numbers, as numbers; NaN where there is none."""
    import pyarrow as pa

    try:
        return text_numbers(pa.array(series, type=pa.string(), from_pandas=True), decimal)
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        pass
    cells = series.to_numpy(object)
    is_text = np.fromiter((isinstance(cell, str) for cell in cells), bool, len(cells))
    values = np.full(len(cells), np.nan)
    if is_text.any():
        text = pa.array([_storable(cell) for cell in cells[is_text]], type=pa.string())
        values[is_text] = text_numbers(text, decimal)
    for position in np.flatnonzero(~is_text):
        values[position] = _plain_number(cells[position])
    return values


def _storable(text: str) -> str:
    """Replace half characters, which only a damaged file holds and no number does."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _plain_number(cell: object) -> float:
    """Return a number that is one already (int, float, bool, Decimal), or NaN."""
    if not isinstance(cell, numbers.Number) or isinstance(cell, complex):
        return np.nan
    try:
        return float(cell)  # type: ignore[arg-type]
    except (OverflowError, ValueError, TypeError):
        return np.nan


def text_numbers(text: Any, decimal: str) -> npt.NDArray[np.float64]:
    """Read an Arrow array of text as numbers; NaN where a cell is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_number = pc.match_substring_regex(text, _NUMBER.format(d="\\" + decimal))
    kept = pc.if_else(is_number, text, None)
    trimmed = pc.utf8_trim(kept, " \t")
    if decimal == ",":
        trimmed = pc.replace_substring(trimmed, ",", ".", max_replacements=1)
    values = pc.cast(trimmed, pa.float64()).to_numpy(zero_copy_only=False)
    return np.asarray(values, dtype=float)


def comma_reading(text: Any) -> str | None:
    """Say how the numbers of a text column use the comma.

    Parameters
    ----------
    text
        Arrow array of text; blank cells are null.

    Returns
    -------
    str or None
        ``"decimal"`` if every cell is a number with a decimal comma or a whole number and one
        comma at least is there; ``"unclear"`` if every comma could also mark thousands; None
        if the cells are something else.
    """
    import pyarrow.compute as pc

    if not pc.any(pc.match_substring(text, ",")).as_py():
        return None
    if pc.all(pc.match_substring_regex(text, _THOUSANDS_OR_WHOLE)).as_py():
        return "unclear"
    if pc.all(pc.match_substring_regex(text, _COMMA_NUMBER)).as_py():
        return "decimal"
    return None


def has_decimal_point(text: Any) -> bool:
    """Say whether every cell is a number and one at least has a decimal point."""
    import pyarrow.compute as pc

    if not pc.any(pc.match_substring(text, ".")).as_py():
        return False
    pattern = _NUMBER.format(d=r"\.")
    return bool(pc.all(pc.match_substring_regex(text, pattern)).as_py())
