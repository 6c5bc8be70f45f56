"""In which character encoding is this text written?"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from discontinuation.ingest.readers.source import SourceFile, listing
from discontinuation.problems import Problem

WESTERN = "cp1252"
# Longest first: the mark of UTF-32 starts with that of UTF-16.
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
NAMES = {"cp1252": "Windows-1252"}
# Western words have one or two accented letters in a row; Greek or Cyrillic ones are nothing else.
FOREIGN = re.compile(r"[À-ÖØ-öø-ÿŠŒŽšœžŸƒ]{4}")


def to_utf8(file: SourceFile, encoding: str | None = None) -> tuple[bytes, list[str]]:
    """Give the text of a file as UTF-8 without a byte order mark.

    Parameters
    ----------
    file
        The file.
    encoding
        Its encoding if that is known.

    Returns
    -------
    text : bytes
    statements : list of str
        Encoding found or assumed.

    Raises
    ------
    InvalidInput
        Text that is not in the encoding, mixes UTF-8 with another one, may be in one that
        cannot be told, or holds null bytes.
    """
    content = file.content
    mark = next((mark for mark in MARKS if content.startswith(mark)), b"")
    marked = MARKS.get(mark) or _unmarked_utf16(content)
    if mark:
        content = content[len(mark) :]
    if encoding is not None and mark:
        if not MARKS[mark].startswith(encoding.removesuffix("-sig")):
            said = f"its byte order mark says {MARKS[mark].upper()}"
            raise file.invalid(f"is not {show_name(encoding)}: {said}", column="encoding")
        text = _decode(file, content, MARKS[mark])
        statement = f"encoding {encoding} (as configured)"
    elif encoding is not None:
        text, statement = _decode(file, content, encoding), f"encoding {encoding} (as configured)"
    elif marked:
        said = "its byte order mark" if mark else "its null bytes; it has no byte order mark"
        name = marked.upper()
        text, statement = _decode(file, content, marked), f"encoding {name} (told by {said})"
    else:
        text, statement = _guess(file, content)
    _no_null_bytes(file, text)
    return text, [statement]


def show_name(encoding: str) -> str:
    """Give the usual name of an encoding."""
    return NAMES.get(encoding, encoding)


def _unmarked_utf16(content: bytes) -> str | None:
    """Recognise UTF-16 without a mark: every other byte of its header is null."""
    start = content[:400]
    half = len(start) // 2
    if half < 4 or len(content) % 2:
        return None
    if start[1::2].count(0) > 0.9 * half and not start[0::2].count(0):
        return "utf-16-le"
    if start[0::2].count(0) > 0.9 * half and not start[1::2].count(0):
        return "utf-16-be"
    return None


def _decode(file: SourceFile, content: bytes, encoding: str) -> bytes:
    try:
        text = content.decode(encoding)
    except UnicodeError as error:
        start = getattr(error, "start", 0)
        row = content[:start].count(b"\n") + 1
        message = f"byte {_hex(content[start : start + 1])} is not {show_name(encoding)}"
        raise file.invalid(message + "; set the option encoding", row) from None
    if encoding in ("utf-8", "ascii"):
        return content
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        row = text[: error.start].count("\n") + 1
        raise file.invalid(f"holds half a character of {show_name(encoding)}", row) from None


def _hex(byte: bytes) -> str:
    return f"0x{byte.hex()}" if byte else "(the last)"


def _guess(file: SourceFile, content: bytes) -> tuple[bytes, str]:
    """Take UTF-8 if it is that, else Windows-1252 if it can be that and nothing else."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        bad = error
    else:
        return content, "encoding ASCII" if content.isascii() else "encoding UTF-8"
    _no_null_bytes(file, content)
    file.refuse(_mixed(file, content))
    row = content[: bad.start].count(b"\n") + 1
    byte = _hex(content[bad.start : bad.start + 1])
    try:
        text = content.decode(WESTERN)
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        byte = _hex(content[error.start : error.start + 1])
        raise _unknown(file, f"byte {byte} is neither UTF-8 nor Windows-1252", row) from None
    if foreign := FOREIGN.search(text):
        row = text[: foreign.start()].count("\n") + 1
        message = "is not UTF-8, and as Windows-1252 it would read like this"
        raise _unknown(file, message, row, around(text, foreign.start()))
    shown = around(text, len(content[: bad.start].decode(WESTERN)))
    return text.encode(), (
        f"encoding Windows-1252 (assumed: not UTF-8, byte {byte} at row {row}, read as {shown!r})"
    )


def around(text: str, position: int) -> str:
    """Cut out the word at a position of a text."""
    before = re.search(r"\w{0,20}\Z", text[max(0, position - 20) : position])
    after = re.match(r".?\w{0,20}", text[position : position + 21])
    return (before.group() if before else "") + (after.group() if after else "")


def _unknown(file: SourceFile, message: str, row: int, value: str | None = None) -> Exception:
    return file.invalid(f"{message}; set the option encoding", row, value=value)


def _mixed(file: SourceFile, content: bytes) -> Iterator[Problem]:
    """Find the rows that are not UTF-8 if others are UTF-8 with characters beyond ASCII."""
    good, bad = [], []
    for row, line in enumerate(content.split(b"\n"), 1):
        if line.isascii():
            continue
        try:
            line.decode("utf-8")
            good.append(row)
        except UnicodeDecodeError as error:
            bad.append((row, line, error.start))
    if not good:
        return
    for row, line, start in bad:
        message = (
            f"byte {_hex(line[start : start + 1])} is not UTF-8, but other rows are "
            f"(such as {listing(good)}); save the file in one encoding"
        )
        yield file.problem(message, row, value=around(line.decode(WESTERN, "replace"), start))


def _no_null_bytes(file: SourceFile, text: bytes) -> None:
    if (position := text.find(b"\0")) >= 0:
        row = text[:position].count(b"\n") + 1
        raise file.invalid("holds a null byte; is this a text file?", row)
