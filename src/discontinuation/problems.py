"""Say what is wrong with an input, all of it at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing wrong with an input.

    Attributes
    ----------
    file
        File, sheet or configuration in which it stands.
    message
        What is wrong and what is allowed.
    row
        Row as a spreadsheet counts it: the header is row 1.
    column
        Column, or path of the configuration key.
    value
        The offending value as it was written.
    """

    file: str
    message: str
    row: int | None = None
    column: str | None = None
    value: str | None = None

    def __str__(self) -> str:
        place = [self.file]
        if self.row is not None:
            place.append(f"row {self.row}")
        if self.column is not None:
            place.append(f"column {self.column}")
        text = ", ".join(place) + ": "
        if self.value is not None:
            text += f"{shorten(self.value)!r}: "
        return text + self.message


class InvalidInput(ValueError):  # noqa: N818 (it is the input that is wrong, not the program)
    """Raised with every problem found in an input."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        count = len(self.problems)
        heading = (
            f"{count} problem{'s' if count != 1 else ''} in the input. "
            "Nothing was computed; earlier results are untouched."
        )
        lines = [f"  {number}. {problem}" for number, problem in enumerate(self.problems, 1)]
        super().__init__("\n".join([heading, *lines]))


def refuse(problems: Iterable[Problem]) -> None:
    """Raise `InvalidInput` if there is any problem."""
    found = list(problems)
    if found:
        raise InvalidInput(found)


def allowed_values(allowed: Sequence[str], value: str | None = None) -> str:
    """List the allowed values and name the nearest one.

    Parameters
    ----------
    allowed
        Every value that would have been accepted.
    value
        What was written instead.
    """
    text = "allowed: " + ", ".join(allowed)
    near = difflib.get_close_matches(value.strip().lower(), allowed, n=1) if value else []
    return text + (f" (did you mean {near[0]!r}?)" if near else "")


def shorten(value: str, length: int = 80) -> str:
    """Keep a long value from filling the message."""
    return value if len(value) <= length else value[: length - 3] + "..."
