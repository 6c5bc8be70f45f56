"""What makes the facts about drugs contradict each other, beyond the limits of a single cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from discontinuation.problems import Problem, allowed_values
from discontinuation.tables.check import Cells, RawTable, number
from discontinuation.tables.schema import read_schema

# What a quantity in words may be; None: any words, or what the schema allows.
WORDS: dict[str, tuple[str, ...] | None] = {
    "drug_class": None,
    "subclass": None,
    "formulation": ("oral", "depot", "sublingual", "injection", "nasal"),
    "synonym": None,
    "target": ("SERT", "NET", "D2", "GABA-A"),
    "action": None,
}
UNITS = {
    "half_life": "hours",
    "time_to_peak": "days",
    "injection_interval": "days",
    "enzyme_recovery": "days",
    "minimum_effective_dose": "mg/day",
}

Finding = tuple[str, str]  # column, message


def check_reference_rules(raw: Mapping[str, RawTable]) -> list[Problem]:
    """Find contradictions: disordered ranges, wrong units, two defaults, names used twice.

    Parameters
    ----------
    raw
        The reference tables by name; tables that are absent are passed over.

    Returns
    -------
    list of Problem
    """
    rules = {
        "drugs": _drug_rules,
        "occupancy_curves": _curve_rules,
        "dose_equivalents": _range_rules,
        "taper_definitions": _definition_rules,
    }
    problems = []
    for name, rule in rules.items():
        if name in raw:
            for row, cells in raw[name].numbered():
                problems += [
                    Problem(raw[name].file, message, row, column, cells.get(column) or None)
                    for column, message in rule(cells)
                ]
    if "drugs" in raw:
        problems += _repeated_defaults(raw["drugs"], ("drug", "quantity"))
        problems += _names_used_twice(raw["drugs"])
        problems += _drugs_without_class(raw["drugs"])
    if "occupancy_curves" in raw:
        problems += _repeated_defaults(raw["occupancy_curves"], ("drug",))
    return problems


def _drug_rules(cells: Cells) -> Iterator[Finding]:
    quantity, text = cells.get("quantity", ""), cells.get("text", "")
    numbers = [column for column in ("value", "low", "high") if cells.get(column)]
    if quantity in WORDS:
        allowed = _classes() if quantity == "drug_class" else WORDS[quantity]
        if not text:
            yield "text", f"is blank and must not be: a {quantity} is a word"
        elif allowed and text not in allowed:
            yield "text", allowed_values(allowed, text)
        for column in numbers:
            yield column, f"a {quantity} is a word; allowed: blank"
    elif quantity in UNITS:
        if not numbers:
            yield "value", f"value, low and high are all blank; a {quantity} needs one of them"
        if text:
            yield "text", f"a {quantity} is a number; allowed: blank"
        if cells.get("unit") != UNITS[quantity]:
            yield "unit", allowed_values([UNITS[quantity]])
    if quantity == "half_life" and not cells.get("moiety"):
        yield "moiety", "is blank and must not be: a half-life is that of a substance"
    yield from _ordered(cells, "low", "value", "high")


def _curve_rules(cells: Cells) -> Iterator[Finding]:
    for column in ("emax", "k", "hill"):
        if number(cells.get(column, "")) == 0:
            yield column, "allowed: a number above 0"
    if cells.get("use") == "default" and not (cells.get("emax") and cells.get("k")):
        yield "use", "a default curve needs both emax and k; allowed: alternative"
    if (cells.get("k") or cells.get("dose_high")) and not cells.get("unit"):
        yield "unit", "is blank and must not be beside a k or a range of doses"
    yield from _ordered(cells, "emax_low", "emax", "emax_high")
    yield from _ordered(cells, "dose_low", "dose_low", "dose_high")


def _range_rules(cells: Cells) -> Iterator[Finding]:
    if not any(cells.get(column) for column in ("dose", "low", "high")):
        yield "dose", "dose, low and high are all blank; one of them is needed"
    yield from _ordered(cells, "low", "dose", "high")


def _definition_rules(cells: Cells) -> Iterator[Finding]:
    for stem in ("days", "steps", "step", "step_days", "lowest_dose"):
        yield from _ordered(cells, f"{stem}_min", f"{stem}_min", f"{stem}_max")
    for end, column in (("lower", "days_min"), ("upper", "days_max")):
        if cells.get("open_end") == end and not cells.get(column):
            yield "open_end", f"says that {column} is outside, but {column} is blank"


def _ordered(cells: Cells, low: str, middle: str, high: str) -> Iterator[Finding]:
    lower, value, upper = (number(cells.get(column, "")) for column in (low, middle, high))
    if lower is not None and value is not None and lower > value:
        yield low, f"lies above {middle} {value:g}; allowed: at most {value:g}"
    if upper is not None and value is not None and upper < value:
        yield high, f"lies below {middle} {value:g}; allowed: at least {value:g}"
    if lower is not None and value is None and upper is not None and lower > upper:
        yield low, f"lies above {high} {upper:g}; the range runs backwards"


def _repeated_defaults(table: RawTable, key: tuple[str, ...]) -> Iterator[Problem]:
    seen: dict[tuple[str, ...], int] = {}
    for row, cells in table.numbered():
        values = tuple(cells.get(column, "") for column in key)
        if cells.get("use") != "default" or cells.get("quantity") == "synonym":
            continue
        if values in seen:
            what = " of ".join(reversed(values)) if len(values) > 1 else values[0]
            message = f"row {seen[values]} is already the default for {what}; allowed: alternative"
            yield Problem(table.file, message, row, "use", "default")
        seen.setdefault(values, row)


def _names_used_twice(table: RawTable) -> Iterator[Problem]:
    owner = {simple_name(cells.get("drug", "")): cells.get("drug", "") for cells in table.records}
    for row, cells in table.numbered():
        if cells.get("quantity") != "synonym":
            continue
        name, drug = simple_name(cells.get("text", "")), cells.get("drug", "")
        if owner.setdefault(name, drug) != drug or name == simple_name(drug):
            message = f"is already a name of {owner[name]}; a name means one drug"
            yield Problem(table.file, message, row, "text", cells.get("text"))


def _drugs_without_class(table: RawTable) -> Iterator[Problem]:
    classes = Counter(
        cells.get("drug", "") for cells in table.records if cells.get("quantity") == "drug_class"
    )
    first: dict[str, int] = {}
    for row, cells in table.numbered():
        first.setdefault(cells.get("drug", ""), row)
    for drug, row in first.items():
        if classes[drug] != 1:
            message = f"has {classes[drug]} rows of drug_class; allowed: one"
            yield Problem(table.file, message, row, "drug", drug)


def _classes() -> tuple[str, ...]:
    columns = read_schema("reference")["withdrawal_windows"].columns
    return next(column.allowed for column in columns if column.name == "drug_class")


def simple_name(name: str) -> str:
    """Spell a drug's name without case, hyphens and double spaces, as it is looked up."""
    return " ".join(name.casefold().replace("-", " ").replace("_", " ").split())
