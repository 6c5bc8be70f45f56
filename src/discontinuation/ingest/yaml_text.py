"""What does a YAML file say, word for word?

YAML 1.1 reads `no` as false, `12:30` as 750, `010` as 8 and a date as an object, and keeps the
last of two equal keys. A file that maps data must not surprise its writer, so here only
true/false are booleans, only plain numbers are numbers, and a repeated key is refused.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from discontinuation.problems import Problem, refuse


class UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping whose keys are all different."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    message = f"the key {key.value!r} stands there more than once"
                    raise yaml.MarkedYAMLError(problem=message, problem_mark=key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Build a node; a file of a few lines must not unfold into millions."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not used", problem_mark=mark)
        return super().compose_node(parent, index)


class PlainLoader(UniqueKeyLoader):
    """Reads the core of YAML 1.2."""


PlainLoader.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("bool", r"true|false", "tf"),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    (
        "float",
        r"[-+]?(0|[1-9][0-9]*)?\.[0-9]+([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+",
        "-+.0123456789",
    ),
    ("null", r"~|null|", ["~", "n", ""]),
):
    expression = re.compile(f"(?:{pattern})$")
    PlainLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", expression, list(first))


def read_yaml(path: Path, name: str, loader: type[UniqueKeyLoader] = PlainLoader) -> dict[str, Any]:
    """Read a YAML file that holds a group of keys.

    Parameters
    ----------
    path
        The file.
    name
        How messages call it.
    loader
        `UniqueKeyLoader` for a file that another program reads as YAML 1.1.

    Raises
    ------
    InvalidInput
        If it is missing, not UTF-8, not YAML, not a group of keys, or says something twice.
    """
    try:
        content = yaml.load(path.read_bytes().decode("utf-8"), Loader=loader)
    except OSError as error:
        missing = not path.exists()
        message = "the file is missing" if missing else f"cannot be read ({error.strerror})"
        refuse([Problem(name, message)])
    except UnicodeDecodeError as error:
        row = error.object[: error.start].count(b"\n") + 1
        refuse([Problem(name, "is not UTF-8; save the file as UTF-8", row)])
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or " ".join(str(error).split())
        place = mark.line + 1 if mark else None
        refuse([Problem(name, f"cannot be used as YAML ({reason})", place)])
    else:
        if isinstance(content, dict):
            return content
        refuse([Problem(name, "allowed: a group of keys")])
    raise AssertionError
