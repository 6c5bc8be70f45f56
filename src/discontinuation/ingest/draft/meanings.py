"""What do the values of a column mean in the canonical tables?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from discontinuation.ingest.draft.columns import Column, plain
from discontinuation.ingest.draft.guess import Guess
from discontinuation.ingest.draft.vocabulary import simplify
from discontinuation.ingest.rows import written

SEXES = {
    "female": r"f|fem|female|woman|women|girl",
    "male": r"m|male|man|men|boy",
    "other": r"other|o|non_?binary|diverse|intersex|undifferentiated",
}
YES = r"y|yes|true|1|1_0"
NO = r"n|no|false|0|0_0"

# Clear words in the name of an arm; every other arm is unspecified. "Placebo" does not say how
# fast the drug went.
STRATEGIES = {
    "taper": r"taper|gradual|reduc(e|tion)|stepwise|hyperbolic|wean",
    "abrupt": r"abrupt|immediate|sudden|cold.turkey",
    "maintain": r"\bmaint|\bcontinu|\bstay",
}
NOT_ALLOCATED = re.compile(
    r"screen(ing)?[ _-]*fail|scrnfail|not (assigned|allocated|treated|randomi)|notassgn|nottrt"
)
LENGTH = re.compile(r"(\d+)[ -]?(day|week|month)s?")
DAYS = {"day": 1, "week": 7, "month": 30}

END_REASONS = {
    "died": r"death|died|dead",
    "lost": r"lost to follow|lost.to|^lost|no longer reachable",
    "adverse_event": r"adverse|side effect|toxicity|intoleran",
    "event": r"relapse|recurrence|lack of efficacy|progressive disease|deteriorat|worsen|^event",
    "reinstated": r"reinstat|restart",
    "rescued": r"rescue",
    "withdrew": r"withdr(ew|awal by|awn|awal of consent|awal)|consent|refus|subject decision"
    r"|participant decision|dropped out|drop-?out|non-?compliance",
    "administrative": r"sponsor|protocol|physician|investigator|site|administrative|study closed"
    r"|terminated|moved|pregnan|ineligib|censored",
    "completed": r"complet|finished|end of study|\bdone\b",
}

UNITS = {
    "mg/day": r"mg|mg_?(per_?)?(d|day|daily)|milligrams?|mg_day",
    "ug/day": r"ug|mcg|µg|μg|(ug|mcg|µg)_?(per_?)?(d|day|daily)|micrograms?",
    "mg/week": r"mg_?(per_?)?(w|wk|week|weekly)",
    "mg/injection": r"mg_?(per_?)?(inj|injection)",
    "ml/day": r"ml|ml_?(per_?)?(d|day|daily)",
    "drops/day": r"drops?|drops?_?(per_?)?(d|day)",
}
ROUTES = {
    "oral": r"oral|po|by_mouth",
    "sublingual": r"sublingual|sl",
    "transdermal": r"transdermal|patch|td",
    "depot": r"depot|lai",
    "injection": r"injection|im|iv|sc|intramuscular|intravenous|subcutaneous",
}


def sex_guess(column: Column, name: str | None = None) -> Guess:
    """Recode a column of sex: from its labels, its words, or a yes to `female` or `male`."""
    recode = _recode_words(column, SEXES)
    flag = re.fullmatch(r"(is_)?(male|female)", simplify(column.name))
    if flag and not recode:
        other = {"male": "female", "female": "male"}[flag[2]]
        recode = {
            plain(value): flag[2] if yes else other
            for value, yes in zip(column.values, map(_is_yes, column.texts), strict=True)
            if yes is not None
        }
    reason = f"{column.quoted()} is the sex"
    unclear = [text for text in column.content_texts if text not in map(str, recode)]
    if unclear:
        reason += f"; what {', '.join(unclear[:8])} means is not clear: write it in recode"
    return Guess(
        {"column": name or column.name, "recode": recode, **_missing(column)},
        reason,
        column.examples,
    )


def strategy_of(text: str) -> str:
    """Tell what an arm did with the drug, if its name has a clear word for one thing only."""
    found = [name for name, words in STRATEGIES.items() if re.search(words, text.lower())]
    return found[0] if len(found) == 1 else "unspecified"


def taper_days_of(text: str) -> int | None:
    """Find the length of a taper in the name of its arm."""
    match = LENGTH.search(text.lower())
    return int(match[1]) * DAYS[match[2]] if match and strategy_of(text) == "taper" else None


def end_reason_guess(column: Column, texts: list[str], name: str | None = None) -> Guess:
    """Recode why observation ended.

    Parameters
    ----------
    column
        The column.
    texts
        Those of its values that occur in the rows that are used.
    name
        How the block calls it, if not by its name.
    """
    words = column.words
    meant = {text: _first(END_REASONS, words[text]) for text in texts}
    recode = {text: reason for text, reason in meant.items() if reason}
    unclear = [words[text] for text, reason in meant.items() if not reason]
    reason = f"{column.quoted()} says why observation ended"
    if unclear:
        reason += f"; what {', '.join(unclear[:8])} means is not clear: add it to recode"
    return Guess(
        {"column": name or column.name, "recode": _as_codes(column, recode), **_missing(column)},
        reason,
        texts[:3],
    )


def unit_guess(column: Column | None, dose: Column, times_a_day: float | None = None) -> Guess:
    """Say the unit of a dose: from a column of units, or from the name of the dose."""
    if column is not None:
        recode = _recode_words(column, UNITS)
        unclear = [text for text in column.content_texts if text not in map(str, recode)]
        reason = f"{column.quoted()} is the unit"
        if unclear:
            reason += f"; what {', '.join(unclear[:8])} means is not clear: add it to recode"
        if any(unit.endswith("/day") for unit in recode.values()) and times_a_day is None:
            reason += "; that it is a dose per day is assumed"
        return Guess({"column": column.name, "recode": recode}, reason, column.examples)
    for unit in UNITS:
        tokens = unit.split("/")[0]
        if re.search(rf"(^|[^a-z]){tokens}([^a-z]|$)", f"{dose.name} {dose.label}".lower()):
            return Guess({"constant": unit}, f"{dose.quoted()} names the unit; per day is assumed")
    return Guess({"constant": "mg/day"}, "nothing says the unit; mg per day is assumed")


def route_guess(column: Column) -> Guess:
    """Recode the route of administration."""
    recode = _recode_words(column, ROUTES)
    return Guess(
        {"column": column.name, "recode": recode},
        f"{column.quoted()} is the route",
        column.examples,
    )


def event_values(column: Column) -> tuple[list[Any], str]:
    """Tell which values of an indicator mean that the event happened.

    Returns
    -------
    values : list
        Empty if it is not an indicator.
    reason : str
    """
    values = [value for value in column.codes[1] if plain(value) not in column.missing]
    words = {value: column.value_labels.get(value, str(written(value))) for value in values}
    if not 0 < len(values) <= 2:
        return [], ""
    named = [value for value in values if _names_event(words[value])]
    if len(named) == 1 and len(values) == 2:
        return named, f"{words[named[0]]!r} names the event"
    yes = [_is_yes(word) for word in words.values()]
    if None not in yes:
        censoring = re.search(r"cens|cnsr", f"{column.name} {column.label}".lower()) is not None
        said = "0 means the event, 1 censored" if censoring else "1 or yes means the event"
        return [v for v, is_yes in zip(values, yes, strict=True) if is_yes != censoring], said
    if set(words.values()) <= {"1", "2"}:
        two = [value for value in values if words[value] == "2"]
        return two, "of 1 and 2, 2 usually means the event"
    return [], ""


def _names_event(word: str) -> bool:
    named = re.search(r"relaps|event|recur|died|dead", word.lower())
    return named is not None and re.search(r"\bno\b|cens|free", word.lower()) is None


def _recode_words(column: Column, meanings: Mapping[str, str]) -> dict[Any, str]:
    """Recode the values whose label, or the value itself, is one of the words."""
    recode = {}
    for value, text in zip(column.values, column.texts, strict=True):
        word = simplify(column.value_labels.get(value, text))
        meant = next((name for name, words in meanings.items() if re.fullmatch(words, word)), None)
        if meant and plain(value) not in column.missing:
            recode[plain(value)] = meant
    return recode


def _as_codes(column: Column, recode: Mapping[str, str]) -> dict[Any, str]:
    codes = dict(zip(column.texts, column.values, strict=True))
    return {plain(codes.get(text, text)): meant for text, meant in recode.items()}


def _first(meanings: Mapping[str, str], text: str) -> str | None:
    plain = text.lower().replace("_", " ")
    return next((name for name, words in meanings.items() if re.search(words, plain)), None)


def _is_yes(text: str) -> bool | None:
    plain = simplify(text)
    if re.fullmatch(YES, plain):
        return True
    return False if re.fullmatch(NO, plain) else None


def _missing(column: Column) -> dict[str, Any]:
    return {"missing": column.missing} if column.missing else {}
