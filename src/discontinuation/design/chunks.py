"""How is a long simulation cut into jobs, and how far is a job?"""

from __future__ import annotations

import math
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

Work = TypeVar("Work")
EVERY_SECONDS = 5.0  # between lines of progress
TRIES = 5  # replicates that are timed before it is left open how long one takes


def chunks_of(scenarios: Sequence[str], replicates: int, size: int) -> dict[str, dict[str, Any]]:
    """Cut replicates of scenarios into chunks.

    Parameters
    ----------
    scenarios
        Their names.
    replicates
        Of each.
    size
        Replicates per chunk: enough for 45 seconds of work. A cluster's profile puts several
        chunks into one job.

    Returns
    -------
    dict
        By the chunk's name, fit for a file: scenario, first and last (not included) replicate.
        A longer run keeps the chunks of a shorter one, if the size is the same.
    """
    found = {}
    for scenario in scenarios:
        stem = re.sub(r"[^a-z0-9]+", "_", scenario.lower()).strip("_")
        for number, first in enumerate(range(0, replicates, size)):
            last = min(first + size, replicates)
            name = f"{stem}_{number}" if last - first == size else f"{stem}_{last - first}_{number}"
            found[name] = {"scenario": scenario, "first": first, "last": last}
    return found


def with_progress(
    work: Iterable[Work], total: int, name: str, say: Callable[[str], None] | None = None
) -> Iterator[Work]:
    """Pass work on, and say every few seconds how far it is.

    Parameters
    ----------
    work
        What is to be done, one after the other.
    total
        How many.
    name
        Of the job.
    say
        Where to; by default one line on the terminal that is written over, or lines of a log.
    """
    begun = told = time.monotonic()
    for done, each in enumerate(work):
        yield each
        now = time.monotonic()
        if now - told >= EVERY_SECONDS or done == 0 or done + 1 == total:
            told = now
            (say or _tell)(progress(name, done + 1, total, now - begun))
    if say is None and sys.stderr.isatty():
        print(file=sys.stderr)


def progress(name: str, done: int, total: int, seconds: float) -> str:
    """One line: done, rate, remaining."""
    rate = done / seconds if seconds > 0 else float("inf")
    left = (total - done) / rate if rate > 0 else float("inf")
    speed = f"{rate:.1f} per second" if rate >= 1 else f"{1 / rate:.1f} seconds each"
    return f"{name}: {done} of {total}, {speed}, about {in_words(left)} left"


def time_one(measure: Callable[[int], object], replicates: int) -> float:
    """Seconds that a replicate takes: of the first that does not fail.

    Parameters
    ----------
    measure
        Does one replicate, given its number.
    replicates
        How many there are; at most `TRIES` of them are tried.

    Returns
    -------
    float
        NaN if all that were tried fail. Which ones do is told where they are measured.
    """
    for number in range(min(TRIES, replicates)):
        began = time.perf_counter()
        try:
            measure(number)
        except Exception:  # as in a chunk: one trial that fails must not stop the rest
            continue
        return time.perf_counter() - began
    return math.nan


def in_words(seconds: float) -> str:
    """A length of time for people."""
    for size, word in ((3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {word}"
    return f"{seconds:.0f} seconds"


def _tell(line: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{line:<100}", end="", file=sys.stderr, flush=True)
    else:
        print(line, file=sys.stderr, flush=True)
