"""What are the columns called?"""

from __future__ import annotations

from collections.abc import Sequence

from discontinuation.ingest.readers.source import SourceFile, listing
from discontinuation.problems import Problem

# The column that R writes without a heading, and pandas after it; R calls it so.
ROW_NAMES = "row.names"


def name_problems(file: SourceFile, names: Sequence[str], row: int | None = None) -> list[Problem]:
    """Find column names that are blank or stand there twice."""
    problems = [
        file.problem(f"column {position} has no name", row)
        for position, name in enumerate(names, 1)
        if not name.strip()
    ]
    problems += [
        file.problem("the column stands there more than once", row, name)
        for name in dict.fromkeys(names)
        if name.strip() and names.count(name) > 1
    ]
    return problems


def settle_names(
    file: SourceFile,
    names: Sequence[str],
    filled: Sequence[int],
    first_is_unique: bool,
    records: int,
    row: int,
    statements: list[str],
) -> tuple[list[str], list[int]]:
    """Settle what the columns of a text file or sheet are called.

    Spaces around names are left out, as are columns with neither a name nor a cell. A first
    column that has no name and a different cell in every record holds the names of the rows.

    Parameters
    ----------
    file
        The file.
    names
        Names as written, blank where there is none.
    filled
        Number of cells of each column that are not blank.
    first_is_unique
        Whether no two cells of the first column are alike.
    records
        Number of records.
    row
        Row of the names.
    statements
        What was assumed is added here.

    Returns
    -------
    names : list of str
    places : list of int
        Position of each named column among those given.

    Raises
    ------
    InvalidInput
        No name at all, a column with cells and no name, a name that stands there twice.
    """
    places = [at for at, name in enumerate(names) if name.strip() or filled[at]]
    if left_out := len(names) - len(places):
        statements.append(f"columns without a name and without a cell are left out: {left_out}")
    if padded := [repr(name) for name in names if name.strip() and name != name.strip()]:
        statements.append(f"spaces around names are left out: {listing(padded)}")
    settled = [names[at].strip() for at in places]
    if not any(settled):
        raise file.invalid("holds no name of a column", row)
    may_be_row_names = not settled[0] and ROW_NAMES not in settled
    if may_be_row_names and first_is_unique and filled[places[0]] == records:
        settled[0] = ROW_NAMES
        statements.append(f"the first column has no name and is called {ROW_NAMES!r}")
    problems = [
        file.problem(f"column {at + 1} has cells and no name", row)
        for at, name in zip(places, settled, strict=True)
        if not name
    ]
    file.refuse(problems + name_problems(file, [name for name in settled if name], row))
    return settled, places
