"""Check a configuration and fill in its defaults."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from discontinuation.problems import Problem, allowed_values, refuse

TYPE_NAMES = {
    "object": "a group of keys",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}


def complete_config(
    config: dict[str, Any],
    schema: dict[str, Any],
    file: str = "configuration",
    place: str = "",
) -> dict[str, Any]:
    """Check a configuration against its JSON schema and fill in the defaults.

    Parameters
    ----------
    config
        As read from YAML.
    schema
        JSON schema, draft 2020-12.
    file
        How messages call it.
    place
        The key under which it stands there, if it is a part of a larger one.

    Returns
    -------
    dict
        A completed copy.

    Raises
    ------
    InvalidInput
        With every unknown key, wrong type and impossible value, each with its path and what is
        allowed.
    """
    completed, problems = check_config(config, schema, file)
    refuse(replace(problem, column=_below(place, problem)) for problem in problems)
    return completed


def check_config(
    config: dict[str, Any], schema: dict[str, Any], file: str = "configuration"
) -> tuple[dict[str, Any], list[Problem]]:
    """Fill in the defaults of a configuration and list what is wrong with it.

    Parameters
    ----------
    config, schema, file
        As for `complete_config`.

    Returns
    -------
    completed
        A completed copy, with its faults.
    problems
        What `complete_config` would refuse.
    """
    completed = copy.deepcopy(config)
    _fill(completed, schema, schema.get("$defs", {}))
    errors = sorted(Draft202012Validator(schema).iter_errors(completed), key=_order)
    problems = [problem for error in errors for problem in _problems(error, file)]
    problems += _not_rising(completed, schema, file)
    endless = list(_not_finite(completed, file))
    places = {problem.column for problem in endless}
    # JSON schema compares NaN and infinity with its limits, and names every missing key of an
    # object once for each of them.
    others = [problem for problem in dict.fromkeys(problems) if problem.column not in places]
    return completed, [*endless, *others]


def _order(error: ValidationError) -> list[tuple[str, Any]]:
    """Sort by path; keys of one group can be of several types, as YAML reads 1: as a number."""
    return [(type(part).__name__, part) for part in error.path]


def _below(place: str, problem: Problem) -> str:
    return ".".join(filter(None, [place, problem.column]))


def _fill(value: Any, schema: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Write the defaults into a configuration; `$ref` leads to the schema's own definitions."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].removeprefix("#/$defs/")]
    if isinstance(value, dict):
        known = schema.get("properties", {})
        for key, part in known.items():
            if key not in value and "default" in part:
                value[key] = copy.deepcopy(part["default"])
        others = schema.get("additionalProperties")
        for key in value:
            part = known.get(key, others)
            if isinstance(part, dict):
                _fill(value[key], part, definitions)
    elif isinstance(value, list):
        for item in value:
            _fill(item, schema.get("items", {}), definitions)


def _not_finite(value: Any, file: str, path: str = "") -> Iterator[Problem]:
    """Find NaN, infinity and whole numbers too large for a computation."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _not_finite(part, file, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for position, part in enumerate(value):
            yield from _not_finite(part, file, f"{path}[{position}]")
    elif isinstance(value, int | float) and not _is_finite(value):
        yield Problem(file, "allowed: a finite number", column=path, value=str(value))


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _not_rising(value: Any, schema: dict[str, Any], file: str, path: str = "") -> Iterator[Problem]:
    """Find lists marked `rising` that do not rise; JSON schema has no such rule."""
    if isinstance(value, dict):
        for key, part in schema.get("properties", {}).items():
            if key in value:
                yield from _not_rising(value[key], part, file, f"{path}.{key}".lstrip("."))
    elif schema.get("rising") and isinstance(value, list):
        numbers = [item for item in value if isinstance(item, int | float)]
        if numbers != sorted(numbers):
            yield Problem(file, "allowed: numbers that rise", column=path, value=str(value))


def _problems(error: ValidationError, file: str) -> Iterator[Problem]:
    path = _path(error.absolute_path)
    schema: Any = error.schema
    instance: Any = error.instance
    rule: Any = error.validator_value
    if error.validator == "additionalProperties":
        known = sorted(schema.get("properties", {}))
        patterns = list(schema.get("patternProperties", {}))
        allowed = [*known, *(f"names of the form {pattern}" for pattern in patterns)]
        for key in sorted(set(instance) - set(known), key=str):
            if not any(re.search(pattern, str(key)) for pattern in patterns):
                where = ".".join(filter(None, [path, str(key)]))
                rule = f"unknown key; {allowed_values(allowed, str(key))}"
                yield Problem(file, rule, column=where)
    elif error.validator == "required":
        for key in rule:
            if key not in instance:
                where = ".".join(filter(None, [path, key]))
                meaning = schema["properties"][key].get("description", "")
                yield Problem(file, f"the key is missing ({meaning})", column=where)
    else:
        counted = error.validator in ("minItems", "maxItems")
        value = f"a list of {len(instance)}" if counted else str(instance)
        yield Problem(file, _rule(error, rule), column=path, value=value)


def _path(parts: Any) -> str:
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else ("." if text else "") + str(part)
    return text


def _rule(error: ValidationError, rule: Any) -> str:
    limits = {
        "minimum": "a number of {} or more",
        "maximum": "a number of {} or less",
        "exclusiveMinimum": "a number above {}",
        "minItems": "a list of at least {}",
        "minLength": "text of at least {} character",
        "exclusiveMaximum": "a number below {}",
        "maxItems": "a list of at most {}",
        "maxLength": "text of at most {} characters",
        "minProperties": "a group of at least {} key",
    }
    kind = str(error.validator)
    if "propertyNames" in error.absolute_schema_path:
        return "allowed: names that are text; put this one in quotes"
    if kind == "type":
        names = [rule] if isinstance(rule, str) else rule
        return "allowed: " + " or ".join(TYPE_NAMES[name] for name in names)
    if kind == "enum":
        return allowed_values([str(value) for value in rule], str(error.instance))
    if kind == "pattern":
        return f"allowed: text of the form {rule}"
    if kind in limits:
        return "allowed: " + limits[kind].format(rule)
    return "allowed: a list without repetitions" if kind == "uniqueItems" else error.message
