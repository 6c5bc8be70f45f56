"""How much would this compressed file unpack to, and what is in it?"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from typing import Any
from zipfile import ZipFile

from discontinuation.ingest.readers.source import SourceFile

# A few kilobytes can unpack to any size.
MOST_UNPACKED = 2 << 30
TOO_LARGE = f"would unpack to more than {MOST_UNPACKED >> 30} GiB; split it, or use Parquet"


def unpack(file: SourceFile, kind: str) -> bytes:
    """Undo gzip, bzip2 or xz; return the content as it is if it is none of them.

    Raises
    ------
    InvalidInput
        A damaged or truncated file, or one that is too large unpacked.
    """
    content = file.content
    openers = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
    opener: Any = next((found for mark, found in openers.items() if content.startswith(mark)), None)
    if opener is None:
        return content
    with file.read_as(kind), opener(io.BytesIO(content)) as stream:
        unpacked: bytes = stream.read(MOST_UNPACKED + 1)
    if len(unpacked) > MOST_UNPACKED:
        raise file.invalid(TOO_LARGE)
    return unpacked


def refuse_large_zip(file: SourceFile, archive: ZipFile) -> None:
    """Refuse a zip file whose parts declare more than can be held; no part can hold more."""
    if sum(part.file_size for part in archive.infolist()) > MOST_UNPACKED:
        raise file.invalid(TOO_LARGE)
