"""Read a file in a test, or tell how it was refused."""

import pytest

from discontinuation.ingest.readers import read_source
from discontinuation.problems import InvalidInput


def read(path, **arguments):
    """Read a file that messages call by its name; check what holds of every table."""
    table = read_source(path, path.name, **arguments)
    assert len(table.rows) == len(table.frame)
    assert table.frame.index.tolist() == list(range(len(table.frame)))
    assert (table.rows[1:] > table.rows[:-1]).all()
    assert table.row_word in ("row", "record")
    for known in (table.labels, table.value_labels, table.user_missing, table.formats):
        assert set(known) <= set(table.frame.columns)
    return table


def refused(path, **arguments):
    """Give the problems of a file, one per line."""
    with pytest.raises(InvalidInput) as refusal:
        read_source(path, path.name, **arguments)
    assert refusal.value.problems
    return "\n".join(map(str, refusal.value.problems))


def cells(table):
    """Give the columns as lists, missing cells as None."""
    frame = table.frame.astype(object)
    return {name: frame[name].where(frame[name].notna(), None).tolist() for name in frame}
