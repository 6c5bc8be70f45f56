"""What is known about a drug, from which source, and how well?"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from discontinuation.ingest.reference import read_reference_folder
from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.tables.reference_rules import UNITS, WORDS, simple_name

TAGS = ("V", "V2", "UM", "D", "P")
DOUBTFUL = ("UM", "P")

CURVE_COLUMNS = {"emax": "emax", "k": "k", "fitted_range": "dose_high"}

# What coverage is counted of.
QUANTITIES = (
    "drug_class",
    "formulation",
    "target",
    "half_life",
    "emax",
    "k",
    "fitted_range",
    "minimum_effective_dose",
    "dose_equivalent",
)


@dataclass(frozen=True)
class Fact:
    """One fact with its source.

    Attributes
    ----------
    quantity
        What it states; see the drugs table.
    value, low, high
        The number and its range, in `unit`; None where the source gives none.
    text
        The fact, where it is a word.
    moiety, variant
        Substance and circumstance to which it is confined.
    use
        "default" or "alternative".
    source, tag, note
        Key of the sources table, provenance (V, V2, UM, D, P), what to know.
    """

    quantity: str
    value: float | None
    low: float | None
    high: float | None
    unit: str | None
    text: str | None
    moiety: str | None
    variant: str | None
    use: str
    source: str
    tag: str
    note: str | None

    @property
    def central(self) -> float | None:
        """The value, or where only a range is given its geometric middle; None for one end."""
        if self.value is not None or self.low is None or self.high is None:
            return self.value
        return math.sqrt(self.low * self.high)

    @property
    def ends(self) -> tuple[float, float] | None:
        """The range; the value twice where it has none; None where it is open."""
        low = self.value if self.low is None else self.low
        high = self.value if self.high is None else self.high
        return None if low is None or high is None else (low, high)


@dataclass(frozen=True)
class Curve:
    """One fitted occupancy curve, emax x^h / (k^h + x^h).

    Attributes
    ----------
    curve
        Key of the parameter set.
    target, region
        Receptor or transporter, part of the brain.
    emax, emax_low, emax_high
        Largest occupancy and its 95 % limits, in percent. Above 100 it is an artefact of the fit.
    k
        x at half of Emax, in `unit`: mg/day or ng/mL.
    hill
        Exponent; 1 where the source does not give the form.
    dose_low, dose_high
        Range that was fitted, in `unit`.
    use, source, tag, note
        As in `Fact`.
    """

    curve: str
    target: str
    region: str | None
    emax: float | None
    emax_low: float | None
    emax_high: float | None
    k: float | None
    unit: str | None
    hill: float | None
    dose_low: float | None
    dose_high: float | None
    use: str
    source: str
    tag: str
    note: str | None

    @property
    def usable(self) -> bool:
        """Whether an occupancy can be computed from it."""
        return self.emax is not None and self.k is not None

    @property
    def d50(self) -> float | None:
        """Dose for 50 % absolute occupancy; None where Emax does not exceed 50."""
        if self.emax is None or self.k is None or self.emax <= 50:
            return None
        return float(self.k * (50 / (self.emax - 50)) ** (1 / (self.hill or 1.0)))


@dataclass(frozen=True)
class Equivalent:
    """The dose that a published set puts beside a dose of its reference drug.

    Attributes
    ----------
    equivalence, method
        The set and how it was made.
    dose, low, high
        Equivalent dose and its range, in `unit`.
    reference_drug, reference_dose
        What it is equivalent to.
    source, tag, note
        As in `Fact`.
    """

    equivalence: str
    method: str
    dose: float | None
    low: float | None
    high: float | None
    unit: str
    reference_drug: str
    reference_dose: float
    source: str
    tag: str
    note: str | None


@dataclass(frozen=True)
class Drug:
    """Everything the reference tables hold about one drug.

    Attributes
    ----------
    name
        As the drugs table spells it.
    facts, curves, equivalents
        In the order of their tables; of several half-lives or curves one is the default.
    """

    name: str
    facts: tuple[Fact, ...]
    curves: tuple[Curve, ...] = ()
    equivalents: tuple[Equivalent, ...] = ()

    @property
    def drug_class(self) -> str:
        """Its class."""
        return self.words("drug_class")[0]

    @property
    def formulation(self) -> str | None:
        """oral, depot, sublingual, injection or nasal; None where no source says."""
        return next(iter(self.words("formulation")), None)

    @property
    def partial_agonist(self) -> bool:
        """Whether its occupancy must not be read as blockade."""
        return "partial agonist" in self.words("action")

    def words(self, quantity: str) -> tuple[str, ...]:
        """Return a fact in words, of which there may be several, such as targets."""
        return tuple(f.text for f in self.facts if f.quantity == quantity and f.text)

    def fact(
        self, quantity: str, moiety: str | None = None, variant: str | None = None
    ) -> Fact | None:
        """Find the default fact, or that of another substance or circumstance.

        Parameters
        ----------
        quantity
            Such as "half_life" or "minimum_effective_dose".
        moiety, variant
            Such as "fluoxetine" (for the parent's half-life) or "poor metaboliser". With either,
            the first row that fits, default or not.

        Returns
        -------
        Fact or None
            None where no source gives it, or where none is fit to be the default.
        """
        for fact in self.facts:
            fits = moiety in (None, fact.moiety) and variant in (None, fact.variant)
            asked = moiety is not None or variant is not None
            if fact.quantity == quantity and fits and (asked or fact.use == "default"):
                return fact
        return None

    @property
    def half_life(self) -> Fact | None:
        """Half-life for timing rules, hours: of the active moiety, or of release from a depot."""
        return self.fact("half_life")

    @property
    def half_lives(self) -> tuple[Fact, ...]:
        """Every half-life held, in hours."""
        return tuple(fact for fact in self.facts if fact.quantity == "half_life")

    @property
    def minimum_effective_dose(self) -> Fact | None:
        """Minimum effective dose, in mg/day."""
        return self.fact("minimum_effective_dose")

    def curve(self, key: str | None = None) -> Curve | None:
        """Find the default occupancy curve, or the one with this key; None where there is none."""
        for curve in self.curves:
            if curve.curve == key or (key is None and curve.use == "default"):
                return curve
        return None

    def why_no_half_life(self) -> str | None:
        """Say why timing rules have no half-life to use, or return None if they have."""
        if self.half_life is not None:
            known = self.half_life.central is not None
            return None if known else f"half-life of {self.name}: {self.half_life.note}"
        if not self.half_lives:
            return f"no source for a half-life of {self.name} is held"
        return f"half-life of {self.name}: {self.half_lives[0].note}"

    def why_no_occupancy(self) -> str | None:
        """Say why no occupancy can be computed from a dose, or return None if it can."""
        if self.curve() is not None:
            return None
        if not self.curves:
            return f"no source for an occupancy curve of {self.name} is held"
        held = "; ".join(f"{curve.curve}: {_lacks(curve)}" for curve in self.curves)
        return f"no curve of {self.name} can be used ({held})"

    def tag(self, quantity: str) -> str | None:
        """Tag of the value that is used unless another is asked for; None where there is none.

        Parameters
        ----------
        quantity
            A quantity of the drugs table, or "emax", "k", "fitted_range" (of the default curve,
            else of the first that holds it), "dose_equivalent" (of the first set).

        Raises
        ------
        ValueError
            For any other quantity.
        """
        if quantity in CURVE_COLUMNS:
            column = CURVE_COLUMNS[quantity]
            ranked = sorted(self.curves, key=lambda curve: curve.use != "default")
            return next((c.tag for c in ranked if getattr(c, column) is not None), None)
        if quantity == "dose_equivalent":
            return next((row.tag for row in self.equivalents), None)
        if quantity not in WORDS and quantity not in UNITS:
            names = [*WORDS, *UNITS, *CURVE_COLUMNS, "dose_equivalent"]
            raise ValueError(f"quantity: {quantity!r}: {allowed_values(names, quantity)}")
        fact = self.fact(quantity)
        return fact.tag if fact and (fact.text or fact.central is not None) else None

    def doubtful(self, quantity: str) -> str | None:
        """Return the tag of a value that must be marked wherever it is used: UM, P, or None.

        Parameters
        ----------
        quantity
            As in `tag`.
        """
        tag = self.tag(quantity)
        return tag if tag in DOUBTFUL else None


@dataclass(frozen=True)
class Drugs:
    """The drugs of the reference tables.

    Attributes
    ----------
    by_name
        Drug by its name, in the order of the table.
    citations
        Citation by the key of the source.
    file
        Where they were read.
    """

    by_name: Mapping[str, Drug]
    citations: Mapping[str, str] = field(default_factory=dict, repr=False)
    file: str = "drugs.csv"

    def __iter__(self) -> Iterator[Drug]:
        return iter(self.by_name.values())

    def __len__(self) -> int:
        return len(self.by_name)

    def find(
        self, name: str, file: str = "the request", row: int | None = None, column: str = "drug"
    ) -> Drug:
        """Find a drug by its name or a synonym, whatever its case and hyphens.

        Parameters
        ----------
        name
            Drug as somebody wrote it.
        file, row, column
            Where it was written, for the message.

        Raises
        ------
        InvalidInput
            If there is no such drug, with the nearest names.
        """
        known = self._names()
        if simple_name(name) not in known:
            near = self._near(simple_name(name), known)
            hint = f"did you mean {' or '.join(near)}?" if near else "no name is near"
            message = f"is none of the {len(self)} drugs of {self.file} ({hint})"
            refuse([Problem(file, message, row, column, name)])
        return self.by_name[known[simple_name(name)]]

    def _names(self) -> dict[str, str]:
        """Name in the table by every simplified name."""
        names = {simple_name(s): d.name for d in self for s in d.words("synonym")}
        return names | {simple_name(drug.name): drug.name for drug in self}

    @staticmethod
    def _near(name: str, known: Mapping[str, str]) -> list[str]:
        """Up to three drugs: names within the one written or around it, then similar spellings."""
        within = [k for k in known if len(name) > 3 and (k in name or name in k)]
        close = difflib.get_close_matches(name, known, n=3, cutoff=0.7)
        return list(dict.fromkeys(repr(known[key]) for key in [*within, *close]))[:3]


def read_drugs(folder: Path) -> Drugs:
    """Read everything the reference tables hold about drugs.

    Parameters
    ----------
    folder
        data/reference, or a folder of tables of the same form.

    Raises
    ------
    InvalidInput
        With every problem of every table.
    """
    tables = read_reference_folder(folder)
    facts = _by_drug(tables["drugs"], Fact)
    curves = _by_drug(tables["occupancy_curves"], Curve)
    equivalents = _by_drug(tables["dose_equivalents"], Equivalent)
    drugs = {
        name: Drug(name, held, curves.get(name, ()), equivalents.get(name, ()))
        for name, held in facts.items()
    }
    sources = tables["sources"]
    return Drugs(drugs, dict(zip(sources["source"], sources["citation"], strict=True)))


def coverage(drugs: Drugs) -> pd.DataFrame:
    """Count for how many drugs each quantity has a source, and of which kind.

    Parameters
    ----------
    drugs
        From `read_drugs`.

    Returns
    -------
    DataFrame
        One row per quantity and class of drug, then per quantity for all: quantity, drug_class,
        drugs, with_value, share, and the number of drugs by the tag of the value used by default
        (V, V2, UM, D, P). A half-life counts where timing rules can use it, emax and k where a
        curve gives them.
    """
    tags = pd.DataFrame(
        [(q, drug.drug_class, drug.tag(q)) for q in QUANTITIES for drug in drugs],
        columns=["quantity", "drug_class", "tag"],
    )
    both = pd.concat([tags, tags.assign(drug_class="all")])
    groups = both.groupby(["quantity", "drug_class"], sort=False)["tag"]
    counted = groups.agg(drugs="size", with_value="count")
    counted["share"] = counted["with_value"] / counted["drugs"]
    for tag in TAGS:
        counted[tag] = groups.agg(lambda column, tag=tag: int((column == tag).sum()))
    return counted.reset_index()


def _lacks(curve: Curve) -> str:
    missing = [name for name in ("emax", "k") if getattr(curve, name) is None]
    text = f"{' and '.join(missing)} not held" if missing else f"per {curve.unit}, not by dose"
    return f"{text}, {curve.note}" if curve.note else text


Row = TypeVar("Row", Fact, Curve, Equivalent)


def _by_drug(frame: pd.DataFrame, kind: type[Row]) -> dict[str, tuple[Row, ...]]:
    """Rows of a table as objects, by drug."""
    names = [entry.name for entry in fields(kind)]
    rows: dict[str, list[Row]] = {}
    for record in frame.to_dict("records"):
        cells = {name: _or_none(record[name]) for name in names}
        rows.setdefault(record["drug"], []).append(kind(**cells))
    return {drug: tuple(found) for drug, found in rows.items()}


def _or_none(value: Any) -> Any:
    return None if value is None or value != value else value
