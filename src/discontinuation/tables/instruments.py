"""What may an instrument's items hold, and which of them can withdrawal raise?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

import yaml

from discontinuation.config import complete_config
from discontinuation.problems import InvalidInput, Problem, allowed_values, refuse

Scoring = Literal["sum", "mean", "none"]

TOTAL = "total"


@dataclass(frozen=True)
class Provenance:
    """Where a fact comes from: V, V2, UM, D or P, and the source in words."""

    tag: str
    source: str


@dataclass(frozen=True)
class Range:
    """What a number may be; None where no source says."""

    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """Its two ends, infinite where they are not known."""
        low = -math.inf if self.minimum is None else self.minimum
        return low, math.inf if self.maximum is None else self.maximum


@dataclass(frozen=True)
class Item:
    """One item of an instrument.

    Attributes
    ----------
    range
        What it may hold.
    label
        Short name, in our own words.
    scored
        Whether it counts towards the total.
    group
        Family of the symptom.
    tier
        A near-specific to withdrawal, B physical but non-specific, C shared with the illness.
    raises
        Items of other instruments that this symptom can raise, by instrument.
    """

    range: Range = Range()
    label: str = ""
    scored: bool = True
    group: str | None = None
    tier: str | None = None
    raises: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Instrument:
    """A scale, diary or test.

    Attributes
    ----------
    name, title
        Identifier and full name.
    items
        The items by name, in their order.
    total
        Range of the instrument's own total; None if it has none or no source says.
    higher_is_worse
        Direction of the scores.
    scoring
        How items become the total or a subscale: their sum, their mean, or not at all.
    unlisted
        Value of an item that a rating does not list, where a rating lists only what was found
        (a urine screen, spontaneous reports); None where such an item is simply missing.
    subscales
        Named sets of items. ``"overlap"`` are those that withdrawal can raise, ``"core"`` those
        that it can hardly raise; ``"tier_a"`` and the like follow from the items' tiers.
    provenance
        Source of ``"items"``, ``"total"`` and each subscale.
    """

    name: str
    title: str
    items: Mapping[str, Item]
    total: Range | None = None
    higher_is_worse: bool = True
    scoring: Scoring = "sum"
    unlisted: float | None = None
    subscales: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    provenance: Mapping[str, Provenance] = field(default_factory=dict)

    def item_names(self) -> list[str]:
        """Names that an assessment of this instrument may have as its item."""
        return [*self.items, *self.subscales, TOTAL]

    def members(self, score: str) -> tuple[str, ...]:
        """Items that make up the total or a subscale; none for an item or without a rule."""
        if self.scoring == "none" or score in self.items:
            return ()
        if score == TOTAL:
            return tuple(name for name, item in self.items.items() if item.scored)
        return self.subscales.get(score, ())

    def limits(self, score: str) -> tuple[float, float] | None:
        """Lowest and highest value of an item, a subscale or the total.

        Returns
        -------
        tuple of float, or None
            An infinite end where it is not known; None for a name that the instrument does not
            have.
        """
        if score in self.items:
            return self.items[score].range.ends
        if score == TOTAL and self.total is not None:
            return self.total.ends
        if score != TOTAL and score not in self.subscales:
            return None
        ends = [self.items[name].range.ends for name in self.members(score)]
        if not ends:
            return -math.inf, math.inf
        share = len(ends) if self.scoring == "mean" else 1
        return sum(low for low, _ in ends) / share, sum(high for _, high in ends) / share

    def best(self, score: str) -> float | None:
        """Value of a score in perfect health, or None if it is not known."""
        limits = self.limits(score)
        end = limits[0 if self.higher_is_worse else 1] if limits else math.inf
        return end if math.isfinite(end) else None

    def reach(self, score: str) -> float | None:
        """How many points lie between the two ends of a score, or None if it is not known."""
        low, high = self.limits(score) or (-math.inf, math.inf)
        return high - low if math.isfinite(high - low) else None


_RANGE: dict[str, Any] = {
    "type": ["array", "object"],
    "items": {"type": "number"},
    "minItems": 2,
    "maxItems": 3,
    "additionalProperties": False,
    "properties": {
        "minimum": {"type": "number"},
        "maximum": {"type": "number"},
        "step": {"type": "number", "exclusiveMinimum": 0},
    },
}
_NAMES = {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True}
_TEXT = {"type": "string", "minLength": 1}
_ITEM = {
    **_RANGE,
    "properties": {
        **_RANGE["properties"],
        "label": {"type": "string"},
        "scored": {"type": "boolean"},
        "group": _TEXT,
        "tier": {"enum": ["A", "B", "C"]},
        "raises": {"type": "object", "additionalProperties": _NAMES},
    },
}
_FACT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["tag", "source"],
    "properties": {
        "tag": {"enum": ["V", "V2", "UM", "D", "P"], "description": "how it is known"},
        "source": {**_TEXT, "description": "where it is stated"},
    },
}
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "One instrument",
    "description": "An instrument of its own, or a reference one with what differs.",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "reference": {**_TEXT, "description": "An instrument of data/reference/instruments.yaml"},
        "title": {**_TEXT, "description": "Full name"},
        "higher_is_worse": {"type": "boolean", "description": "Direction of the scores"},
        "scoring": {
            "enum": ["sum", "mean", "none"],
            "description": "How items become the total and the subscales",
        },
        "unlisted": {
            "type": "number",
            "description": "Value of an item that a list of what was found does not name",
        },
        "items": {
            "type": ["object", "array"],
            "items": {"type": "string"},
            "uniqueItems": True,
            "additionalProperties": _ITEM,
            "description": "The items: their names, or name: [minimum, maximum, step]",
        },
        "every_item": {**_RANGE, "description": "Range of every item that states none"},
        "total": {**_RANGE, "description": "Range of the total"},
        "subscales": {
            "type": "object",
            "additionalProperties": _NAMES,
            "description": "Named sets of items",
        },
        "provenance": {
            "type": "object",
            "additionalProperties": _FACT,
            "description": "Source of the items, the total and each subscale",
        },
    },
}


def read_instruments(path: Path) -> dict[str, Instrument]:
    """Read the reference instruments.

    Parameters
    ----------
    path
        data/reference/instruments.yaml.

    Returns
    -------
    dict
        Instrument by name, in the order of the file.

    Raises
    ------
    InvalidInput
        With every problem, a fact without its source among them.
    """
    file = path.name
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InvalidInput([Problem(file, f"cannot be read ({reason})")]) from None
    if not isinstance(content, dict):
        raise InvalidInput([Problem(file, "allowed: a group of keys, one for each instrument")])
    instruments = instruments_from(content, {}, file, "")
    refuse(
        Problem(file, "the source is missing", column=f"{name}.provenance.{fact}")
        for name, instrument in instruments.items()
        for fact in _facts(instrument)
        if fact not in instrument.provenance
    )
    return instruments


def instruments_from(
    texts: Mapping[str, Any],
    references: Mapping[str, Instrument],
    file: str = "instruments",
    place: str = "instruments",
) -> dict[str, Instrument]:
    """Read several instruments, as a dataset declares them.

    Parameters
    ----------
    texts
        What is declared, by the name under which the assessments know the instrument.
    references
        From `read_instruments`.
    file, place
        How messages call the file and the key that holds the instruments.

    Raises
    ------
    InvalidInput
        With the problems of all of them.
    """
    found, problems = {}, []
    for name, text in texts.items():
        try:
            found[str(name)] = instrument_from(str(name), text, references, file, place)
        except InvalidInput as error:
            problems += error.problems
    refuse(problems)
    return found


def instrument_from(
    name: str,
    text: Mapping[str, Any],
    references: Mapping[str, Instrument] | None = None,
    file: str = "instruments",
    place: str = "",
) -> Instrument:
    """Read one instrument.

    Parameters
    ----------
    name
        The name under which the assessments know it.
    text
        ``{reference: hamd17}``, alone or with whatever differs; or ``items`` of its own, as a
        list of names or as name: [minimum, maximum, step]. See `SCHEMA`.
    references
        Instruments that it may refer to.
    file, place
        How messages call the file and the key that holds the instrument.

    Raises
    ------
    InvalidInput
        With every unknown key, item and reference, every range that runs backwards, and a total
        whose range is not what the items add up to.
    """
    where = f"{place}.{name}".lstrip(".")
    text = complete_part(_with_text_names(text), SCHEMA, file, where)
    references = references or {}
    base = references.get(text.get("reference", ""), Instrument(name, name, {}))
    instrument = _build(name, text, base)
    found = [*_reference_problems(text, references)]
    found = found or [*_range_problems(text), *_problems(instrument)]
    refuse(Problem(file, said, column=f"{where}.{key}".strip(".")) for key, said in found)
    return replace(instrument, subscales={**instrument.subscales, **_tiers(instrument.items)})


def complete_part(text: Any, schema: dict[str, Any], file: str, place: str) -> dict[str, Any]:
    """Check one part of a configuration and fill in its defaults.

    Parameters
    ----------
    text
        The part, as read from YAML.
    schema
        Its JSON schema.
    file, place
        How messages call the file and the key that holds the part.

    Raises
    ------
    InvalidInput
        As `complete_config`, each problem with its whole path.
    """
    try:
        return complete_config(text, schema, file)
    except InvalidInput as error:
        found = [
            replace(problem, column=".".join(filter(None, [place, problem.column])))
            for problem in error.problems
        ]
    raise InvalidInput(found)


def _with_text_names(text: Any) -> Any:
    """Take the names of items as text: YAML reads an item called 1 as a number."""
    if not isinstance(text, Mapping):
        return text
    plain = dict(text)
    if isinstance(plain.get("items"), Mapping):
        plain["items"] = {str(name): item for name, item in plain["items"].items()}
    elif isinstance(plain.get("items"), list):
        plain["items"] = _as_text(plain["items"])
    if isinstance(plain.get("subscales"), Mapping):
        plain["subscales"] = {str(k): _as_text(v) for k, v in plain["subscales"].items()}
    return plain


def _as_text(names: Any) -> Any:
    if not isinstance(names, list):
        return names
    return [str(n) if isinstance(n, int) and not isinstance(n, bool) else n for n in names]


def _reference_problems(
    text: Mapping[str, Any], references: Mapping[str, Instrument]
) -> Iterator[tuple[str, str]]:
    name = text.get("reference")
    if name is not None and name not in references:
        known = allowed_values(list(references), name)
        yield "reference", f"there is no reference instrument called {name!r}; {known}"
    if name is None and not text.get("items") and "total" not in text:
        yield "", "says neither 'reference' nor 'items' nor the range of a 'total'"


def _range_problems(text: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    ranges = {key: text[key] for key in ("every_item", "total") if key in text}
    if isinstance(text.get("items"), Mapping):
        ranges |= {f"items.{name}": item for name, item in text["items"].items()}
    for key, written in ranges.items():
        low, high = _range(written).ends
        if low > high:
            yield key, f"the range runs backwards, from {low:g} to {high:g}"
        if isinstance(written, list) and len(written) == 3 and written[2] <= 0:
            yield key, "allowed as a step: a number above 0"


def _build(name: str, text: Mapping[str, Any], base: Instrument) -> Instrument:
    """Put an instrument together from what is written and what it is derived from."""
    subscales = {key: tuple(items) for key, items in text.get("subscales", {}).items()}
    facts = {key: Provenance(**fact) for key, fact in text.get("provenance", {}).items()}
    return Instrument(
        name=name,
        title=text.get("title", base.title),
        items=_items(text, base),
        total=_range(text["total"]) if "total" in text else base.total,
        higher_is_worse=text.get("higher_is_worse", base.higher_is_worse),
        scoring=cast(Scoring, text.get("scoring", base.scoring)),
        unlisted=text.get("unlisted", base.unlisted),
        # Subscales named after tiers are made anew from the items.
        subscales={
            key: items
            for key, items in {**base.subscales, **subscales}.items()
            if key not in _tiers(base.items)
        },
        provenance={**base.provenance, **facts},
    )


def _items(text: Mapping[str, Any], base: Instrument) -> dict[str, Item]:
    written = text.get("items", {})
    if isinstance(written, list):
        written = {name: {} for name in written}
    items = {
        **base.items,
        **{name: _item(item, base.items.get(name)) for name, item in written.items()},
    }
    if "every_item" in text:
        common = _range(text["every_item"])
        items = {
            name: replace(item, range=common) if item.range == Range() else item
            for name, item in items.items()
        }
    return items


def _item(written: Any, base: Item | None) -> Item:
    base = base or Item()
    if isinstance(written, list):
        return replace(base, range=_range(written))
    stated = {"minimum", "maximum", "step"} & set(written)
    return Item(
        range=_range(written) if stated else base.range,
        label=written.get("label", base.label),
        scored=written.get("scored", base.scored),
        group=written.get("group", base.group),
        tier=written.get("tier", base.tier),
        raises={k: tuple(v) for k, v in written.get("raises", base.raises).items()},
    )


def _range(written: Any) -> Range:
    if isinstance(written, list):
        return Range(*written)
    return Range(written.get("minimum"), written.get("maximum"), written.get("step"))


def _tiers(items: Mapping[str, Item]) -> dict[str, tuple[str, ...]]:
    tiers = sorted({item.tier for item in items.values() if item.tier})
    return {
        f"tier_{tier.lower()}": tuple(name for name, item in items.items() if item.tier == tier)
        for tier in tiers
    }


def _facts(instrument: Instrument) -> list[str]:
    """List what a reference instrument must name the source of."""
    tiers = _tiers(instrument.items)
    facts = [name for name in instrument.subscales if name not in tiers]
    facts += ["tiers"] if tiers else []
    facts += ["items"] if instrument.items else []
    return facts + (["total"] if instrument.total else [])


def _problems(instrument: Instrument) -> Iterator[tuple[str, str]]:
    """Find what an instrument says that cannot be, with the key it stands under."""
    names = list(instrument.items)
    if TOTAL in names:
        yield f"items.{TOTAL}", "no item can be called so; it stands for the total"
    for name, members in instrument.subscales.items():
        if name in names or name == TOTAL:
            yield f"subscales.{name}", "is the name of an item or of the total already"
        for unknown in (item for item in members if item not in names):
            said = f"{unknown!r} is no item; {allowed_values(names, unknown)}"
            yield f"subscales.{name}", said
    for fact in instrument.provenance:
        known = ["items", "tiers", TOTAL, *instrument.subscales]
        if fact not in known:
            yield f"provenance.{fact}", f"is nothing that is stated; {allowed_values(known, fact)}"
    if instrument.unlisted is not None:
        yield from _unlisted_problems(instrument, instrument.unlisted)
    added = replace(instrument, total=None).limits(TOTAL)
    if instrument.total is not None and added is not None:
        yield from _sum_problems(instrument.total.ends, added)


def _unlisted_problems(instrument: Instrument, value: float) -> Iterator[tuple[str, str]]:
    for name, item in instrument.items.items():
        low, high = item.range.ends
        if not low <= value <= high:
            yield "unlisted", f"{value:g}: {name} lies from {low:g} to {high:g}"
            return


def _sum_problems(stated: Sequence[float], added: Sequence[float]) -> Iterator[tuple[str, str]]:
    for end, said, found in zip(("lowest", "highest"), stated, added, strict=True):
        if math.isfinite(said) and math.isfinite(found) and not math.isclose(said, found):
            message = f"the {end} total is {said:g}, but the items make it {found:g}"
            yield TOTAL, message
