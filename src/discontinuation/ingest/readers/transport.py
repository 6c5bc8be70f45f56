"""Is this SAS transport file whole, and does it hold one data set?"""

from __future__ import annotations

import re

from discontinuation.ingest.readers.source import SourceFile

# SAS Institute, TS-140: Record layout of a SAS version 5 or 6 data set in SAS transport format,
# and its successor for versions 8 and 9. Everything lies in records of 80 bytes.
RECORD = 80
KIND = "a SAS transport file"
# Names of the headers of the library, its members, their variables, and their observations.
VERSIONS = (
    (b"LIBRARY", b"MEMBER", b"NAMESTR", b"OBS"),
    (b"LIBV8", b"MEMBV8", b"NAMSTV8", b"OBSV8"),
)


def check_transport(file: SourceFile) -> None:
    """Refuse a transport file that was cut off, or that holds several data sets.

    Version 5 tells neither the number of records nor its own end, so a reader takes what is
    there and drops half a record: only what stands behind the last whole one tells.

    Raises
    ------
    InvalidInput
        A file that is cut off, or that holds no data set or several.
    """
    content = file.content
    if len(content) % RECORD:
        raise file.invalid(
            f"has {len(content)} bytes; allowed: a multiple of {RECORD}. Was it cut off, or "
            "changed as text when it was sent?"
        )
    _, member, names, observations = next(
        (version for version in VERSIONS if _headers(content, version[0])[:1] == [0]), VERSIONS[0]
    )
    members = _headers(content, member)
    if len(members) > 1:
        raise file.invalid(f"holds {len(members)} data sets; allowed: one per file")
    described, data = _headers(content, names), _headers(content, observations)
    if not (members and described and data) or data[0] < described[0]:
        file.damaged(KIND, f"it ends before the {observations.decode()} header")
    length = _record_length(file, content, members[0], described[0])
    _refuse_cut(file, content, data[0], length)


def _headers(content: bytes, name: bytes) -> list[int]:
    """Find where the headers of a name begin."""
    header = re.compile(rb"HEADER RECORD\*{7}" + name.ljust(8) + rb"HEADER RECORD!{7}")
    return [found.start() for found in header.finditer(content) if found.start() % RECORD == 0]


def _record_length(file: SourceFile, content: bytes, member: int, described: int) -> int:
    """Add up the widths of the variables."""
    count, size = content[described + 53 : described + 58], content[member + 74 : member + 78]
    if size != b"0140" or not count.isdigit():
        file.damaged(KIND, "the descriptions of its variables are not as long as they should be")
    first = described + RECORD
    widths = [content[first + 140 * i + 4 : first + 140 * i + 6] for i in range(int(count))]
    length = sum(int.from_bytes(width, "big") for width in widths)
    if not length:
        raise file.invalid("holds no column")
    return length


def _refuse_cut(file: SourceFile, content: bytes, header: int, length: int) -> None:
    size = len(content) - header - RECORD
    whole, rest = divmod(size, length)
    declared = content[header + 48 : header + 63].strip()
    if declared.isdigit() and int(declared) > whole:
        raise file.invalid(f"is cut off: it declares {int(declared)} records and holds {whole}")
    behind = content[len(content) - rest :] if rest else b""
    if behind.strip(b" ") or rest >= RECORD:
        raise file.invalid(f"is cut off within record {whole + 1}")
