"""What does this file hold, as it was written, and what had to be assumed to read it?"""

from discontinuation.ingest.readers.formats import FORMATS, Format, Option, read_source
from discontinuation.ingest.readers.numbers import as_numbers
from discontinuation.ingest.readers.source import SourceTable

__all__ = ["FORMATS", "Format", "Option", "SourceTable", "as_numbers", "read_source"]
