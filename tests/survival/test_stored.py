"""Every result is read back from JSON and Parquet exactly as it was written."""

from dataclasses import fields, is_dataclass

import numpy as np
import pandas as pd
import pytest

from discontinuation.problems import InvalidInput
from discontinuation.survival import (
    bootstrap,
    combine,
    combine_probabilities,
    kaplan_meier,
    landmark,
    logrank,
    maxcombo,
    nelson_aalen,
    pairwise,
    permute,
    read_result,
    rmst,
    write_result,
)
from discontinuation.survival.resampling import counts_by_day
from discontinuation.survival.stored import from_json, to_json

TIME = [1, 2, 2, 3, 5, 5.5, 7, 8, 8, 9]
EVENT = [1, 1, 0, 1, 0, 1, 1, 0, 1, 1]
ARM = list("aabbaabbab")
DATA = pd.DataFrame({"time": TIME, "event": EVENT, "arm": pd.Categorical(ARM)})
THREE = pd.cut(TIME, [0, 2, 5, 9])  # labels that are intervals

RESULTS = {
    "curve": lambda: kaplan_meier(TIME, EVENT),
    "curve with entry": lambda: kaplan_meier(TIME, EVENT, np.array(TIME) / 3, range(10), "plain"),
    "curve at 0": lambda: kaplan_meier([1, 2], [1, 1]),
    "hazard": lambda: nelson_aalen(TIME, EVENT),
    "test": lambda: logrank(TIME, EVENT, ARM),
    "test of intervals": lambda: logrank(TIME, EVENT, pd.Series(THREE), ARM),
    "largest of four": lambda: maxcombo(TIME, EVENT, ARM),
    "one test of four": lambda: maxcombo([3, 3, 5], [1, 1, 0], [0, 1, 0]),
    "pairs": lambda: pairwise(TIME, EVENT, np.arange(10) % 3, adjust="BH"),
    "pairs, one empty": lambda: pairwise([1, 2, 3], [1, 0, 0], list("abc")),
    "mean": lambda: rmst(TIME, EVENT, horizon=7),
    "means": lambda: rmst(TIME, EVENT, ARM, 7, 1),
    "means by number": lambda: rmst(TIME, EVENT, np.arange(10) % 2, 7),
    "landmark": lambda: landmark(DATA, 2),
    "bootstrap": lambda: bootstrap(lambda w: [w @ TIME, np.nan if w[0] else 1], 10, seed=1),
    "permutation": lambda: permute(lambda g: float((g == "a") @ TIME), ARM, seed=1),
    "counts": lambda: counts_by_day(TIME, EVENT, ARM),
    "many counts": lambda: counts_by_day(TIME, EVENT, ARM).resampled(3, seed=1),
    "combined": lambda: combine([[1.0, 2], [2, 2]], [np.eye(2)] * 2),
    "combined exactly": lambda: combine([1.0, 1], [0.5, 0.5]),
    "combined probabilities": lambda: combine_probabilities([[0.1, 0], [0.2, 0]], [[0.01, 0]] * 2),
}


def same(one, other):
    """Whether two results are the same, to the last digit and type."""
    assert type(one) is type(other)
    if is_dataclass(one):
        for field in fields(one):
            same(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    elif isinstance(one, (tuple, list)):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            same(a, b)
    else:
        assert one == other or (one != one and other != other)


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize("suffix", ["json", "parquet"])
def test_results_come_back_exactly(name, suffix, tmp_path):
    result = RESULTS[name]()
    write_result(result, tmp_path / f"result.{suffix}")
    again = read_result(tmp_path / f"result.{suffix}")
    same(result, again)
    pd.testing.assert_frame_equal(result.summary, again.summary)
    assert str(again) == str(result)


@pytest.mark.parametrize("name", RESULTS)
def test_anybody_can_read_the_summary(name, tmp_path):
    result = RESULTS[name]()
    write_result(result, tmp_path / "result.parquet")
    table = pd.read_parquet(tmp_path / "result.parquet")
    assert list(table.columns) == list(result.summary.columns)
    assert len(table) == len(result.summary) > 0


def test_what_is_no_result_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match=r"json or \.parquet"):
        write_result(RESULTS["curve"](), tmp_path / "result.csv")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "plain.parquet")
    with pytest.raises(InvalidInput, match="holds no stored result"):
        read_result(tmp_path / "plain.parquet")
    for text in ("{", "{}", '{"result": {"kind": "curves.Nothing", "fields": {}}}', "[1]"):
        with pytest.raises(InvalidInput, match="is not a stored result"):
            from_json(text)


def test_numbers_keep_all_their_digits():
    result = kaplan_meier([1, 2, 3], [1, 1, 0])
    assert from_json(to_json(result)).survival[0] == result.survival[0] == 2 / 3
