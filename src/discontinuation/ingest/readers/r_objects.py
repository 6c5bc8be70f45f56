"""What do the objects of an R file say, text and attributes included?"""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from discontinuation.ingest.readers.source import SourceFile
from discontinuation.ingest.readers.text_encoding import WESTERN
from discontinuation.ingest.readers.unpacking import unpack

if TYPE_CHECKING:
    from rdata.parser import RData, RObject, RObjectInfo

KIND = "an R data file"
# R-ints, "R Internals", 1.1.2: marks of the encoding of a string.
BYTES, LATIN1, UTF8, ASCII = 1 << 1, 1 << 2, 1 << 3, 1 << 6
# A sequence is stored by its ends: a damaged file asks for any length.
LONGEST_SEQUENCE = 100_000_000
# A string is its type with flags, its length, and its bytes; one with attributes is not plain.
INTEGER, STRING = struct.Struct(">i"), struct.Struct(">ii")
CHAR, NOT_PLAIN = 9, 0x2FF
XDR = re.compile(rb"(RDX[23]\n)?X\n")
R_BINARY = (b"RD", b"X\n", b"A\n", b"B\n")

WORDS = {
    "NIL": "NULL",
    "NILVALUE": "NULL",
    "LGL": "a logical vector",
    "INT": "an integer vector",
    "REAL": "a numeric vector",
    "CPLX": "a complex vector",
    "STR": "a character vector",
    "VEC": "a list",
    "CLO": "a function",
    "ENV": "an environment",
    "S4": "an S4 object",
    "RAW": "a raw vector",
}


def parse(file: SourceFile) -> RData:
    """Parse an R file of any kind: save() or saveRDS(), binary or ASCII, compressed or not.

    Raises
    ------
    InvalidInput
        A file that is damaged or not R's.
    """
    from rdata import parser

    content = unpack(file, KIND)
    if not content.startswith(R_BINARY):
        file.damaged(KIND, "it does not begin as one")
    constructors = _constructors(parser.DEFAULT_ALTREP_MAP)
    with file.read_as(KIND), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of objects that are not asked for, such as functions.
        if xdr := XDR.match(content):
            return parse_xdr(memoryview(content)[xdr.end() :], constructors)
        ending = ".rda" if content.startswith(b"RD") else ".rds"
        return parser.parse_data(content, extension=ending, altrep_constructor_dict=constructors)


def parse_xdr(content: memoryview, constructors: Mapping[bytes, Any]) -> RData:
    """Parse R's usual binary form; a vector of strings at once and each string only once.

    The library makes two objects for every string, in 14 microseconds: of ten million strings,
    which a trial's diary has, that is minutes and gigabytes.
    """
    from rdata.parser import RObject
    from rdata.parser._parser import parse_r_object_info
    from rdata.parser._xdr import ParserXDR

    class Parser(ParserXDR):
        def _parse_vector_value(self, *context: Any) -> list[RObject]:
            start = self.file.tell()
            strings = self._strings(self.file.getbuffer(), start)
            if strings is None:
                self.file.seek(start)
                return super()._parse_vector_value(*context)
            return strings

        def _strings(self, buffer: memoryview, at: int) -> list[RObject] | None:
            """Read a vector that holds nothing but strings; None if it holds something else."""
            (length,) = INTEGER.unpack_from(buffer, at)
            at += INTEGER.size
            kinds: dict[int, RObjectInfo] = {}
            known: dict[tuple[int, bytes | None], RObject] = {}
            found = []
            for _ in range(length):
                flags, size = STRING.unpack_from(buffer, at)
                if flags & NOT_PLAIN != CHAR or size < -1:
                    return None
                at += STRING.size
                raw = None if size < 0 else bytes(buffer[at : at + size])
                at += max(size, 0)
                if flags not in kinds:
                    kinds[flags] = parse_r_object_info(flags)
                if (flags, raw) not in known:
                    known[flags, raw] = RObject(kinds[flags], raw, None)
                found.append(known[flags, raw])
            self.file.seek(at)
            return found

    parser = Parser(content, expand_altrep=True, altrep_constructor_dict=constructors)
    parsed = parser.parse_all()
    parser.check_complete()
    return parsed


def follow(item: RObject) -> RObject:
    """Give the object that a reference stands for."""
    while item.referenced_object is not None:
        item = item.referenced_object
    return item


def type_name(item: RObject) -> str:
    """Name the type of an object as R's own code does: INT, REAL, STR, VEC and so on."""
    return str(item.info.type.name)


