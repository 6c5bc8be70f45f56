"""Does the display format of a SAS, SPSS or Stata variable say that its numbers are dates?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from discontinuation.ingest.readers.typed_columns import (
    DAY,
    MILLISECOND,
    SECOND,
    durations,
    instants,
)

Package = Literal["SAS", "SPSS", "Stata"]
Kind = Literal["dates", "dates and times", "times", "parts of dates", "leap-second times"]

# Microseconds from 1970-01-01 to what each package counts from.
ORIGIN = {
    "SAS": int(np.datetime64("1960-01-01", "us").astype(np.int64)),
    "SPSS": int(np.datetime64("1582-10-14", "us").astype(np.int64)),
    "Stata": int(np.datetime64("1960-01-01", "us").astype(np.int64)),
}
# As far from 1582 as today, a double tells times 2 microseconds apart.
STEP = {"SAS": 1, "SPSS": 10, "Stata": 1}


@dataclass(frozen=True)
class Clock:
    """What a number means: its kind, and the microseconds in one unit."""

    kind: Kind
    unit: int = SECOND


# Formats that print the whole of a date or time. Formats that print a part of it (a month, a
# year) stand in many files on plain numbers by mistake: their columns stay numbers, with a word.
# SAS 9.4 Formats and Informats: Reference, formats by category; formats that begin with DT, and
# E8601DN, print the date within a datetime, and so count seconds.
SAS = (
    (
        r"DATE|(DDMMYY|MMDDYY|YYMMDD)[BCDNPS]?|([EB]|IS)8601DA|WEEKDAT[EX]|WORDDAT[EX]|JULIAN|"
        r"NLDATE|EURDF(DD|DE|WDX|WKX)|MINGUO|NENGO",
        Clock("dates", DAY),
    ),
    (
        r"DATETIME|DATEAMPM|MDYAMPM|DTDATE|DTWKDATX|([EB]|IS)8601(DT|DN|DZ|DX|LX)|NLDATM|EURDFDT",
        Clock("dates and times"),
    ),
    (r"TIME|TIMEAMPM|TOD|HHMM|([EB]|IS)8601(TM|TZ|LZ)|NLTIME|NLTIMAP", Clock("times")),
    (
        r"DAY|DOWNAME|WEEKDAY|WEEK[UVW]|JULDAY|MONTH|MONNAME|MONYY|MMYY[CDNPS]?|YYMM[CDNPS]?|YYMON|"
        r"QTRR?|YYQR?[CDNPS]?|YEAR|DTMONYY|DTYEAR|DTYYQC|HOUR|MMSS",
        Clock("parts of dates"),
    ),
)
# IBM SPSS Statistics Command Syntax Reference, date and time formats; all count seconds.
SPSS = (
    (r"[AEJS]?DATE", Clock("dates")),
    (r"DATETIME|YMDHMS", Clock("dates and times")),
    (r"D?TIME|MTIME", Clock("times")),
    (r"MOYR|QYR|WKYR", Clock("parts of dates")),
)

# A name, then width and decimals; ISO 8601 formats have digits within the name.
NAME = re.compile(r"([EB]8601[A-Z]{2}|IS8601[A-Z]{2}|[A-Z_]+)[0-9]*\.?[0-9]*")
# [D] Datetime display formats: %td or %d days, %tc milliseconds, %tC those with leap seconds.
STATA = re.compile(r"%-?(?:t([a-zA-Z])|(d))")


def clock(package: Package, display: str | None) -> Clock | None:
    """Tell what the numbers of a variable count.

    Parameters
    ----------
    package
        Whose format it is.
    display
        The format as stored, such as ``DATE9.``, ``EDATE10`` or ``%tdD_m_Y``.

    Returns
    -------
    Clock or None
        None for everything that is neither a date nor a time.
    """
    if not display:
        return None
    if package == "Stata":
        return _stata(display)
    found = NAME.fullmatch(display.strip().upper())
    if not found:
        return None
    rules = SAS if package == "SAS" else SPSS
    return next((clock for names, clock in rules if re.fullmatch(names, found.group(1))), None)


def _stata(display: str) -> Clock | None:
    found = STATA.match(display)
    if not found:
        return None
    letter = found.group(1) or "d"
    if letter == "d":
        return Clock("dates", DAY)
    if letter == "c":
        return Clock("dates and times", MILLISECOND)
    return Clock("leap-second times") if letter == "C" else Clock("parts of dates")


def on_clock(cells: npt.NDArray[np.float64], found: Clock, package: Package) -> Any:
    """Convert numbers to dates or times; None if they are none, or beyond the calendar."""
    if found.kind == "times":
        return durations(cells, found.unit)
    if found.kind in ("dates", "dates and times"):
        return instants(cells, found.unit, ORIGIN[package], STEP[package])
    return None
