"""A small valid dataset, written as files, for tests that break it in one way each."""

import textwrap
from pathlib import Path

from discontinuation.ingest.dataset import load_dataset
from discontinuation.ingest.declaration import read_declaration

PEOPLE = """\
id,grp,randomised,sex,age,last_contact,why
01,1,03/02/2020,F,41,03/05/2020,C
02,1,14/02/2020,M,52,14/05/2020,C
03,2,20/02/2020,F,33,01/04/2020,L
04,2,28/02/2020,F,60,28/05/2020,C
"""
DOSES = """\
id,from_day,to_day,mg,unit
01,0,90,20,mg
02,0,90,20,mg
03,0,14,20,mg
03,14,28,10,mg
03,28,41,0,mg
04,0,90,0,mg
"""
SCORES = """\
id,day,item,value
01,0,1,2
01,0,2,1
02,7,1,0
03,7,1,3
03,28,1,4
04,14,2,2
"""
EVENTS = """\
id,nr,onset,found
03,1,26,28
"""
DECLARATION = """\
title: A small dataset
licence: none
citation: none
smallest_cell: 1

files:
  people: {path: people.csv}
  doses: {path: doses.csv}
  scores: {path: scores.csv}
  events: {path: events.csv}

time:
  file: people
  person: id
  date: {date: randomised, order: dmy}

instruments:
  scale: {items: {"1": [0, 4], "2": [0, 4]}}

drugs:
  sertraline: {smallest_dose: 5, largest_dose: 200}

tables:
  studies:
    - rows:
        - {study: s, title: Small, drug_class: antidepressant, design: parallel_trial,
           allocation_randomised: true, pace_randomised: true, synthetic: true, source: none}
  arms:
    - rows:
        - {study: s, arm: A, strategy: maintain}
        - {study: s, arm: B, strategy: abrupt}
  people:
    - from: people
      columns:
        person: id
        study: {constant: s}
        arm: {column: grp, recode: {"1": A, "2": B}}
        sex: {column: sex, recode: {F: female, M: male}}
        age: age
  follow_up:
    - from: people
      columns:
        person: id
        start: {constant: 0}
        end: {date: last_contact, order: dmy}
        end_reason: {column: why, recode: {C: completed, L: lost}}
  doses:
    - from: doses
      columns:
        person: id
        drug: {constant: sertraline}
        start: {day: from_day}
        stop: {day: to_day}
        dose: mg
        unit: {column: unit, recode: {mg: mg/day}}
  assessments:
    - from: scores
      columns:
        person: id
        day: {day: day}
        instrument: {constant: scale}
        item: item
        value: value
  deteriorations:
    - from: events
      columns:
        person: id
        episode: nr
        definition: {constant: recorded}
        onset: {day: onset}
        detected: {day: found}
        source: {constant: reported}
"""


def write_dataset(folder: Path) -> Path:
    """Write the files and the declaration; returns the declaration's path."""
    for name, text in (
        ("people.csv", PEOPLE),
        ("doses.csv", DOSES),
        ("scores.csv", SCORES),
        ("events.csv", EVENTS),
        ("small.yaml", DECLARATION),
    ):
        (folder / name).write_text(textwrap.dedent(text), encoding="utf-8", newline="\n")
    return folder / "small.yaml"


def load(path: Path):
    """Load the dataset whose files lie beside its declaration."""
    return load_dataset(read_declaration(path), mirror=path.parent)
