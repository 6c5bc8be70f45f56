"""How is a draft written as YAML that means the same to every reader of YAML?

Only the plainest words stand without quotation marks: `no`, `010`, `12:30`, `a: b`, `# x` and
`=1` mean something else to one reader or another.
"""

from __future__ import annotations

import itertools
import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from discontinuation.ingest.draft.guess import Guess, Remark

WIDTH = 100
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./()+-]*( [A-Za-z0-9_./()+-]+)*")
# What some reader of YAML takes for a truth value, a number or nothing.
NOT_TEXT = re.compile(r"true|false|yes|no|on|off|y|n|null|nan|inf|infinity", re.IGNORECASE)
# YAML allows these only as escapes; line and paragraph separators it would take for line ends.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
# So many plain entries of a group share lines.
MANY = 5
Lines = Iterator[str]


def yaml_text(document: Mapping[Any, Any]) -> str:
    """Write a document of groups, lists, texts, numbers, guesses and remarks.

    Returns
    -------
    str
        YAML 1.2 that YAML 1.1 reads in the same way, lines of at most about 100 characters.
    """
    return "\n".join(_group(document, 0)) + "\n"


def _group(group: Mapping[Any, Any], depth: int) -> Lines:
    for key, value in group.items():
        if isinstance(key, Remark):
            yield from _comment(key.text, depth)
        else:
            yield from _entry(scalar(key) + ":", value, depth)


def _entry(head: str, value: Any, depth: int) -> Lines:
    """Write a key or a dash with what belongs to it."""
    pad = "  " * depth
    if isinstance(value, Guess):
        value = {**value.spec, "confirm": True, **_because(value)}
        yield pad + head
        yield from _group(value, depth + 1)
        return
    short = _flow(value)
    breakable = isinstance(value, str | Mapping | Sequence) and len(value) > 0
    if short is not None and (not breakable or len(pad) + len(head) + 1 + len(short) <= WIDTH):
        yield f"{pad}{head} {short}".rstrip()
    elif isinstance(value, str):
        yield from _folded(f"{pad}{head} ", quoted(value), depth + 1)
    elif isinstance(value, Mapping) and short is not None and _is_flat(value):
        pairs = [f"{scalar(name)}: {_flow(part)}" for name, part in value.items()]
        yield from _wrapped(f"{pad}{head} ", "{", pairs, "}", depth + 1)
    elif isinstance(value, Mapping):
        yield pad + head
        yield from _group(value, depth + 1)
    elif isinstance(value, Sequence) and all(_is_scalar(item) for item in value):
        yield from _wrapped(f"{pad}{head} ", "[", [scalar(item) for item in value], "]", depth + 1)
    else:
        yield pad + head
        yield from _list(value, depth + 1)


def _because(guess: Guess) -> dict[str, Any]:
    said: dict[str, Any] = {"reason": guess.reason}
    if guess.examples:
        said["examples"] = list(guess.examples)
    return said


def _list(items: Sequence[Any], depth: int) -> Lines:
    pad = "  " * depth
    for item in items:
        if isinstance(item, Remark):
            yield from _comment(item.text, depth)
            continue
        short = _flow(item)
        if short is not None and len(pad) + 2 + len(short) <= WIDTH:
            yield f"{pad}- {short}"
            continue
        remarks = list(itertools.takewhile(lambda key: isinstance(key, Remark), item))
        for remark in remarks:
            yield from _comment(remark.text, depth)
        rest = {key: part for key, part in item.items() if key not in remarks}
        first, *others = _group(rest, depth + 1)
        yield pad + "- " + first.lstrip()
        yield from others


def _flow(value: Any) -> str | None:
    """Write a value in one line, or None if it has parts that need lines of their own."""
    if _is_scalar(value):
        return scalar(value)
    if isinstance(value, Mapping):
        parts = [(key, _flow(part)) for key, part in value.items()]
        # What is to be filled in stands in a line of its own.
        if any(isinstance(key, Remark) or part in (None, "", '""') for key, part in parts):
            return None
        return "{" + ", ".join(f"{scalar(key)}: {part}" for key, part in parts) + "}"
    if isinstance(value, list | tuple):
        items = [_flow(part) for part in value]
        return None if None in items else "[" + ", ".join(map(str, items)) + "]"
    return None


def _is_flat(group: Mapping[Any, Any]) -> bool:
    """Whether a group has many entries of one value, or a short list, each."""
    parts = list(group.values())
    return len(parts) >= MANY and not any(isinstance(part, Mapping) for part in parts)


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _wrapped(head: str, opening: str, parts: Sequence[str], closing: str, depth: int) -> Lines:
    """Write many short parts in as many lines as they need."""
    pad = "  " * depth
    line = head + opening
    for i, part in enumerate(parts):
        piece = part + ("," if i < len(parts) - 1 else closing)
        if i and len(line) + 1 + len(piece) > WIDTH:
            yield line
            line = pad + piece
        else:
            line += (" " if i else "") + piece
    yield line


def _folded(head: str, text: str, depth: int) -> Lines:
    """Break a quoted text at single spaces, where YAML puts a space for the line end."""
    words = re.split(r"(?<=[^ \\]) (?=[^ ])", text)
    line, pad = head, "  " * depth
    for i, word in enumerate(words):
        if i and len(line) + 1 + len(word) > WIDTH:
            yield line
            line = pad + word
        else:
            line += (" " if i else "") + word
    yield line


def _comment(text: str, depth: int) -> Lines:
    pad = "  " * depth + "#"
    for line in text.split("\n"):
        shown = UNPRINTABLE.sub(" ", line)
        broken = textwrap.wrap(
            shown,
            WIDTH - len(pad) - 1,
            break_long_words=False,
            break_on_hyphens=False,
            subsequent_indent=" " * (len(shown) - len(shown.lstrip())),
        )
        yield from (f"{pad} {part}" for part in broken or [""])


def scalar(value: Any) -> str:
    """Write one text, number or truth value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        # YAML 1.1 knows 1e-05 only as 1.0e-05.
        return re.sub(r"^(-?\d+)e", r"\1.0e", repr(value))
    text = str(value)
    if PLAIN.fullmatch(text) and not NOT_TEXT.fullmatch(text) and len(text) <= WIDTH:
        return text
    return quoted(text)


def quoted(text: str) -> str:
    """Put a text into double quotation marks, with escapes for what YAML does not print."""
    written = json.dumps(text, ensure_ascii=False)
    return UNPRINTABLE.sub(lambda match: f"\\u{ord(match.group()):04x}", written)
