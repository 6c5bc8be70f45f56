"""A made-up trial of twelve people in three arms, small enough to be counted by hand."""

import pandas as pd

TAPER = [(0, 14, 20.0), (14, 28, 10.0), (28, 100, 0.0)]
STOP = [(0, 100, 0.0)]
STAY = [(0, 100, 20.0)]
# person: arm, doses since day 0, end of follow-up, reason; None: no record
PEOPLE = {
    "k1": ("keep", STAY, 100, "completed"),
    "k2": ("keep", STAY, 100, "completed"),
    "k3": ("keep", STAY, 50, "lost"),
    "s1": ("stop", STOP, 100, "completed"),
    "s2": ("stop", STOP, 40, "event"),
    "s3": ("stop", STOP, 20, "withdrew"),
    "s4": ("stop", None, 0, "withdrew"),
    "t1": ("taper", TAPER, 100, "completed"),
    "t2": ("taper", TAPER, 100, "completed"),
    "t3": ("taper", [(0, 14, 20.0), (14, 21, 10.0), (21, 100, 20.0)], 100, "reinstated"),
    "t4": ("taper", TAPER, 60, "lost"),
    "t5": ("taper", None, None, None),
}
RUN_IN = (-28, 0, 20.0)  # everybody took 20 mg before
VISITS = (0, 14, 28, 56, 84)


def trial():
    """Return fresh tables, for a test to change."""
    return {
        "studies": studies(),
        "arms": arms(),
        "people": people(),
        "planned_doses": planned(),
        "doses": doses(),
        "assessments": assessments(),
        "follow_up": follow_up(),
        "deteriorations": deteriorations(),
    }


def studies():
    return pd.DataFrame(
        {
            "study": ["made-up"],
            "title": ["Keep, stop or taper"],
            "year": [2025],
            "drug_class": ["antidepressant"],
            "design": ["parallel_trial"],
            "allocation_randomised": [True],
            "pace_randomised": [True],
            "blinding": ["double"],
            "switch_concealed": [True],
            "relapse_definition": ["HAMD-17 of 18 or more"],
            "withdrawal_measured": [True],
            "synthetic": [True],
            "source": ["tests"],
        }
    )


def arms():
    """List the arms; the source says one person more in "stop" and one fewer in "taper"."""
    return pd.DataFrame(
        {
            "study": "made-up",
            "arm": ["keep", "stop", "taper"],
            "label": ["Kept the drug", "Stopped at once", "Tapered over four weeks"],
            "strategy": ["maintain", "abrupt", "taper"],
            "taper_days": [None, 0.0, 28.0],
            "cointervention": None,
            "n": pd.array([3, 5, 4], dtype="Int64"),
        }
    )


def people():
    return pd.DataFrame(
        {
            "person": list(PEOPLE),
            "study": "made-up",
            "arm": [arm for arm, *_ in PEOPLE.values()],
            "age": [None, 40.0, *[50.0] * 10],
            "sex": ["female"] * 6 + ["male"] * 6,
        }
    )


def doses():
    rows = [
        (person, start, stop, dose)
        for person, (_, intervals, *_) in PEOPLE.items()
        for start, stop, dose in ([RUN_IN, *intervals] if intervals else [])
    ]
    frame = pd.DataFrame(rows, columns=["person", "start", "stop", "dose"])
    frame[["start", "stop"]] = frame[["start", "stop"]].astype(float)
    return frame.assign(drug="sertraline", unit="mg/day", route="oral")


def planned():
    rows = [("taper", start, stop, dose) for start, stop, dose in TAPER]
    rows += [("stop", 0, None, 0.0), ("keep", 0, None, 20.0)]
    frame = pd.DataFrame(rows, columns=["arm", "start", "stop", "dose"])
    frame[["start", "stop"]] = frame[["start", "stop"]].astype(float)
    return frame.assign(person=None, drug="sertraline", unit="mg/day", step="real")


def assessments():
    """Rate everybody with follow-up at the visits they live to see, but k2 only at the first."""
    rows = [
        (person, float(day), "hamd", item, 5.0)
        for person, (_, _, end, _) in PEOPLE.items()
        for day in VISITS
        for item in ("item_1", "total")
        if end is not None and day <= end and (person != "k2" or day == 0)
    ]
    return pd.DataFrame(rows, columns=["person", "day", "instrument", "item", "value"])


def follow_up():
    known = {person: row for person, row in PEOPLE.items() if row[2] is not None}
    return pd.DataFrame(
        {
            "person": list(known),
            "start": 0.0,
            "end": [float(end) for *_, end, _ in known.values()],
            "end_reason": [reason for *_, reason in known.values()],
        }
    )


def deteriorations():
    """Two definitions: three people relapse by the first, one of them twice; one by the second."""
    columns = ["person", "episode", "definition", "onset", "detected", "reinstated", "source"]
    rows = [
        ("s2", 1, "relapse", 30.0, 40.0, None, "derived"),
        ("t3", 1, "relapse", 14.0, 20.0, 21.0, "derived"),
        ("t3", 2, "relapse", 60.0, 70.0, None, "derived"),
        ("k1", 1, "relapse", 80.0, 90.0, None, "derived"),
        ("s1", 1, "hospital", None, 10.0, None, "reported"),
    ]
    return pd.DataFrame(rows, columns=columns)
