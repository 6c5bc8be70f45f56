"""What does a dataset's declaration look like, as far as its files tell?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from discontinuation.fingerprint import ROOT
from discontinuation.ingest.draft import cdisc
from discontinuation.ingest.draft.assessments import draft_assessments, pattern_parts
from discontinuation.ingest.draft.columns import Column
from discontinuation.ingest.draft.doses import draft_doses
from discontinuation.ingest.draft.guess import Block, Guess, Remark
from discontinuation.ingest.draft.instruments import Scales
from discontinuation.ingest.draft.origin import draft_time
from discontinuation.ingest.draft.outcomes import (
    draft_deteriorations,
    draft_follow_up,
    follow_to_last_record,
)
from discontinuation.ingest.draft.people import People, draft_people
from discontinuation.ingest.draft.reading import declared_path, read_sources
from discontinuation.ingest.draft.source import Source, link_people
from discontinuation.ingest.draft.yaml_lines import yaml_text
from discontinuation.tables.instruments import Instrument, read_instruments

INSTRUMENTS = ROOT.parents[1] / "data" / "reference" / "instruments.yaml"
COLUMN_KINDS = ("column", "date", "day", "study_day", "time")
HEAD = """\
Draft of the dataset {name}, made from its files. docs/datasets.md explains every key.
1. Look at each guess: it has `confirm: true`, its reason, and three values of its column.
   Correct it, then delete the line `confirm: true`. Reason and examples may stay.
2. Fill what is blank: no file tells it.
3. discontinuation check {name}
What was not used is listed at the end."""

OWN_INSTRUMENTS = (
    "those without a reference: write the full name into title; look at the ranges, which are only "
    "those that occur in the files; scoring is sum or mean if the items add up to a score"
)
ABSOLUTE = (
    "this path holds on this computer only; below data/raw, or below the folder that the variable "
    "DISCONTINUATION_DATA names, it would be short and hold everywhere"
)
UNUSED = "nothing of this file is used"
UNUSED_FILES = {
    "ae": "nothing of it is used: an adverse event is no deterioration by itself. Those that are: "
    "deteriorations, from this file, where AEDECOD is one of them",
}


def draft_declaration(name: str, paths: Sequence[Path]) -> str:
    """Draft the declaration of a dataset from its files.

    Every row is read; whether a column holds dates is judged by its first 3,000 different
    values.

    Parameters
    ----------
    name
        Name of the dataset.
    paths
        Its files.

    Returns
    -------
    str
        YAML with comments. `read_declaration` refuses its blank title, licence and citation, and
        what no guess could be made for; `check` refuses every guess that is not confirmed.

    Raises
    ------
    InvalidInput
        If a file cannot be read, with the problems of all files.
    """
    sources = read_sources(paths)
    link_people(sources)
    document = _declaration(name, sources)
    return (
        _comment(HEAD.format(name=name)) + "\n" + yaml_text(document) + _not_used(sources, document)
    )


def _comment(text: str) -> str:
    return "".join(f"{line}\n" for line in yaml_text({Remark(text): None}).splitlines())


def _declaration(name: str, sources: Sequence[Source]) -> Block:
    people = draft_people(sources, name)
    # Beside files with people, one without them is about the design.
    told = [source for source in sources if source.person is not None] or sources
    tables: dict[str, list[Block]] = {
        "studies": people.studies,
        "arms": people.arms,
        "people": people.blocks,
        "follow_up": _follow_up(told, people),
        "doses": [block for source in told for block in _doses(source, people)],
        "assessments": [],
        "deteriorations": [b for source in told for b in _deteriorations(source, people)],
    }
    scales = _assessments(told, people, tables)
    tables["assessments"] = scales.blocks
    filled = [table for table, blocks in tables.items() if blocks]
    tables["follow_up"] = tables["follow_up"] or follow_to_last_record(filled)
    needs_date = any("date" in guess.spec for guess in _guesses(tables))
    document: Block = {
        "title": "",
        "description": "",
        Remark("sentences that must stand on every output"): None,
        "notices": [],
        Remark("the licence of the data, how they are cited, and what else it asks for"): None,
        "licence": "",
        "citation": "",
        "terms": "",
        "files": {source.key: _file(source) for source in sources},
        "time": draft_time(told, people, needs_date),
    }
    if scales.instruments:
        if any("reference" not in text for text in scales.instruments.values()):
            document[Remark(OWN_INSTRUMENTS)] = None
        document["instruments"] = scales.instruments
    kept = {table: blocks for table, blocks in tables.items() if blocks}
    document["tables"] = _once(kept)
    return document


def _file(source: Source) -> Block:
    """Declare a file, with what was assumed to read it."""
    said = f"{source.length:,} rows, {len(source.columns)} columns"
    stated = "; ".join([said, *source.table.statements])
    path = declared_path(source.path)
    block: Block = {Remark(stated): None}
    if Path(path).is_absolute():
        block[Remark(ABSOLUTE)] = None
    block["path"] = path
    if "missing" in source.options:
        words = ", ".join(source.options["missing"])
        said = f"{words} stands in columns of numbers or dates: taken as blank in all columns"
        block[Remark(said)] = None
    if source.options:
        block["options"] = source.options
    return block


def _follow_up(sources: Sequence[Source], people: People) -> list[Block]:
    """Draft the follow-up from the first kind of file that tells it."""
    for domain, draft in cdisc.FOLLOW_UP.items():
        for source in sources:
            if source.domain == domain and (blocks := draft(source, people)):
                return blocks
    return draft_follow_up([source for source in sources if source.domain is None], people)


def _doses(source: Source, people: People) -> list[Block]:
    if source.domain is not None:
        draft = cdisc.DOSES.get(source.domain)
        return draft(source, people) if draft else []
    return draft_doses(source, people)


def _deteriorations(source: Source, people: People) -> list[Block]:
    if source.domain is not None:
        draft = cdisc.DETERIORATIONS.get(source.domain)
        return draft(source, people) if draft else []
    return draft_deteriorations(source, people)


def _assessments(
    sources: Sequence[Source], people: People, tables: Mapping[str, list[Block]]
) -> Scales:
    """Draft the assessments last: no column that means something else is a score."""
    reference = _reference()
    used = used_columns(sources, {"tables": tables})
    scales = Scales()
    for source in sources:
        if source.domain in cdisc.SCORES:
            scales.add(cdisc.draft_scores(source, people, reference))
        elif source.domain is None:
            scales.add(draft_assessments(source, people, reference, used[source.key]))
    return scales


@cache
def _reference() -> Mapping[str, Instrument]:
    return read_instruments(INSTRUMENTS)


def _once(tables: Mapping[str, list[Block]]) -> Block:
    """Ask for each guess once: a file's later blocks repeat it without asking again."""
    seen: set[str] = set()
    asked: Block = {}
    for table, blocks in tables.items():
        asked[table] = []
        for block in blocks:
            columns = {
                name: _repeated(value, f"{block.get('from')} {name}", seen)
                for name, value in block.get("columns", {}).items()
            }
            asked[table].append({**block, "columns": columns} if columns else block)
    return asked


