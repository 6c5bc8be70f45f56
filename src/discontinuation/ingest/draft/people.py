"""Who took part, in which study and arm, and from when is time counted?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.ingest.draft.columns import Column
from discontinuation.ingest.draft.guess import Block, Guess, Remark
from discontinuation.ingest.draft.meanings import (
    NOT_ALLOCATED,
    sex_guess,
    strategy_of,
    taper_days_of,
)
from discontinuation.ingest.draft.source import Source, unique_rows
from discontinuation.ingest.draft.timing import unit_of

# A column with more different values than this is no column of arms.
MOST_ARMS = 12
ARM_NAMES = ("TRT01P", "ARM", "TRTP", "TRT01A", "ACTARM")
ONLY_PERSON, ONLY_ARM = "1", "all"
UNKNOWN_OF_A_STUDY = {
    "title": "",
    "drug_class": "antidepressant, antipsychotic, mood_stabiliser, benzodiazepine, stimulant, "
    "nonstimulant, gabapentinoid, opioid or other",
    "design": "parallel_trial, crossover_trial, single_case, case_series, cohort or registry",
    "allocation_randomised": "true or false: were the arms, and was the pace, allocated at random?",
    "pace_randomised": "",
    "source": "where the data are described: citation or DOI",
}
COUNTED = ("prior_exposure_days", "prior_episodes", "previous_attempts")


@dataclass(eq=False)
class People:
    """The people of a dataset as the draft makes them.

    Attributes
    ----------
    studies, arms, blocks
        Blocks of these tables and of people.
    known
        The people, as text.
    source
        The file that lists them; None for a single person.
    """

    studies: list[Block]
    arms: list[Block]
    blocks: list[Block]
    known: set[str] = field(default_factory=set)
    source: Source | None = None


def draft_people(sources: Sequence[Source], name: str) -> People:
    """Draft studies, arms and people.

    Parameters
    ----------
    sources
        The files, with their column of persons.
    name
        Name of the dataset, which becomes that of its study where no column names one.
    """
    with_people = [source for source in sources if source.person is not None]
    if not with_people:
        row = {"person": ONLY_PERSON, "study": name, "arm": ONLY_ARM}
        said = Remark(
            "no column names a person: the files are taken for those of one person; if each row is "
            "another person, the file needs a column that numbers them"
        )
        return People(
            [_studies([name])],
            [_arms({ONLY_ARM: name})],
            [{said: None, "rows": [row]}],
            {ONLY_PERSON},
        )
    base = max(with_people, key=_rank)
    return _from_base(base, with_people, name)


def person_columns(source: Source) -> Block:
    """Make the column `person` of a block."""
    if source.person is None:
        return {"person": {"constant": ONLY_PERSON}}
    spec = {"column": source.person.name}
    return {"person": Guess(spec, source.person_reason, source.person.examples)}


def start_block(source: Source, people: People) -> Block:
    """Start a block from a file; rows of people who are not listed are left out, and counted."""
    block: Block = {"from": source.key}
    if source.person is not None:
        strangers = len(set(source.person.texts) - people.known)
        if strangers:
            said = f"people who are not listed: {strangers:,}; their rows are left out, and counted"
            block |= {Remark(said): None, "only_known_people": True}
    return block


def blank_rows(columns: Mapping[str, Column], rows: npt.NDArray[np.bool_] | None = None) -> Block:
    """Say how many rows lack what they must have; `check` refuses them until it is decided."""
    block: Block = {}
    for what, column in columns.items():
        blank = ~column.filled if rows is None else rows & ~column.filled
        if blank.any():
            said = (
                f"rows without a {what}: {int(blank.sum()):,}; if they are to be left out: where: "
            )
            block[Remark(said + f"{{{column.name}: {{present: true}}}}")] = None
    return block


def one_row_each(source: Source, needed: Sequence[Column]) -> Block:
    """Say how a person's many rows become one, or nothing if there is one already.

    Parameters
    ----------
    source
        The file.
    needed
        The columns that the block uses, besides that of the person.
    """
    assert source.person is not None
    if source.one_row_each:
        return {}
    person = source.person.name
    if all(source.same_within_person(column) for column in needed):
        said = "a person's rows say the same here; the first stands for all of them"
        gap = next((column for column in needed if not _told_at_once(source, column)), None)
        where = {"where": {gap.name: {"present": True}}} if gap is not None else {}
        return {Remark(said): None, **where, "combine": {"columns": [person]}}
    chosen = next((c for c in source.columns.values() if _tells_rows_apart(source, c)), None)
    if chosen is None:
        return {Remark("a person has several rows: declare which one, see one_per"): None}
    said = f"a person has several rows; that with the smallest {chosen.name!r} is taken"
    rule = {"columns": [person], "by": chosen.name, "take": "first"}
    return {Remark(said): None, "one_per": rule}


def _told_at_once(source: Source, column: Column) -> bool:
    """Whether each person's first row tells what any of the person's rows tell."""
    first = unique_rows(source.persons)
    told = np.unique(source.persons[first][column.filled[first]])
    return len(told) == len(np.unique(source.persons[column.filled]))


def _tells_rows_apart(source: Source, column: Column) -> bool:
    sortable = column.is_number or (column.kind == "dates" and "iso" in column.orders)
    return sortable and bool(column.filled.all()) and source.differs_within_person(column.codes[0])


def _rank(source: Source) -> tuple[int, ...]:
    """Order the files by how likely they list the people."""
    arm = arm_column(source)
    domain = {"adsl": 2, "dm": 1}.get(source.domain or "", 0)
    return (
        arm is not None,
        domain,
        source.one_row_each,
        arm is not None and source.same_within_person(arm),
        source.person_count,
    )


def arm_column(source: Source) -> Column | None:
    """Find the column of arms: planned before actual, words before codes."""

    def can_be(column: Column) -> bool:
        fine = column.kind in ("text", "numbers") and (column.is_whole or not column.is_number)
        few = 2 <= len(column.content_texts) <= MOST_ARMS
        return fine and few and (source.length > len(column.values) or source.length < 5)

    named = source.named(*ARM_NAMES)
    if named is not None and can_be(named):
        return named
    found = [column for column in source.all_of("arm", can_be) if source.same_within_person(column)]
    found = found or source.all_of("arm", can_be)
    return next((c for c in found if not c.is_number or c.value_labels), next(iter(found), None))


def _from_base(base: Source, sources: Sequence[Source], name: str) -> People:
    assert base.person is not None
    arm = arm_column(base)
    left_out = [text for text in arm.texts if NOT_ALLOCATED.search(text.lower())] if arm else []
    where, kept = _allocated(base, arm, left_out)
    known = {base.person.texts[code] for code in np.unique(base.persons[kept]) if code >= 0}
    attributes, joins = _attributes(base, sources)
    study = _study(base, sources)
    if study is not None and study[0] is not base:
        joins.setdefault(study[0].key, _join(base, study[0]))
    mine = [base.columns.get(guess.spec.get("column", "")) for guess in attributes.values()]
    needed = [arm, study[1] if study and study[0] is base else None, *mine]
    rule = one_row_each(base, [column for column in needed if column is not None])
    block: Block = {"from": base.key}
    if joins:
        block["join"] = list(joins.values())
    block |= where | rule
    if "where" in where and "where" in rule:
        block["where"] = where["where"] | rule["where"]
    columns = person_columns(base)
    columns["study"] = _study_guess(base, *study) if study else {"constant": name}
    columns["arm"] = _arm_guess(arm, left_out) if arm else {"constant": ONLY_ARM}
    block["columns"] = {**columns, **attributes}
    studies = study[1].content_texts if study else [name]
    labels = _arm_labels(arm, left_out) if arm else [ONLY_ARM]
    home = _study_of_arms(base, arm, *study) if arm and study else {}
    arms = _arms({label: home.get(label, studies[0]) for label in labels})
    return People([_studies(studies)], [arms], [block], known, base)


def _allocated(
    base: Source, arm: Column | None, left_out: Sequence[str]
) -> tuple[Block, npt.NDArray[np.bool_]]:
    """Leave out who failed the screening or has no arm; also say which rows are kept."""
    kept = np.ones(base.length, dtype=bool)
    if arm is None:
        return {}, kept
    condition: Block = {}
    said = list(left_out)
    if left_out:
        condition["not"] = list(left_out)
        kept &= ~np.isin(arm.codes[0], [arm.texts.index(text) for text in left_out])
    if not arm.filled.all():
        condition["present"] = True
        kept &= arm.filled
        said.append(f"rows without an arm: {int((~arm.filled).sum()):,}")
    if not condition:
        return {}, kept
    return {Remark(f"left out: {', '.join(said)}"): None, "where": {arm.name: condition}}, kept


def _arm_labels(arm: Column, left_out: Sequence[str]) -> list[str]:
    """List the arms, by the labels of their codes where the file has them."""
    return [
        arm.value_labels.get(value, text)
        for value, text in zip(arm.values, arm.texts, strict=True)
        if text in arm.content_texts and text not in left_out
    ]


def _arm_guess(arm: Column, left_out: Sequence[str]) -> Guess:
    told = {label: strategy_of(label) for label in _arm_labels(arm, left_out)}
    clear = [
        f"{label} = {strategy}" for label, strategy in told.items() if strategy != "unspecified"
    ]
    reason = f"{arm.quoted()} is the arm; look at the strategies of the arms above as well"
    if clear:
        reason += f", which were guessed from words: {', '.join(clear)}"
    spec: dict[str, Any] = {"column": arm.name}
    if arm.value_labels:
        spec["labels"] = True
    if arm.missing:
        spec["missing"] = arm.missing
    return Guess(spec, reason, arm.examples)


def _arms(studies: dict[str, str]) -> Block:
    """Write out the arms, each with its study."""
    rows = []
    for arm, study in studies.items():
        row: Block = {"study": study, "arm": arm, "strategy": strategy_of(arm)}
        days = taper_days_of(arm)
        if days is not None:
            row["taper_days"] = days
        rows.append(row)
    said = "strategy: maintain, abrupt, taper or unspecified; for a taper its taper_days"
    return {Remark(said): None, "rows": rows}


def _studies(studies: Sequence[str]) -> Block:
    """Write out the studies with all that no file can tell left blank, which `check` refuses."""
    rows: list[Block] = []
    for study in studies:
        row: Block = {"study": study}
        for column, said in UNKNOWN_OF_A_STUDY.items():
            if said and not rows:
                row[Remark(said)] = None
            row[column] = None
        rows.append(row | {"synthetic": False})
    return {"rows": rows}


def _study(base: Source, sources: Sequence[Source]) -> tuple[Source, Column] | None:
    """Find the column of studies, in the file of people or in one that lists them as well."""
    for source in [base, *_beside(base, sources)]:
        column = source.best("study", lambda c: 1 <= len(c.values) <= 50 and c.kind != "dates")
        if column is not None and (source is base or len(column.values) > 1):
            return source, column
    return None


def _study_guess(base: Source, home: Source, study: Column) -> Guess:
    name = study.name if home is base else f"{home.key}.{study.name}"
    return Guess({"column": name}, f"{study.quoted()} names the study", study.examples)


def _study_of_arms(base: Source, arm: Column, home: Source, study: Column) -> dict[str, str]:
    """Find the study in which most people of each arm are."""
    assert base.person is not None
    assert home.person is not None
    texts = np.array([*home.person.texts, ""])[home.persons]
    of_person = dict(zip(texts, study.codes[0], strict=True))
    people = np.array([*base.person.texts, ""])[base.persons]
    frame = pd.DataFrame({"arm": arm.codes[0], "study": [of_person.get(p, -1) for p in people]})
    counts = frame.loc[(frame >= 0).all(axis=1)].value_counts().reset_index()
    first = counts.drop_duplicates("arm").set_index("arm")["study"]
    labels = [arm.value_labels.get(v, t) for v, t in zip(arm.values, arm.texts, strict=True)]
    return {labels[int(str(code))]: study.texts[int(place)] for code, place in first.items()}


def _beside(base: Source, sources: Sequence[Source]) -> list[Source]:
    """List the other files with one row per person."""
    return [source for source in sources if source is not base and source.one_row_each]


def _join(base: Source, other: Source) -> Block:
    assert base.person is not None
    assert other.person is not None
    return {
        "file": other.key,
        "on": {base.person.name: other.person.name},
        "unmatched": "blank",
    }


def _attributes(
    base: Source, sources: Sequence[Source]
) -> tuple[dict[str, Guess], dict[str, Block]]:
    """Find age, sex and the like in the file of people, or in others to be joined."""
    found: dict[str, Guess] = {}
    joins: dict[str, Block] = {}
    for role in ("age", "sex", "diagnosis", *COUNTED):
        for source in [base, *_beside(base, sources)]:
            column = source.best(role, lambda c, r=role: _plausible(c, r))  # type: ignore[misc]
            if column is None:
                continue
            if source is base and not source.same_within_person(column):
                continue
            name = column.name if source is base else f"{source.key}.{column.name}"
            found[role] = _attribute(role, column, name)
            if source is not base:
                joins[source.key] = _join(base, source)
            break
    return found, joins


def _plausible(column: Column, role: str) -> bool:
    numbers = column.numbers
    if role == "age":
        return column.is_number and bool(numbers.min() >= 0 and numbers.max() <= 120)
    if role == "sex":
        return len(column.content_texts) <= 4
    if role == "diagnosis":
        return column.kind == "text" or bool(column.value_labels)
    return column.is_number and bool(numbers.min() >= 0)


def _attribute(role: str, column: Column, name: str) -> Guess:
    if role == "sex":
        return sex_guess(column, name)
    missing = {"missing": column.missing} if column.missing else {}
    if role == "prior_exposure_days":
        unit = unit_of(column)
        return Guess(
            {"day": name, "unit": unit, **missing},
            f"{column.quoted()} counts {unit}",
            column.examples,
        )
    spec: dict[str, Any] = {"column": name, **missing}
    if role == "diagnosis" and column.value_labels:
        spec["labels"] = True
    low, high = (column.numbers.min(), column.numbers.max()) if column.is_number else (0, 0)
    said = f": {low:g} to {high:g}" if column.is_number else ""
    return Guess(spec, f"{column.quoted()} is the {role.replace('_', ' ')}{said}", column.examples)
