"""Properties of derived events, and a slow twin of the algorithm that anybody can read."""

import math
from dataclasses import dataclass

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from events.small_trial import definition, derive, dosing, ratings, trial

property_test = settings(max_examples=15, deadline=None, derandomize=True, database=None)

TOTAL = {"instrument": "hamd17", "score": "total"}
MOMENTS = ["onset", "onset_earliest", "onset_latest", "detected", "reinstated", "resolved"]


@dataclass
class Plan:
    """One definition: a HAMD-17 total against a threshold."""

    threshold: int
    onset: int | None
    visits: int
    of: int
    within: float
    lasting: float
    missing: str
    wait: bool
    recovery: int
    start: int
    end: int

    def text(self):
        persistence = {"visits": self.visits, "missing": self.missing}
        if self.lasting:
            persistence["for_days"] = self.lasting
        else:
            persistence["of"] = self.of
        if self.within < math.inf:
            persistence["within_days"] = self.within
        further = {"onset": {**TOTAL, "at_least": self.onset}} if self.onset else {}
        return definition(
            {**TOTAL, "at_least": self.threshold},
            persistence=persistence,
            if_met_at_start="wait" if self.wait else "count",
            recovery={"visits": self.recovery},
            repeated=True,
            **further,
        )


plans = st.builds(
    lambda more, within, **rest: Plan(
        of=rest["visits"] + more, within=max(within, rest["lasting"]), **rest
    ),
    threshold=st.sampled_from([12, 18]),
    onset=st.sampled_from([None, 8, 12]),
    visits=st.integers(1, 3),
    more=st.integers(0, 2),
    within=st.sampled_from([math.inf, 10, 20]),
    lasting=st.sampled_from([0, 0, 5, 12]),
    missing=st.sampled_from(["skip", "not_met"]),
    wait=st.booleans(),
    recovery=st.integers(1, 2),
    start=st.sampled_from([-20, 0, 10]),
    end=st.sampled_from([30, 60, 200]),
)
# Gap to the next visit, and the total; None: too few answers for one.
courses = st.lists(
    st.tuples(st.integers(1, 12), st.sampled_from([None, 5, 8, 12, 12, 18, 18, 25])), max_size=16
)


def as_visits(course):
    """Visits from day -15 on."""
    day, visits = -15, []
    for gap, value in course:
        day += gap
        visits.append((day, value))
    return visits


def rows_of(person, visits):
    """Assessments: a total, or a single answer that makes no total."""
    rows = []
    for day, value in visits:
        item = ("total", value) if value is not None else ("1", 0)
        rows += ratings("hamd17", item[0], **{person: {day: item[1]}})
    return rows


def slow_twin(visits, plan):
    """Episodes of one person, found by looking at every visit."""
    met = {day: value is not None and value >= plan.threshold for day, value in visits}
    decided = [day for day, value in visits if value is not None]
    lower = min(plan.threshold, plan.onset or plan.threshold)
    worse = {day: value >= lower for day, value in visits if value is not None}
    found, after, since = [], -math.inf, plan.start
    while True:
        window = next(windows(visits, met, decided, plan, after), None)
        if window is None or window[1] > plan.end:
            return found
        first, detected = window
        onset, earliest = trace_back(first, decided, worse, since)
        well = [day for day in decided if detected < day <= plan.end]
        resolved, confirmed = recovered(well, met, plan.recovery)
        found.append((earliest, onset, detected, resolved))
        if resolved is None:
            return found
        after, since = confirmed, resolved


def windows(visits, met, decided, plan, after):
    """First and last visit of each stretch that is enough, in time."""
    usable = [
        day
        for day, value in visits
        if day > 0 and day >= plan.start and day > after
        if value is not None or plan.missing == "not_met"
        if not (plan.wait and met[day] and began_before_risk(day, decided, met))
    ]
    for last in range(len(usable)):
        for first in range(last, -1, -1):
            stretch = usable[first : last + 1]
            if enough(stretch, [met[day] for day in stretch], plan):
                yield stretch[0], stretch[-1]
                break


def enough(stretch, hits, plan):
    """Whether the visits of a stretch settle it."""
    if not (hits[0] and hits[-1]) or stretch[-1] - stretch[0] > plan.within:
        return False
    if plan.lasting:
        long = stretch[-1] - stretch[0] >= plan.lasting
        return all(hits) and long and len(hits) >= plan.visits
    return sum(hits) >= plan.visits and len(hits) <= plan.of


def began_before_risk(day, decided, met):
    """Whether a person was never seen well between the start of risk and a visit."""
    run = day
    for earlier in reversed([other for other in decided if other < day]):
        if not met[earlier]:
            return run <= 0
        run = earlier
    return True


def trace_back(first, decided, worse, since):
    """Onset, and the last fine visit before it."""
    earlier = [day for day in decided if day < first]
    onset = first
    while earlier and worse[earlier[-1]]:
        day = earlier.pop()
        onset = day if day >= since else onset
    return onset, earlier[-1] if earlier else None


def recovered(well, met, visits):
    """First and last of enough visits in a row at which the person is well."""
    run = []
    for day in well:
        run = [] if met[day] else [*run, day]
        if len(run) == visits:
            return run[0], run[-1]
    return None, None


