"""How is a step function of several groups and causes read off as a tidy frame?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.survival.follow_up import FloatArray


def curves_at(
    time: FloatArray,
    curves: Sequence[FloatArray],
    asked: FloatArray,
    known: npt.NDArray[np.bool_],
) -> list[FloatArray]:
    """Read step functions that begin at 0 off.

    Parameters
    ----------
    time
        Where they step, shape (t,).
    curves
        Values from each step on, shape (g, c, t).
    asked
        Shape (m,).
    known
        Whether anything is known of a group at a time, shape (g, m).

    Returns
    -------
    list of arrays
        Shape (g, c, m); NaN where nothing is known.
    """
    position = np.searchsorted(time, asked, side="right")
    return [
        np.where(
            known[:, None, :],
            np.concatenate([np.zeros((*curve.shape[:2], 1)), curve], axis=2)[:, :, position],
            np.nan,
        )
        for curve in curves
    ]


def curve_frame(
    groups: Sequence[object] | None,
    times: FloatArray,
    kind: str,
    labels: Sequence[object],
    values: Mapping[str, FloatArray],
) -> pd.DataFrame:
    """Lay curves out in rows by group, time and label.

    Parameters
    ----------
    groups
        Labels; None: no such column.
    times
        Shape (m,).
    kind, labels
        Name and values of the column that tells the curves of a group apart.
    values
        Columns, each of shape (g, labels, m).
    """
    several = len(groups) if groups is not None else 1
    columns: dict[str, object] = {}
    if groups is not None:
        columns["group"] = pd.Series(list(groups)).repeat(len(times) * len(labels)).to_numpy()
    columns["time"] = np.tile(np.repeat(times, len(labels)), several)
    columns[kind] = np.tile(np.asarray(labels), several * len(times))
    columns |= {name: value.transpose(0, 2, 1).ravel() for name, value in values.items()}
    return pd.DataFrame(columns)
