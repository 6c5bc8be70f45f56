"""Small canonical tables and definitions for the tests of events."""

import pandas as pd

from conftest import ROOT
from discontinuation.events.derive import derive_deteriorations
from discontinuation.tables.canonical import DTYPES
from discontinuation.tables.instruments import read_instruments
from discontinuation.tables.schema import read_schema

INSTRUMENTS = read_instruments(ROOT / "data" / "reference" / "instruments.yaml")


def table(name, rows):
    """One canonical table; columns that are not given are blank."""
    columns = read_schema("canonical")[name].columns
    frame = pd.DataFrame(rows, columns=[column.name for column in columns])
    return frame.astype({column.name: DTYPES[column.type] for column in columns})


def ratings(instrument, item="total", **people):
    """Rows of assessments: ratings("hamd17", a={0: 10, 7: 18})."""
    return [
        {"person": person, "day": day, "instrument": instrument, "item": item, "value": value}
        for person, values in people.items()
        for day, value in values.items()
    ]


def answers(instrument, person, day, **items):
    """Rows of assessments: all items at the lowest value but those that are given."""
    known = INSTRUMENTS[instrument].items
    low = {name: item.range.minimum or 0 for name, item in known.items() if item.scored}
    values = {**low, **{name.lstrip("_"): value for name, value in items.items()}}
    return [
        {"person": person, "day": day, "instrument": instrument, "item": name, "value": value}
        for name, value in values.items()
        if value is not None
    ]


def dosing(person, *steps, drug="paroxetine", unit="mg/day"):
    """Rows of doses: dosing("a", (0, 14, 20), (14, 28, 10))."""
    return [
        {"person": person, "drug": drug, "start": start, "stop": stop, "dose": dose, "unit": unit}
        for start, stop, dose in steps
    ]


def trial(assessments=(), people=None, end=200, follow_up=None, doses=(), reported=()):
    """All tables that definitions look at; everybody is followed from day 0 to `end`."""
    names = people or sorted(
        {row["person"] for rows in (assessments, doses, reported) for row in rows}
    )
    observed = {
        name: {"person": name, "start": 0, "end": end, "end_reason": "completed"} for name in names
    }
    for name, changed in (follow_up or {}).items():
        observed[name] |= changed
    recorded = [{"episode": 1, "source": "reported", **row} for row in reported]
    return {
        "people": table("people", [{"person": n, "study": "s", "arm": "x"} for n in names]),
        "assessments": table("assessments", list(assessments)),
        "follow_up": table("follow_up", list(observed.values())),
        "doses": table("doses", list(doses)),
        "deteriorations": table("deteriorations", recorded),
    }


def definition(rule=None, **further):
    """One definition in words of YAML."""
    said = {
        "id": "worse",
        "title": "A definition of a test",
        "source": "made up",
        "tag": "P",
        "counts_as": "either",
        "rule": rule or {"instrument": "hamd17", "score": "total", "at_least": 16},
    }
    return {**said, **further}


def derive(tables, *definitions, instruments=INSTRUMENTS):
    """Everything that the definitions find."""
    return derive_deteriorations(definitions or [definition()], tables, instruments)


def found(tables, *definitions, instruments=INSTRUMENTS):
    """Day of detection by person, or a list of days where there are several episodes."""
    events = derive(tables, *definitions, instruments=instruments).deteriorations
    days = events.groupby("person")["detected"].agg(list).to_dict()
    return {person: one[0] if len(one) == 1 else one for person, one in days.items()}


def episodes(tables, *definitions, instruments=INSTRUMENTS):
    """One mapping of column to value for each episode, blanks as None."""
    events = derive(tables, *definitions, instruments=instruments).deteriorations
    plain = events.astype(object).where(events.notna(), None)
    return plain.to_dict("records")


def notes(tables, *definitions, instruments=INSTRUMENTS):
    """Count by note."""
    said = derive(tables, *definitions, instruments=instruments).notes
    return dict(zip(said["note"], said["count"], strict=True))
