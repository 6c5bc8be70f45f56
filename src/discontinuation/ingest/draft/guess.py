"""What is a guess, and how is it told from what is known?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Block = dict[Any, Any]


@dataclass(frozen=True, eq=False)
class Guess:
    """How one column is made, which nobody has confirmed.

    Attributes
    ----------
    spec
        Value specification of the declaration. Without any source of values it is refused until
        somebody writes one.
    reason
        Why, in words for the person who confirms it.
    examples
        Three values of the column.
    """

    spec: dict[str, Any]
    reason: str
    examples: Sequence[Any] = ()


@dataclass(frozen=True, eq=False)
class Remark:
    """A comment; it stands in place of a key of a group or of an entry of a list."""

    text: str
