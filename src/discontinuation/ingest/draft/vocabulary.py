"""What do the names and labels of columns usually mean?

Names of SDTM and ADaM, of R and SPSS users, in English. A name must fit as a whole, so that
`page` is no age; a label must hold the words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Role:
    """What a column may stand for.

    Attributes
    ----------
    name
        How the draft calls it.
    names
        Expression for a simplified name, see `simplify`; earlier alternatives are no better.
    labels
        Expression for a part of the label, in small letters.
    """

    name: str
    names: re.Pattern[str]
    labels: re.Pattern[str] | None = None


def _role(name: str, names: str, labels: str | None = None) -> Role:
    return Role(name, re.compile(names), re.compile(labels) if labels else None)


_WHO = r"(subject|subj|participant|ppt|part|patient|pat|person|case|client|respondent|individual)"
_NUMBER = r"(id|ids|no|nr|num|number|code|key|identifier)"
_REASON = r"(reason|cause|status)"
_EVENT = r"(relapse|relapsed|recurrence|event|failure|deterioration|hospitali[sz](ed|ation))"

ROLES = (
    _role(
        "person",
        rf"usubjid|{_WHO}|{_WHO}_?{_NUMBER}|{_NUMBER}_?{_WHO}|id|who|pid|sid|uid|subjid|ssid"
        rf"|record_id|study_?id|{_NUMBER}",
        rf"\b{_WHO}\b.*\b{_NUMBER}\b|\b{_NUMBER}\b.*\b{_WHO}\b",
    ),
    _role("study", r"studyid|study|trial|project|protocol|trial_?id|study_?(name|code|no)"),
    _role(
        "arm",
        r"trt01p|arm|actarm|armcd|trt01a|trtp|trta|((allocated|assigned|planned|random(i[sz]ed)?"
        r"|study|tx|trt)_?)?(rx|arm|treatment|trt|treat|tx|group|grp|condition|allocation"
        r"|intervention|assignment|randomi[sz]ation)(_?(arm|group|grp|name|code|label))?"
        r"|randomi[sz]ed_?to|cohort",
        r"\b(treatment|study|allocated|randomi[sz]ed) (arm|group|condition)\b"
        r"|randomi[sz]ation group|^(arm|group|treatment)$|planned (arm|treatment)",
    ),
    _role("sex", r"sex|gender|(is_?)?(fe)?male|sex_?at_?birth", r"\b(sex|gender)\b"),
    _role("age", r"age(_?(years|yrs|yr|y|bl|baseline|at_?\w+))?|ageyrs?", r"\bage\b"),
    _role(
        "diagnosis",
        r"(main_?|primary_?)?(diagnosis|diag|dx|disorder|indication)(_?(name|code|main|primary))?",
        r"\bdiagnosis\b",
    ),
    _role(
        "prior_exposure_days",
        r"(prior|previous|past|lifetime)_?(exposure|use|treatment|drug|medication)_?(duration|length"
        r"|time)?_?(days|weeks|months|years)?|(duration|length|time)_?(of_?)?(prior|previous|past)_?"
        r"(exposure|use|treatment|drug|medication)_?(days|weeks|months|years)?",
        r"(duration|length) of (prior|previous|past) (treatment|use|exposure)"
        r"|(prior|previous|past) (treatment|use|exposure)",
    ),
    _role(
        "prior_episodes",
        r"(n_?|no_?|num_?|number_?(of_?)?)?(prior|previous|past)_?episodes?|episodes_?(before|prior)",
        r"(previous|prior|past|number of) episodes",
    ),
    _role(
        "previous_attempts",
        r"(n_?|no_?|num_?|number_?(of_?)?)?(prior|previous|past)_?(stop|taper|quit)?_?attempts?",
        r"(previous|prior|past) (stop |taper |quit )?attempts",
    ),
    _role(
        "origin",
        r"(date_?(of_?)?)?(randomi[sz]ation|rand|baseline|enrol?ment|inclusion|entry|first_?dose"
        r"|index|start_?(of_?)?(study|taper))(_?(date|dt|day))?|rfstdtc|trtsdt|rfxstdtc",
        r"(date|day) of (randomi[sz]ation|baseline|enrol?ment|inclusion|first (dose|exposure))",
    ),
    _role(
        "date",
        r"date|dt|adt|((visit|assessment|rating|measurement|sample|interview|test|record|entry"
        r"|diary|dose|dosing|change|obs(ervation)?)_?(date|dt|day))|date_?of_?\w+|\w+dtc|timestamp",
        r"\bdate\b",
    ),
    _role("clock", r"(\w+_?)?time|beeptime|clock|hour(_?of_?day)?", r"time of (the )?day"),
    _role(
        "day",
        r"(study_?|trial_?|rel(ative)?_?)?day(s)?(_?(no|nr|num|number|since_?\w+|in_?study|n))?"
        r"|when|ady|dayno|visit_?day|visitdy|(days|time)_?since_?\w+|time|t|(visit|assessment)_?time",
        r"\b(study|relative|trial) day\b|days since|\bday number\b",
    ),
    _role("week", r"(study_?|visit_?)?(weeks?|wk)(_?(no|nr|num|number))?", r"^(study )?week\b"),
    _role("month", r"(study_?|visit_?)?(months?|mo|mon)(_?(no|nr|num|number))?", r"^month\b"),
    _role(
        "visit",
        r"avisit|visit(_?(name|label|id))?|avisitn|visitnum|visit_?(no|nr|number)|time_?point|wave"
        r"|occasion|assessment_?(no|nr|number)|session",
        r"\bvisit\b|time ?point",
    ),
    _role(
        "dose",
        r"(daily_?|current_?|new_?|total_?|actual_?|taken_?|study_?drug_?|drug_?)?(dose|dosage)"
        r"(_?(mg|ug|mcg|ml|day|d|daily|taken|per_?day|mg_?day|mg_?per_?day|new|amount))*"
        r"|amount(_?mg)?|mg(_?per_?day)?|exdose|concentrat(ion)?|dosis",
        r"\b(dose|dosage)\b|\bmg per day\b|\bmg/day\b",
    ),
    _role("dose_unit", r"(dose_?|dosage_?)?units?|exdosu|dosu|unit_?of_?dose", r"dose unit"),
    _role(
        "drug",
        r"(study_?)?(drug|medication|medicine|compound|substance|agent|med)(_?name)?|extrt",
        r"^(study )?(drug|medication|medicine|substance)( name)?$|name of (the )?(drug|treatment)",
    ),
    _role("route", r"(dose_?)?route|exroute", r"route of administration"),
    _role(
        "start",
        r"((dose_?|exposure_?|episode_?)?(start|begin|from|onset))(_?(day|date|dt|of_?dose))?"
        r"|(day|date)_?(start|from|begin)|first_?day|tstart",
        r"\b(start|first) (day|date)\b|\b(day|date) of start\b",
    ),
    _role(
        "stop",
        r"((dose_?|exposure_?|episode_?)?(stop|end|until|to))(_?(day|date|dt|of_?dose))?"
        r"|(day|date)_?(stop|end|until|to)|last_?day|tstop",
        r"\b(stop|end|last) (day|date)\b|\b(day|date) of (stop|end)\b",
    ),
    _role(
        "instrument",
        r"instrument|scale|questionnaire|qscat|test|measure|scale_?name|test_?name|inventory",
        r"^(instrument|scale|questionnaire)( name)?$",
    ),
    _role(
        "item",
        r"item|items|question|qstestcd|item_?(no|nr|num|number|id|name|code)|itemno|symptom"
        r"|question_?(no|nr|id)|paramcd",
        r"^(item|question|symptom)( (name|number|code))?$",
    ),
    _role(
        "value",
        r"value|score|response|answer|rating|qsstresn|aval|result|val|points|severity"
        r"|item_?(score|value)|resp",
        r"^(score|value|rating|answer|response)$",
    ),
    _role(
        "end_reason",
        rf"(end|exit|dropout|drop_?out|discontinuation|withdrawal|termination|completion|censor"
        rf"(ing)?|off_?study)_?{_REASON}|{_REASON}_?(for_?)?(end|exit|dropout|drop_?out"
        rf"|discontinuation|withdrawal|termination|censoring|leaving)|disposition|dsdecod|dcdecod"
        rf"|completion|end_?of_?study_?status",
        r"reason (for|of) (end|exit|drop ?out|discontinuation|withdrawal|leaving|termination)"
        r"|disposition",
    ),
    _role(
        "end",
        r"(end|last)_?(of_?)?(follow_?up|fu|study|observation|contact|participation|seen|visit)"
        r"(_?(day|date|dt))?|(days?|time)_?(of_?|in_?)?(follow_?up|fu|study|observation)"
        r"|fu_?(time|days|end|day)|fut(ime)?|follow_?up(_?(days?|time|end|date|length|duration))?"
        r"|censor(ing)?_?(day|date|time)|last_?(day|date)|rfendtc|rfendt|days_?followed|eos_?\w*",
        r"(end|last day|date|duration) of (follow[- ]?up|study|observation)|last contact",
    ),
    _role(
        "event",
        rf"{_EVENT}(_?(flag|ind|indicator|status|yn|occurred))?|status|had_?{_EVENT}|is_?{_EVENT}",
        r"\b(relapse|recurrence|event) (indicator|status|flag)\b|^(relapse|relapsed|event)\b",
    ),
    _role(
        "event_time",
        rf"(time|days?)_?to_?\w+|{_EVENT}_?(time|day|date|dt)|(day|date|time)_?of_?{_EVENT}"
        rf"|tte|survival_?time|surv_?time",
        r"(time|days) to (relapse|recurrence|event|failure)"
        r"|(day|date) of (relapse|recurrence|event)",
    ),
)
_BY_NAME = {role.name: role for role in ROLES}


def simplify(name: str) -> str:
    """Write a name in small letters with '_' between its words.

    >>> simplify("PatientId"), simplify("Age (years)"), simplify("USUBJID")
    ('patient_id', 'age_years', 'usubjid')
    """
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"\W+|_+", "_", parted.lower()).strip("_")


def fit(role: str, name: str, label: str) -> int:
    """Tell how well a column fits a role.

    Returns
    -------
    int
        0 not at all, 1 by its label, 2 by its name, 3 by both.
    """
    known = _BY_NAME[role]
    by_name = known.names.fullmatch(simplify(name)) is not None
    by_label = known.labels is not None and known.labels.search(label.lower()) is not None
    return 2 * by_name + by_label
