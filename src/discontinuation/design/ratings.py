"""How would made-up people be rated when withdrawal or relapse is this strong?

Every number below is invented for the synthetic example. Only the items' numbers, their ranges
and which of them overlap follow the dossier (domain 2.1 and 2.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from discontinuation.design._daily import FloatArray

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class DepressionItem:
    """One item of a depression scale.

    Attributes
    ----------
    number
        Its number on the HAMD-17.
    label
        What it is about.
    largest
        Largest rating.
    well, withdrawal, relapse
        Mean rating of a well person, and what full withdrawal and full relapse add to it.
    """

    number: int
    label: str
    largest: int
    well: float
    withdrawal: float
    relapse: float


@dataclass(frozen=True)
class ChecklistItem:
    """One item of a withdrawal checklist.

    Attributes
    ----------
    name
        Its number on the DESS, or ``"shock"``, which the DESS lacks.
    label
        What it is about.
    well, withdrawal, relapse
        Probability that it is new or worse in a well person, in full withdrawal and in full
        relapse.
    """

    name: str
    label: str
    well: float
    withdrawal: float
    relapse: float


DEPRESSION_SCALE = (
    DepressionItem(1, "depressed mood", 4, 0.30, 0.5, 2.8),
    DepressionItem(2, "guilt", 4, 0.15, 0.1, 1.7),
    DepressionItem(3, "suicide", 4, 0.00, 0.0, 0.7),
    DepressionItem(4, "insomnia, early", 2, 0.20, 1.2, 1.1),
    DepressionItem(5, "insomnia, middle", 2, 0.15, 1.1, 0.9),
    DepressionItem(6, "insomnia, late", 2, 0.15, 0.9, 1.1),
    DepressionItem(7, "work and activities", 4, 0.30, 0.8, 2.4),
    DepressionItem(8, "retardation", 4, 0.05, 0.1, 1.2),
    DepressionItem(9, "agitation", 4, 0.10, 1.8, 0.8),
    DepressionItem(10, "anxiety, psychic", 4, 0.40, 2.1, 1.6),
    DepressionItem(11, "anxiety, somatic", 4, 0.25, 2.4, 1.1),
    DepressionItem(12, "somatic, gastrointestinal", 2, 0.05, 1.1, 0.8),
    DepressionItem(13, "somatic, general", 2, 0.25, 1.2, 1.1),
    DepressionItem(14, "genital symptoms", 2, 0.15, 0.1, 0.7),
    DepressionItem(15, "hypochondriasis", 4, 0.10, 0.5, 0.6),
    DepressionItem(16, "loss of weight", 2, 0.05, 0.4, 0.6),
    DepressionItem(17, "insight", 2, 0.00, 0.0, 0.1),
)
CHECKLIST = (
    ChecklistItem("1", "nervousness or anxiety", 0.05, 0.65, 0.60),
    ChecklistItem("3", "irritability", 0.05, 0.60, 0.45),
    ChecklistItem("7", "bouts of crying", 0.02, 0.35, 0.55),
    ChecklistItem("8", "agitation", 0.03, 0.50, 0.35),
    ChecklistItem("9", "feeling unreal or detached", 0.01, 0.20, 0.08),
    ChecklistItem("13", "trouble sleeping", 0.06, 0.60, 0.60),
    ChecklistItem("14", "increased dreaming or nightmares", 0.03, 0.40, 0.12),
    ChecklistItem("15", "sweating more than usual", 0.03, 0.40, 0.12),
    ChecklistItem("21", "fatigue", 0.07, 0.45, 0.65),
    ChecklistItem("27", "headache", 0.08, 0.40, 0.18),
    ChecklistItem("29", "dizziness, light-headedness", 0.03, 0.65, 0.10),
    ChecklistItem("35", "nausea", 0.03, 0.40, 0.10),
    ChecklistItem("40", "burning, numbness, tingling", 0.01, 0.30, 0.03),
    ChecklistItem("41", "unusual sensitivity to sound", 0.01, 0.15, 0.02),
    ChecklistItem("shock", "electric-shock sensations", 0.00, 0.40, 0.01),
)

# Answers of the checklist.
ABSENT, NEW, WORSE, UNCHANGED, NOT_ASKED = 0, 1, 2, 3, 9


def rate_depression(
    withdrawal: FloatArray, relapse: FloatArray, person: IntArray, stream: np.random.Generator
) -> IntArray:
    """Rate the items of the depression scale.

    Parameters
    ----------
    withdrawal, relapse
        How strong each is at each rating, 0 to 1 or a little more, shape (ratings,).
    person
        Who is rated, 0 to people - 1; a person's habits of answering stay the same.
    stream
        Where the chance comes from.

    Returns
    -------
    array
        Ratings within each item's range, shape (ratings, items).
    """
    well = np.array([item.well for item in DEPRESSION_SCALE])
    by_withdrawal = np.array([item.withdrawal for item in DEPRESSION_SCALE])
    by_relapse = np.array([item.relapse for item in DEPRESSION_SCALE])
    mean = well + withdrawal[:, None] * by_withdrawal + relapse[:, None] * by_relapse
    habit = stream.normal(0, 0.25, (person.max() + 1, well.size))[person]
    chance = stream.normal(0, 0.35, mean.shape)
    largest = np.array([item.largest for item in DEPRESSION_SCALE])
    return np.asarray(np.clip(np.rint(mean + habit + chance), 0, largest), dtype=np.int64)


def rate_checklist(
    withdrawal: FloatArray, relapse: FloatArray, person: IntArray, stream: np.random.Generator
) -> IntArray:
    """Answer the withdrawal checklist; arguments as for `rate_depression`.

    Returns
    -------
    array
        0 absent, 1 new, 2 old but worse, 3 old and unchanged, 9 not asked,
        shape (ratings, items).
    """
    well = np.array([item.well for item in CHECKLIST])
    by_withdrawal = np.array([item.withdrawal for item in CHECKLIST])
    by_relapse = np.array([item.relapse for item in CHECKLIST])
    escapes = 1 - well
    for strength, full in ((withdrawal, by_withdrawal), (relapse, by_relapse)):
        escapes = escapes * (1 - np.clip(strength, 0, 1)[:, None] * full)
    worse = stream.random(escapes.shape) >= escapes
    old = stream.random((person.max() + 1, well.size))[person] < 0.08
    answer = np.where(worse, np.where(old, WORSE, NEW), np.where(old, UNCHANGED, ABSENT))
    not_asked = stream.random(answer.shape) < 0.02
    return np.asarray(np.where(not_asked, NOT_ASKED, answer), dtype=np.int64)