@settings(property_test, max_examples=100)
@given(st.lists(courses, min_size=1, max_size=6), plans)
def test_the_fast_way_finds_what_the_slow_twin_finds(several, plan):
    people = {f"p{number}": as_visits(course) for number, course in enumerate(several)}
    tables = trial(
        [row for person, visits in people.items() for row in rows_of(person, visits)],
        people=list(people),
        end=plan.end,
        follow_up={person: {"start": plan.start} for person in people},
    )
    events = derive(tables, plan.text()).deteriorations
    plain = events.astype(object).where(events.notna(), None)
    found = {person: [] for person in people}
    for row in plain.itertuples():
        assert row.episode == len(found[row.person]) + 1
        assert row.onset == row.onset_latest
        assert row.resolution_censored is (row.resolved is None)
        found[row.person].append((row.onset_earliest, row.onset, row.detected, row.resolved))
    assert found == {person: slow_twin(visits, plan) for person, visits in people.items()}


def everything(courses, shift=0, end=90):
    """Tables with ratings, doses and records of several people, all shifted by some days."""
    rows, doses, reported = [], [], []
    for number, course in enumerate(courses):
        person = f"p{number}"
        visits = [(day + shift, value) for day, value in as_visits(course)]
        rows += rows_of(person, visits)
        stop = shift + 10 + 5 * number
        steps = [(shift - 30, stop, 20), (stop, stop + 10, 10), (stop + 10, shift + 99, 5)]
        doses += dosing(person, *steps, (shift + 99, shift + 120, 10 * (number % 2)))
        reported.append(
            {"person": person, "definition": "hospital", "detected": shift + 17 * number}
        )
    names = [f"p{number}" for number in range(len(courses))]
    observed = {name: {"start": shift, "end": shift + end} for name in names}
    return trial(rows, people=names, follow_up=observed, doses=doses, reported=reported)


SIDE_BY_SIDE = [
    definition(
        {"any": [{**TOTAL, "at_least": 18}, {"reported": "hospital"}]},
        id="either",
        risk={"from": "follow_up"},
        recovery={"visits": 1},
        repeated=True,
    ),
    definition(
        {**TOTAL, "change": "points", "at_least": 5, "baseline": "risk_start"},
        id="rise",
        risk={"from": "dose_change", "until_days": 40},
        onset={**TOTAL, "at_least": 8},
    ),
    definition(
        {"any": [{"reinstatement": "increase"}, {**TOTAL, "at_least": 12}]},
        id="again",
        risk={"from": "last_dose"},
        persistence={"visits": 2, "of": 3},
    ),
    definition(
        {"all": [{**TOTAL, "at_least": 12}, {**TOTAL, "change": "percent", "at_least": 20,
                                           "baseline": "risk_start"}]},
        id="both",
        risk={"from": "dose_reduction"},
    ),
]  # fmt: skip

several_courses = st.lists(courses, min_size=1, max_size=6)


@property_test
@given(several_courses, st.sampled_from([-28, 7, 100]))
def test_shifting_time_shifts_events(several, shift):
    here = derive(everything(several), *SIDE_BY_SIDE).deteriorations
    there = derive(everything(several, shift), *SIDE_BY_SIDE).deteriorations
    pd.testing.assert_frame_equal(here.assign(**{m: here[m] + shift for m in MOMENTS}), there)


@property_test
@given(several_courses, courses)
def test_a_further_person_changes_nobody_elses_events(several, further):
    before = derive(everything(several), *SIDE_BY_SIDE).deteriorations
    after = derive(everything([*several, further]), *SIDE_BY_SIDE).deteriorations
    others = after.loc[after["person"] != f"p{len(several)}"].reset_index(drop=True)
    pd.testing.assert_frame_equal(before, others)


@property_test
@given(several_courses, st.integers(0, 99))
def test_the_order_of_rows_and_people_changes_nothing(several, seed):
    tables = everything(several)
    mixed = {name: table.sample(frac=1, random_state=seed) for name, table in tables.items()}
    first, second = derive(tables, *SIDE_BY_SIDE), derive(mixed, *SIDE_BY_SIDE)
    pd.testing.assert_frame_equal(first.deteriorations, second.deteriorations)
    pd.testing.assert_frame_equal(first.assessed, second.assessed)
    order = ["definition", "person", "note"]
    pd.testing.assert_frame_equal(
        first.notes.sort_values(order, ignore_index=True),
        second.notes.sort_values(order, ignore_index=True),
    )


@property_test
@given(several_courses, plans)
def test_a_stricter_definition_is_never_met_earlier(several, plan):
    plan.wait, plan.lasting = False, 0
    people = {f"p{number}": rows_of(f"p{number}", as_visits(c)) for number, c in enumerate(several)}
    tables = trial([row for rows in people.values() for row in rows], people=list(people))
    mild = plan.text()
    days = first_days(tables, mild)
    threshold = {**mild, "rule": {**TOTAL, "at_least": plan.threshold + 3}}
    once_more = {
        **mild,
        "persistence": {**mild["persistence"], "visits": plan.visits + 1, "of": plan.of + 1},
    }
    for strict in (threshold, once_more):
        for person, day in first_days(tables, strict).items():
            # One more visit of one more: the same stretch with one visit before it.
            assert day >= days[person]


def first_days(tables, text):
    """Day of the first detection by person."""
    events = derive(tables, text).deteriorations
    return events.groupby("person")["detected"].min().to_dict()


@property_test
@given(several_courses, plans)
def test_every_episode_is_in_order_and_within_the_follow_up(several, plan):
    tables = everything(several, end=plan.end)
    for text in (plan.text(), *SIDE_BY_SIDE):
        events = derive(tables, text).deteriorations
        known = events.dropna(subset="onset")
        assert not (known["onset_earliest"] >= known["onset"]).any()
        assert (known["onset"] >= 0).all()
        assert (known["onset"] <= known["detected"]).all()
        assert not (events["resolved"] <= events["detected"]).any()
        assert events["detected"].between(0, plan.end).all()