def _repeated(value: Any, place: str, seen: set[str]) -> Any:
    if not isinstance(value, Guess):
        return value
    key = f"{place} {sorted(value.spec.items(), key=str)}"
    if key not in seen or not value.spec:
        seen.add(key)
        return value
    return value.spec["column"] if list(value.spec) == ["column"] else value.spec


def _guesses(value: Any) -> Iterator[Guess]:
    """Find every guess of a draft."""
    if isinstance(value, Guess):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _guesses(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _guesses(part)


def used_columns(sources: Sequence[Source], document: Mapping[Any, Any]) -> dict[str, set[str]]:
    """List the columns of each file that a draft uses."""
    used: dict[str, set[str]] = {source.key: set() for source in sources}
    by_key = {source.key: source for source in sources}
    time = document.get("time", {})
    if time.get("file"):
        used[time["file"]] |= _named({"columns": time}) | {time["person"]}
    for blocks in document["tables"].values():
        for block in blocks:
            if block.get("from") in used:
                _take(block, block["from"], by_key, used)
    return used


def _take(block: Block, key: str, by_key: Mapping[str, Source], used: dict[str, set[str]]) -> None:
    """Note the columns of one block, those of joined files with their own file."""
    for name in _named(block):
        other, dot, column = name.partition(".")
        joined = [join["file"] for join in block.get("join", [])]
        if dot and other in joined:
            used[other].add(column)
        else:
            used[key].add(name)
    for join in block.get("join", []):
        used[join["file"]] |= set(join["on"].values())
    wide = block.get("wide", {})
    used[key] |= set(wide.get("columns", ()))
    if "pattern" in wide:
        used[key] |= set(pattern_parts(wide["pattern"], by_key[key].columns))


def _named(block: Block) -> set[str]:
    """List the columns that a block's conditions, rules and values name."""
    names = set(block.get("where", {}))
    for rule in (block.get("one_per", {}), block.get("combine", {})):
        names |= {*rule.get("columns", ()), *(rule[k] for k in ("by",) if k in rule)}
    for value in block.get("columns", {}).values():
        if isinstance(value, str):
            names.add(value)
        spec = value.spec if isinstance(value, Guess) else value
        if isinstance(spec, Mapping):
            names |= {spec[kind] for kind in COLUMN_KINDS if isinstance(spec.get(kind), str)}
    return names


def _not_used(sources: Sequence[Source], document: Block) -> str:
    """List the columns that the draft does not use, with their label and three values."""
    used = used_columns(sources, document)
    lines = ["\n# Columns that are not used, with their label and three of their values"]
    listed: set[tuple[str, str]] = set()
    for source in sources:
        free = [column for name, column in source.columns.items() if name not in used[source.key]]
        new = [column for column in free if (column.name, column.label) not in listed]
        again = [_one_line(column.name) for column in free if column not in new]
        lines.append(f"#\n# {source.key}:" + ("" if free else " none"))
        if not used[source.key]:
            lines.append("#   " + UNUSED_FILES.get(source.domain or "", UNUSED))
        lines += [f"#   {_described(column)}" for column in new]
        if again:
            lines += _comment("  as above: " + ", ".join(again)).splitlines()
        listed |= {(column.name, column.label) for column in source.columns.values()}
    return "\n".join(lines) + "\n"


def _described(column: Column) -> str:
    shown = ", ".join(str(example) for example in column.examples) or "blank throughout"
    label = f" ({column.label})" if column.label else ""
    return f"{_one_line(column.name)}{_one_line(label)}: {_one_line(shown)}"


def _one_line(text: str, longest: int = 120) -> str:
    """Keep what files hold from breaking out of a comment."""
    plain = re.sub(r"\s+", " ", text)
    plain = "".join(letter if letter.isprintable() else "?" for letter in plain)
    return plain if len(plain) <= longest else plain[: longest - 3] + "..."
