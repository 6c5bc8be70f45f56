"""Small counts cannot be read or worked out, and no more is hidden than that needs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from discontinuation.describe.masking import Sum, mask_small

UNBOUNDED = 3  # what linprog calls an end without limit


def whole(parts):
    """Counts and the one sum of some parts."""
    counts = {str(place): part for place, part in enumerate(parts)}
    return counts | {"total": sum(parts)}, [Sum("total", tuple(counts))]


def shown(parts, smallest=5):
    counts, sums = whole(parts)
    masked = mask_small(counts, sums, smallest)
    return [masked[key] for key in counts]


def test_nothing_is_masked_where_one_person_may_be_shown():
    assert shown([0, 1, 2, 3000], smallest=1) == ["0", "1", "2", "3,000", "3,003"]


def test_a_small_count_takes_the_smallest_other_with_it():
    assert shown([0, 3, 20, 30]) == ["0", "<5", "≥5", "30", "53"]


def test_two_small_counts_hide_each_other_unless_their_sum_leaves_one_way():
    assert shown([2, 3, 20]) == ["<5", "<5", "20", "25"]
    # 4 + 4: with 8 in view each could only be 4.
    assert shown([4, 4, 20]) == ["<5", "<5", "≥5", "28"]


def test_limits_that_the_masks_themselves_tell_are_taken_into_account():
    # 6 = <5 + ≥5 would leave only 1 and 5; with the total hidden, the 5 can stay.
    assert shown([1, 5]) == ["<5", "5", "≥5"]
    assert shown([1, 50]) == ["<5", "≥5", "51"]


def test_where_the_limits_alone_would_tell_they_are_not_given():
    # Four times <5 with a total of <5 can only be four times 1.
    assert set(grid(np.ones((2, 2), dtype=int), 5).ravel()) == {"–"}
    assert shown([1, 1]) == ["<5", "<5", "<5"]


def test_zeros_stay():
    assert shown([0, 0, 3]) == ["0", "0", "<5", "<5"]


def test_a_total_with_one_part_is_hidden_with_it():
    counts = {"present": 30, "absent": 0, "source": 30, "left": 2, "stayed": 28}
    sums = [Sum("source", ("present", "absent")), Sum("present", ("left", "stayed"))]
    masked = mask_small(counts, sums, 5)
    assert masked == {
        "present": "30", "absent": "0", "source": "30", "left": "<5", "stayed": "≥5",
    }  # fmt: skip


def test_people_who_are_left_are_protected_though_no_table_prints_them():
    counts = {"all": 100, "rated": 98, "rest": 2}
    masked = mask_small(counts, [Sum("all", ("rated", "rest"))], 5, unprinted={"rest"})
    assert masked == {"all": "100", "rated": "≥5"}
    counts = {"all": 100, "rated": 90, "rest": 10}
    masked = mask_small(counts, [Sum("all", ("rated", "rest"))], 5, unprinted={"rest"})
    assert masked == {"all": "100", "rated": "90"}


def test_dear_counts_are_hidden_last():
    counts = {"few": 2, "dear": 10, "many": 500, "total": 512}
    sums = [Sum("total", ("few", "dear", "many"))]
    assert mask_small(counts, sums, 5)["dear"] == "≥5"
    masked = mask_small(counts, sums, 5, dear={"dear", "total"})
    assert masked == {"few": "<5", "dear": "10", "many": "≥5", "total": "512"}


def test_a_count_that_only_several_sums_together_tell_is_found():
    """Two circles of hidden cells with one cell between them: rows and columns alone are blind."""
    table = np.array([[9, 9, 2, 0], [9, 9, 0, 0], [0, 0, 9, 9], [0, 0, 9, 9]])
    hidden = table.copy()
    hidden[hidden > 0] = 4
    masked = grid(hidden, 5)
    assert masked[0, 2] == "<5"
    assert not exact(hidden, masked, 5)


@pytest.mark.parametrize("wrong", [({"a": -1}, 5), ({"a": 1}, 0)])
def test_what_cannot_be_a_count_is_refused(wrong):
    with pytest.raises(ValueError, match="0 or more"):
        mask_small(wrong[0], [], wrong[1])


def cells(table):
    """Counts of a table with both its margins, and their sums."""
    rows, columns = table.shape
    counts = {("cell", r, c): int(table[r, c]) for r in range(rows) for c in range(columns)}
    counts |= {("cell", r, columns): int(table[r].sum()) for r in range(rows)}
    counts |= {("cell", rows, c): int(table[:, c].sum()) for c in range(columns)}
    counts["cell", rows, columns] = int(table.sum())
    sums = [
        Sum(("cell", r, columns), tuple(("cell", r, c) for c in range(columns)))
        for r in range(rows + 1)
    ]
    sums += [
        Sum(("cell", rows, c), tuple(("cell", r, c) for r in range(rows)))
        for c in range(columns + 1)
    ]
    return counts, sums


def grid(table, smallest):
    counts, sums = cells(table)
    masked = mask_small(counts, sums, smallest)
    shape = table.shape[0] + 1, table.shape[1] + 1
    return np.array([masked["cell", r, c] for r in range(shape[0]) for c in range(shape[1])],
                    dtype=object).reshape(shape)  # fmt: skip


def exact(table, masked, smallest):
    """List the small cells that linear programming pins down, from what is printed alone."""
    counts, sums = cells(table)
    keys = list(counts)
    bounds = []
    for key in keys:
        text = masked[key[1], key[2]]
        limits = {"<": (1, smallest - 1), "≥": (smallest, None), "–": (0, None)}
        bounds.append(limits.get(text[0]) or (int(text.replace(",", "")),) * 2)
    system = np.zeros((len(sums), len(keys)))
    for row, each in enumerate(sums):
        system[row, keys.index(each.total)] = -1
        for part in each.parts:
            system[row, keys.index(part)] = 1
    found = []
    for place, key in enumerate(keys):
        if 0 < counts[key] < smallest:
            aim = np.zeros(len(keys))
            aim[place] = 1
            ends = [
                linprog(sign * aim, A_eq=system, b_eq=np.zeros(len(sums)), bounds=bounds)
                for sign in (1, -1)
            ]
            assert all(end.status in (0, UNBOUNDED) for end in ends)
            if all(end.status == 0 for end in ends) and -ends[1].fun - ends[0].fun < 1e-6:
                found.append(key)
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 4).flatmap(
        lambda columns: st.lists(
            st.lists(st.sampled_from([0, 1, 2, 4, 5, 6, 9, 30, 200]), min_size=columns,
                     max_size=columns),
            min_size=1,
            max_size=4,
        )
    )
)  # fmt: skip
def test_linear_programming_pins_no_small_cell_down(rows):
    table = np.array(rows)
    masked = grid(table, 5)
    counts, _ = cells(table)
    for (_, r, c), count in counts.items():
        allowed = ("<5", "–") if 0 < count < 5 else (f"{count:,}", "≥5", "–")
        assert masked[r, c] in allowed
    assert exact(table, masked, 5) == []
