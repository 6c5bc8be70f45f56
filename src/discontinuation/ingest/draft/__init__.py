"""How is the declaration of a dataset drafted from its files, each guess marked as one?"""

from discontinuation.ingest.draft.command import new_command, write_draft
from discontinuation.ingest.draft.declare import draft_declaration

__all__ = ["draft_declaration", "new_command", "write_draft"]
