"""What do the files of SDTM and ADaM say, whose columns have the same names everywhere?"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from discontinuation.ingest.draft.columns import Column, plain
from discontinuation.ingest.draft.doses import last_day_counts
from discontinuation.ingest.draft.guess import Block, Guess, Remark
from discontinuation.ingest.draft.instruments import Scales
from discontinuation.ingest.draft.long_tables import Answers, long_block
from discontinuation.ingest.draft.meanings import end_reason_guess, route_guess, unit_guess
from discontinuation.ingest.draft.outcomes import REPORTED
from discontinuation.ingest.draft.people import People, person_columns, start_block
from discontinuation.ingest.draft.source import Source
from discontinuation.ingest.draft.timing import Timing, moment_of, row_timing
from discontinuation.tables.instruments import Instrument

TIMES_A_DAY = {"QD": 1, "QAM": 1, "QPM": 1, "QHS": 1, "BID": 2, "TID": 3, "QID": 4, "QOD": 0.5}
WITHDRAWAL_TERMS = r"withdrawal|discontinuation (syndrome|symptom)"
ENDS = ("EOSDT", "RFENDT", "RFENDTC", "TRTEDT")
END_REASONS = ("DCSREAS", "DCDECOD", "EOSSTT", "DCREASCD")


def draft_exposure(source: Source, people: People) -> list[Block]:
    """Draft doses from EX."""
    start = _moment(source, people, "EXSTDY", "EXSTDTC")
    stop = _moment(source, people, "EXENDY", "EXENDTC")
    dose = source.named("EXDOSE")
    if start is None or stop is None or dose is None or not dose.is_number:
        return []
    counts, said = last_day_counts(source, start.days, stop.days)
    end = Guess(
        {**stop.spec, **({"end_of_day": True} if counts else {})},
        f"{stop.reason}; {said}",
        stop.column.examples,
    )
    often, factor = _times_a_day(source)
    spec: dict[str, Any] = {"column": "EXDOSE"}
    if factor not in (None, 1):
        spec["multiply"] = factor
    unit = unit_guess(source.named("EXDOSU"), dose, factor)
    low, high = dose.numbers.min(), dose.numbers.max()
    block = start_block(source, people)
    if stop.column.filled.all():
        block["intervals"] = {"from": "given"}
    else:
        said = "an end that is not given is taken to be the start of the next interval"
        block |= {Remark(said): None, "intervals": {"from": "given", "end": "next"}}
    block["columns"] = person_columns(source) | {
        "drug": Guess(
            {"column": "EXTRT"}, "EXTRT names the treatment", source.columns["EXTRT"].examples
        ),
        "start": start.guess(),
        "stop": end,
        "dose": Guess(spec, f"EXDOSE is the dose{often}: {low:g} to {high:g}", dose.examples),
        "unit": Guess(unit.spec, f"{unit.reason}{often}", unit.examples),
    }
    route = source.named("EXROUTE")
    if route is not None:
        block["columns"]["route"] = route_guess(route)
    return [block]


def _times_a_day(source: Source) -> tuple[str, float | None]:
    """Tell from EXDOSFRQ how many doses a day has."""
    column = source.named("EXDOSFRQ")
    if column is None:
        return "", None
    if len(column.texts) == 1 and column.texts[0] in TIMES_A_DAY:
        factor = TIMES_A_DAY[column.texts[0]]
        return f", {column.texts[0]} (times {factor:g} a day)", factor
    return f", EXDOSFRQ is {', '.join(column.texts[:6])}: mind how many doses a day that is", None


def draft_disposition(source: Source, people: People) -> list[Block]:
    """Draft the follow-up from DS."""
    end = _moment(source, people, "DSSTDY", "DSSTDTC", "DSDTC")
    reason = source.named("DSDECOD")
    if end is None or reason is None:
        return []
    block = start_block(source, people)
    rows = np.ones(source.length, dtype=bool)
    where: Block = {}
    category = source.named("DSCAT")
    if category is not None and "DISPOSITION EVENT" in category.texts:
        where["DSCAT"] = ["DISPOSITION EVENT"]
        rows &= category.codes[0] == category.texts.index("DISPOSITION EVENT")
    listed = rows & _of_known_people(source, people)
    texts = _occurring(reason, listed)
    of_others = [text for text in _occurring(reason, rows) if text not in texts]
    if of_others:
        where["DSDECOD"] = {"not": of_others}
    if where:
        block["where"] = where
    if len(np.unique(source.persons[listed])) < listed.sum():
        block[Remark("some people have several dispositions; the last one is taken")] = None
        block["one_per"] = {"columns": ["USUBJID"], "by": end.column.name, "take": "last"}
    block["columns"] = person_columns(source) | {
        "start": {"constant": 0},
        "end": end.guess(),
        "end_reason": end_reason_guess(reason, texts),
    }
    return [block]


def _occurring(column: Column, rows: npt.NDArray[np.bool_]) -> list[str]:
    return [column.texts[code] for code in np.unique(column.codes[0][rows]) if code >= 0]


def draft_subject_level(source: Source, people: People) -> list[Block]:
    """Draft the follow-up from ADSL, where there is no DS."""
    end = _moment(source, people, *ENDS)
    if end is None:
        return []
    reason = source.named(*END_REASONS)
    unknown = Guess({"constant": "unknown"}, "no column says why observation ended")
    guess = end_reason_guess(reason, reason.content_texts) if reason else unknown
    return [
        start_block(source, people)
        | {
            "columns": person_columns(source)
            | {"start": {"constant": 0}, "end": end.guess(), "end_reason": guess}
        }
    ]


def draft_time_to_event(source: Source, people: People) -> list[Block]:
    """Draft deteriorations from ADTTE, in which CNSR 0 means the event."""
    parameter, time = source.columns["PARAMCD"], _event_time(source, people)
    words = _descriptions(parameter, source.named("PARAM"))
    if time is None:
        return []
    block = start_block(source, people)
    block[Remark("CNSR 0 is the event, 1 and more are reasons for censoring")] = None
    block["where"] = {"CNSR": {"is": [0]}}
    block["columns"] = person_columns(source) | {
        "episode": {"constant": 1},
        "definition": Guess(
            {"column": "PARAMCD"},
            f"each PARAMCD is a definition ({_listed(words)}): leave out those "
            "that are no deterioration",
            parameter.examples,
        ),
        "detected": time,
        "source": REPORTED,
    }
    return [block]


def draft_times_of_follow_up(source: Source, people: People) -> list[Block]:
    """Draft the follow-up from ADTTE, where neither DS nor ADSL tells it."""
    time = _event_time(source, people)
    if time is None:
        return []
    parameter = source.columns["PARAMCD"]
    block = start_block(source, people)
    if len(parameter.texts) > 1:
        said = "one parameter must stand for the follow-up; the first is taken"
        block |= {Remark(said): None, "where": {"PARAMCD": [parameter.texts[0]]}}
    why = "CNSR 0 is the event; the censored are taken to end by plan"
    codes = [plain(code) for code in source.columns["CNSR"].codes[1]]
    recode = {code: "event" if code == 0 else "administrative" for code in codes}
    block["columns"] = person_columns(source) | {
        "start": {"constant": 0},
        "end": time,
        "end_reason": Guess({"column": "CNSR", "recode": recode}, why),
    }
    return [block]


def _listed(words: Mapping[str, str]) -> str:
    return ", ".join(f"{code} = {said}" for code, said in list(words.items())[:6])


def _event_time(source: Source, people: People) -> Guess | None:
    """Tell whether AVAL counts from 1 or from 0, by the dates beside it."""
    value = source.columns["AVAL"]
    if not value.is_number:
        return None
    start, end = _moment(source, people, "STARTDT", "TRTSDT"), _moment(source, people, "ADT")
    said = "AVAL is the time from the origin"
    if start is None or end is None:
        timing = moment_of(source, value)
        assert timing is not None
        return Guess(
            timing.spec, f"{said}; no dates tell whether it counts from 0 or 1", value.examples
        )
    apart = (end.days - start.days)[value.filled]
    if np.nanmax(np.abs(value.every_number[value.filled] - apart - 1), initial=0) < 0.5:
        reason = f"{said} and is ADT - {start.column.name} + 1: the first day is 1"
        return Guess({"study_day": "AVAL"}, reason, value.examples)
    if np.nanmax(np.abs(value.every_number[value.filled] - apart), initial=0) < 0.5:
        reason = f"{said} and is ADT - {start.column.name}: the first day is 0"
        return Guess({"day": "AVAL"}, reason, value.examples)
    return Guess(
        {"day": "AVAL"},
        f"{said}, but is not the days between {start.column.name} and ADT: write its unit",
        value.examples,
    )


def draft_scores(source: Source, people: People, reference: Mapping[str, Instrument]) -> Scales:
    """Draft assessments from QS, or from an ADaM dataset of parameters and values."""
    is_sdtm = source.domain == "qs"
    timing = row_timing(source)
    value = source.named("QSSTRESN") if is_sdtm else source.columns["AVAL"]
    if timing is None or value is None or not value.is_number:
        return Scales()
    item = source.columns["QSTESTCD" if is_sdtm else "PARAMCD"]
    scale = source.named("QSCAT") if is_sdtm else source.named("PARCAT1", "PARAM")
    if not is_sdtm and scale is not None and scale.name == "PARAM" and len(scale.texts) > 1:
        scale = None
    rows, where = _observed(source)
    words = _descriptions(item, source.named("QSTEST" if is_sdtm else "PARAM"))
    scales = Scales()
    for name in scale.texts if scale is not None else [""]:
        block = start_block(source, people)
        mine, condition = rows, where
        if scale is not None and len(scale.texts) > 1:
            mine = rows & (scale.codes[0] == scale.texts.index(name))
            condition = {scale.name: [name]} | where
        if condition:
            block["where"] = condition
        several = len(np.unique(item.codes[0][mine])) > 1
        answers = Answers(value, mine, item if several else None, scale, name, words)
        scales.add(long_block(source, block, answers, timing, reference))
    return scales


def _descriptions(code: Column, words: Column | None) -> dict[str, str]:
    """Give the description of each code, from the column beside it."""
    if words is None:
        return {}
    first = {text: int(np.flatnonzero(code.codes[0] == i)[0]) for i, text in enumerate(code.texts)}
    cells = {text: int(words.codes[0][row]) for text, row in first.items()}
    return {text: words.texts[cell] for text, cell in cells.items() if cell >= 0}


def _observed(source: Source) -> tuple[npt.NDArray[np.bool_], Block]:
    """Leave out values that were filled in by rule (DTYPE, such as LOCF)."""
    derived = source.named("DTYPE")
    if derived is None:
        return np.ones(source.length, dtype=bool), {}
    return ~derived.filled, {"DTYPE": {"present": False}}


def draft_adverse_events(source: Source, people: People) -> list[Block]:
    """Draft deteriorations from AE for terms that name withdrawal; others are no deterioration."""
    term = source.named("AEDECOD", "AETERM")
    start = _moment(source, people, "AESTDY", "AESTDTC")
    end = _moment(source, people, "AEENDY", "AEENDTC")
    if term is None or start is None:
        return []
    named = [text for text in term.texts if re.search(WITHDRAWAL_TERMS, text.lower())]
    if not named:
        return []
    number = source.named("AESEQ")
    block = start_block(source, people)
    block["where"] = {term.name: named}
    columns = person_columns(source) | {
        "episode": {"column": number.name} if number is not None else {"constant": 1},
        "definition": {"constant": "reported_withdrawal"},
        "detected": Guess(start.spec, f"{start.reason}; {term.name} names withdrawal", named[:3]),
        "adjudicated": {"constant": "withdrawal"},
        "source": REPORTED,
    }
    if end is not None:
        columns["resolved"] = end.guess()
    block["columns"] = columns
    return [block]


def _moment(source: Source, people: People, *names: str) -> Timing | None:
    """Take the column that tells the time of most rows of listed people, the first if equal."""
    found = [
        timing
        for name in names
        if (column := source.named(name)) is not None
        and (timing := moment_of(source, column)) is not None
    ]
    listed = _of_known_people(source, people)
    return max(found, key=lambda timing: int(timing.column.filled[listed].sum()), default=None)


def _of_known_people(source: Source, people: People) -> npt.NDArray[np.bool_]:
    person: Column | None = source.person
    if person is None:
        return np.ones(source.length, dtype=bool)
    listed = np.array([*(text in people.known for text in person.texts), False])
    return np.asarray(listed[person.codes[0]])


DOSES: dict[str, Callable[[Source, People], list[Block]]] = {"ex": draft_exposure}
FOLLOW_UP: dict[str, Callable[[Source, People], list[Block]]] = {
    "ds": draft_disposition,
    "adsl": draft_subject_level,
    "adtte": draft_times_of_follow_up,
}
DETERIORATIONS: dict[str, Callable[[Source, People], list[Block]]] = {
    "adtte": draft_time_to_event,
    "ae": draft_adverse_events,
}
SCORES = ("qs", "bds")
