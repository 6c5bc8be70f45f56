"""What kind of file is this, whatever its name ends in?"""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from zipfile import BadZipFile, ZipFile

from discontinuation.ingest.readers.source import SourceFile

HEAD = 4096
SAS7BDAT = bytes(12) + bytes.fromhex("c2ea8160b31411cfbd92080009c7318c181f1011")
COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
R_DATA = re.compile(rb"RD[XAB][23]\n|X\n\0\0\0[\2\3]|B\n[\2\3]\0\0\0")

# Format, or words for what no reader reads, by how the file starts.
SIGNATURES = (
    (re.compile(rb"PAR1"), "parquet"),
    (re.compile(rb"PARE"), "an encrypted Parquet file"),
    (re.compile(rb"\$FL[23]"), "spss"),
    (re.compile(rb"<stata_dta>|[\x66-\x73][\x01\x02]\x01"), "stata"),
    (re.compile(rb"HEADER RECORD\*{7}LIB"), "xpt"),
    (re.compile(re.escape(SAS7BDAT), re.DOTALL), "sas7bdat"),
    (R_DATA, "r"),
    (re.compile(rb"%PDF"), "a PDF document"),
    (
        re.compile(rb"\s*<(!doctype\s+html|html|head|body|table|meta)\b", re.IGNORECASE),
        "a web page",
    ),
    (re.compile(rb"\s*<\?xml"), "an XML document"),
)


def recognise(file: SourceFile) -> str | None:
    """Tell a file's format by its content.

    Returns
    -------
    str or None
        Name of the format; a description with its article (``"a web page"``) for what has no
        reader here; None for text without a signature.
    """
    head = file.head(HEAD)
    start = head.removeprefix(b"\xef\xbb\xbf")
    for pattern, kind in SIGNATURES:
        if pattern.match(start):
            return kind
    if head.startswith(b"PK\x03\x04"):
        return _zip_kind(file)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _compound_kind(file)
    for magic, kind in COMPRESSED.items():
        if head.startswith(magic):
            return _compressed_kind(head, kind)
    if re.search(rb"SPSSPORT", re.sub(rb"[\r\n]", b"", head)):
        return "spss"
    return "dataset-json" if start.lstrip().startswith(b"{") else None


def _zip_kind(file: SourceFile) -> str:
    try:
        with file.path.open("rb") as stream, ZipFile(stream) as archive:
            names = set(archive.namelist())
            mimetype = archive.read("mimetype")[:80] if "mimetype" in names else b""
    except (BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, zlib.error):
        return "a damaged or truncated zip file"
    if "xl/workbook.bin" in names:
        return "a binary Excel workbook (.xlsb)"
    if any(name.startswith("xl/") for name in names):
        return "excel"
    if b"opendocument" in mimetype:
        return "an OpenDocument file"
    return "a zip archive that is not a workbook"


def _compound_kind(file: SourceFile) -> str:
    content = file.content
    if "EncryptedPackage".encode("utf-16-le") in content:
        return "a workbook protected by a password"
    if "Workbook".encode("utf-16-le") in content or "Book".encode("utf-16-le") in content:
        return "an old Excel workbook (.xls)"
    return "an old Office document"


def _compressed_kind(head: bytes, kind: str) -> str:
    """Look at the first bytes behind the compression: R compresses its files."""
    try:
        if kind == "gzip":
            inside = zlib.decompressobj(31).decompress(head, 64)
        elif kind == "bzip2":
            reader = bz2.BZ2Decompressor()
            inside = reader.decompress(head)
            if not inside and not reader.eof:
                return "r"  # Its first block is longer than the head: the reader will see.
        else:
            inside = lzma.LZMADecompressor().decompress(head, 64)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
        return f"a damaged {kind} file"
    is_r = R_DATA.match(inside) or inside.startswith((b"A\n2\n", b"A\n3\n"))
    return "r" if is_r else f"a file compressed with {kind}"