@dataclass
class Texts:
    """Decode strings: each is marked with its encoding, or in that of the file.

    Attributes
    ----------
    native
        Encoding of strings without a mark, if the file or the user tells it.
    assumed
        First string that was not marked and not UTF-8, and so read as Windows-1252.
    """

    native: str | None
    assumed: str | None = None
    known: dict[tuple[bytes, int], str] = field(default_factory=dict)

    def one(self, item: RObject) -> str | None:
        """Decode one string; None if it is NA."""
        raw = item.value
        if raw is None:
            return None
        key = (raw, item.info.gp)
        if key not in self.known:
            self.known[key] = self._decode(raw, item.info.gp)
        return self.known[key]

    def all(self, item: RObject) -> list[str | None]:
        """Decode a character vector."""
        return [self.one(char) for char in item.value]

    def first(self, item: RObject | None) -> str | None:
        """Decode the first string of an attribute that may not be there."""
        if item is None or type_name(item) != "STR" or not item.value:
            return None
        return self.one(item.value[0])

    def _decode(self, raw: bytes, mark: int) -> str:
        if mark & BYTES:
            raise ValueError(f"text marked as bytes: {raw[:20]!r}")
        if mark & (UTF8 | ASCII):
            return raw.decode("utf-8")
        if mark & LATIN1:
            # On Windows, R marks Windows-1252 so.
            return _western(raw)
        if self.native is not None:
            return raw.decode(self.native)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            text = _western(raw)
            self.assumed = self.assumed or text
            return text


def _western(raw: bytes) -> str:
    try:
        return raw.decode(WESTERN)
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def attributes(item: RObject, text: Texts) -> dict[str, RObject]:
    """List the attributes of an object by name."""
    return {name: value for name, value in pairs(item.attributes, text) if name}


def pairs(node: RObject | None, text: Texts) -> list[tuple[str, RObject]]:
    """Go along a pairlist: names and values."""
    found = []
    while node is not None and type_name(node) == "LIST":
        tag = follow(node.tag).value if node.tag is not None else None
        found.append((text.one(tag) or "" if tag is not None else "", follow(node.value[0])))
        node = node.value[1]
    return found


def describe(item: RObject, text: Texts) -> str:
    """Say in words what an object is."""
    found = attributes(item, text)
    if "dim" in found:
        return "a matrix or array"
    if "class" in found and (name := text.first(found["class"])):
        return f"an object of class {name}"
    return WORDS.get(type_name(item), "no data")


def _constructors(default: Mapping[bytes, Any]) -> dict[bytes, Callable[[RObject], Any]]:
    """Put out compact vectors, within bounds, and numbers as text as R writes them."""

    def bounded(constructor: Callable[[RObject], Any]) -> Callable[[RObject], Any]:
        def construct(state: RObject) -> Any:
            if not 0 <= state.value[0] <= LONGEST_SEQUENCE:
                raise ValueError(f"a sequence of {state.value[0]:g} numbers")
            return constructor(state)

        return construct

    def deferred(state: RObject) -> Any:
        info, chars = default[b"deferred_string"](state)
        numbers, scipen = state.value[0].value, int(state.value[1].value[0])
        missing = np.ma.getmaskarray(numbers)
        for char, number, is_missing in zip(chars, np.ma.getdata(numbers), missing, strict=True):
            written = None if is_missing else as_character(number, scipen)
            char.value = None if written is None else written.encode()
        return info, chars

    return {
        **default,
        b"compact_intseq": bounded(default[b"compact_intseq"]),
        b"compact_realseq": bounded(default[b"compact_realseq"]),
        b"deferred_string": deferred,
    }


def as_character(number: Any, scipen: int = 0) -> str | None:
    """Write a number as R's as.character() does: 15 digits, fixed unless that is longer.

    Parameters
    ----------
    number
        An integer or a double.
    scipen
        R's option of that name, in favour of fixed notation.
    """
    if isinstance(number, np.integer):
        return str(int(number))
    if is_na(np.array([number]))[0]:
        return None
    if not np.isfinite(number):
        return "NaN" if np.isnan(number) else "Inf" if number > 0 else "-Inf"
    mantissa, _, power = f"{number:.14e}".partition("e")
    digits = mantissa.lstrip("-").replace(".", "").rstrip("0")
    exponent, places = int(power), max(len(digits) - 1 - int(power), 0)
    fixed = f"{number:.{places}f}" if places <= 340 else ""
    point = "." if len(digits) > 1 else ""
    sign = "-" if number < 0 else ""
    scientific = f"{sign}{digits[:1] or '0'}{point}{digits[1:]}e{exponent:+03d}"
    return fixed if fixed and len(fixed) <= len(scientific) + scipen else scientific


def is_na(values: Any) -> Any:
    """Tell NA from NaN: NA is the NaN whose lower word is 1954 (R-ints, 1.1.4)."""
    bits = np.ascontiguousarray(values, dtype=np.float64).view(np.uint64)
    return np.isnan(values) & ((bits & np.uint64(0xFFFFFFFF)) == 1954)
