"""Which item of which instrument does a name mean, and at which time?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from discontinuation.ingest.draft.timing import visit_day
from discontinuation.ingest.draft.vocabulary import simplify
from discontinuation.tables.instruments import TOTAL, Instrument

# How files call the instruments of data/reference/instruments.yaml; the number that some carry
# in their name is optional.
ALIASES = {
    "hamd17": r"(?:ham_?d|hdrs|hrsd|hamilton(?:_?d\w*?)?|ham)(?:_?17)?",
    "madrs": r"madrs",
    "phq9": r"phq(?:_?9)?",
    "gad7": r"gad(?:_?7)?",
    "panss": r"panss",
    "ymrs": r"ymrs",
    "cgi_s": r"cgi_?s(?:ev\w*)?",
    "cgi_i": r"cgi_?i(?:mp\w*)?",
    "dess43": r"dess(?:_?43)?",
}
LABELS = {
    "hamd17": r"ham-?d\b|hamilton (depression|rating scale for depression)|\bhdrs\b|\bhrsd\b",
    "madrs": r"\bmadrs\b|montgomery",
    "phq9": r"\bphq-?9?\b|patient health questionnaire",
    "gad7": r"\bgad-?7\b|generali[sz]ed anxiety disorder",
    "panss": r"\bpanss\b|positive and negative syndrome",
    "ymrs": r"\bymrs\b|young mania",
    "cgi_s": r"\bcgi-?s\b|global impression.*severity",
    "cgi_i": r"\bcgi-?i\b|global impression.*improvement",
    "dess43": r"\bdess\b|discontinuation[- ]emergent",
}
TOTALS = r"total|tot|sum|score|total_?score|sum_?score|tot_?score|ts"
# Items are numbers; those of the PANSS have a letter before them.
NUMBER, ITEMS = r"\d{1,2}", {"panss": r"[png]\d{1,2}"}
# What is cut out of a name as its time: 'w2', 'week12', 'bl', 't0', 'v3', '6m', 'day14'.
WHEN = (
    r"(?:weeks?|wk|w|days?|d|months?|mo|m|visit|vis|v|time|tp|t|wave)\d{1,3}|\d{1,3}(?:w|wk|m|mo)"
    r"|bl|base|baseline|scr|screen|screening|pre|post|end|eot|fu\d?"
)
CUTS = "_. -"
SLOT = re.compile(rf"(?i)(?:(?<=[_.\s-])|^)(?:{WHEN})(?=[_.\s-]|$)")
TIGHT_SLOT = re.compile(r"(?i)(?<=\d)(?:week|wk|w|day|d|visit|v|t|m)(\d{1,3})$")
SPLIT_SLOT = re.compile(
    r"(?i)(?:(?<=[_.\s-])|^)(?:week|wk|w|day|visit|month|time|t)[_.\s-](\d{1,3})(?=[_.\s-]|$)"
)


@dataclass(frozen=True)
class Parsed:
    """A column name taken apart.

    Attributes
    ----------
    template
        The name with {item} and {when} in the places of what varies.
    item, when
        What stands in these places; blank where there is none.
    rest
        The name without all that it says of time.
    """

    template: str
    item: str = ""
    when: str = ""
    rest: str = ""


def parse_name(name: str) -> Parsed:
    """Cut what a name says of time out of it.

    >>> parsed = [parse_name(name) for name in ("ham_1_w2", "HAMD1W2", "madrs.week_4")]
    >>> [(part.template, part.when, part.rest) for part in parsed]
    [('ham_1_{when}', 'w2', 'ham_1'), ('HAMD1W{when}', 'W2', 'HAMD1'), \
('madrs.week_{when}', 'week4', 'madrs')]
    """
    for pattern in (SPLIT_SLOT, SLOT, TIGHT_SLOT):
        slot = pattern.search(name)
        if slot is None or len(slot.group()) == len(name):
            continue
        # The number alone varies where its word is not set off: HAMD1W{when}.
        start, end = slot.span(1 if pattern is not SLOT else 0)
        parts = (name[: slot.start()].rstrip(CUTS), name[slot.end() :].lstrip(CUTS))
        return Parsed(
            template=f"{name[:start]}{{when}}{name[end:]}",
            when=re.sub(rf"[{CUTS}]", "", slot.group()),
            rest="_".join(part for part in parts if part),
        )
    return Parsed(name, rest=name)


def parse_known_name(name: str) -> tuple[str, Parsed] | None:
    """Match a name such as HAMD17_01_w2; the item may be missing (a total)."""
    cut = parse_name(name)
    for instrument, alias in ALIASES.items():
        item = f"{ITEMS.get(instrument, NUMBER)}|{TOTALS}"
        match = re.fullmatch(rf"(?i)(?:.*[_.\s-])?(?:{alias})(?:[_.\s-]?({item}))?", cut.rest)
        if match:
            found = match[1] or ""
            return instrument, Parsed(with_item(cut.template, found), found, cut.when)
    return None


def with_item(template: str, item: str) -> str:
    """Put {item} in the place of the item, the last one where the name holds it twice."""
    if not item or re.fullmatch(TOTALS, simplify(item)):
        return template
    places = [m.start() for m in re.finditer(re.escape(item), template)]
    place = places[-1]
    return f"{template[:place]}{{item}}{template[place + len(item) :]}"


def parse_known_label(name: str, label: str) -> tuple[str, Parsed] | None:
    """Match a label such as 'HAMD item 3: suicide'."""
    label = label.lower()
    for instrument, pattern in LABELS.items():
        match = re.search(pattern, label)
        if not match:
            continue
        rest = label[match.end() :]
        item = re.match(r"[\s,:.-]*(?:item|question|q|no\.?|#)?\s*#?([a-z]?\d{1,2})\b", rest)
        if item or re.search(r"total|sum|score", rest) or not rest.strip():
            cut = parse_name(name)
            found = item[1] if item else ""
            template = f"label {cut.when or _label_moment(rest)}"
            return instrument, Parsed(template, found, cut.when or _label_moment(rest))
    return None


def _label_moment(text: str) -> str:
    match = re.search(r"\b(?:week|day|month|visit)\s*\d{1,3}\b|\bbaseline\b", text)
    return re.sub(r"\s", "", match.group()) if match else ""


def item_name(raw: str, instrument: Instrument | None) -> str | None:
    """Write an item as the instrument calls it, or None if it has no such item."""
    if not raw or re.fullmatch(TOTALS, simplify(raw)):
        return TOTAL
    plain = re.sub(r"^([A-Za-z]?)0+(?=\d)", r"\1", raw)
    if instrument is None:
        return plain
    return next((item for item in instrument.items if item.lower() == plain.lower()), None)


def known_instrument(text: str) -> str | None:
    """Tell which reference instrument a name or label means, or None."""
    plain = simplify(text)
    for name, alias in ALIASES.items():
        if re.fullmatch(alias, plain) or re.search(LABELS[name], text.lower()):
            return name
    return None


def moment_days(moments: Iterable[str]) -> dict[str, float]:
    """Give the day of each moment whose name tells it."""
    days = {when: visit_day(when) for when in moments}
    return {when: day for when, day in days.items() if day is not None}


def instrument_key(text: str) -> str:
    """Make a name for an instrument from the common part of its columns' names."""
    plain = simplify(re.sub(r"\{\w+\}", "", text)).strip("_")
    plain = re.sub(r"_(item|q|w|wk|week|d|day|v|visit|t|m)$", "", plain)
    return plain or "scale"
