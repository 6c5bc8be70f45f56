"""Read one SAS, SPSS or Stata file in a process of its own, and write what it holds to stdout.

The library in C that reads these formats can crash on a damaged file, so it does not run in the
process of the pipeline. This file is run as a script: it imports nothing of the package.
"""

import importlib
import pickle
import sys
import warnings


def limit_memory(most_bytes: int) -> None:
    """Let a damaged header that asks for more memory than there is fail at once."""
    try:
        import resource
    except ImportError:  # Windows has no such limit.
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = most_bytes if hard == resource.RLIM_INFINITY else min(most_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def read(path: str, parser: str, encoding: str | None) -> dict[str, object]:
    """Read a file; numbers of a column as one array where it holds nothing else."""
    import numpy as np

    # The public read_xport and read_por would turn special missing values into plain ones.
    parse = importlib.import_module("pyreadstat._readstat_parser").parser_entry_point
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        columns, meta = parse(
            path,
            parser_format=parser,
            encoding=encoding,
            user_missing=True,
            disable_datetime_conversion=True,
            output_format="dict",
        )
    for name, cells in columns.items():
        if meta.readstat_variable_types[name] != "string" and not meta.missing_user_values.get(
            name
        ):
            columns[name] = np.array(cells, dtype=float)
    return {
        "columns": list(columns.items()),
        "warnings": [str(warning.message) for warning in told],
        "types": meta.readstat_variable_types,
        "labels": meta.column_names_to_labels,
        "formats": meta.original_variable_types,
        "value_labels": meta.variable_value_labels,
        "label_sets": meta.variable_to_label,
        "missing_ranges": meta.missing_ranges,
        "special_missing": meta.missing_user_values,
        "encoding": meta.file_encoding,
    }


def main() -> None:
    """Answer with what the file holds, or with the name and words of the error."""
    path, parser, encoding, most_bytes = sys.argv[1:]
    limit_memory(int(most_bytes))
    answer: object
    try:
        answer = read(path, parser, encoding or None)
    except Exception as error:  # MemoryError included: it is told, and judged by the caller.
        answer = (type(error).__name__, str(error))
    with open(sys.stdout.fileno(), "wb", closefd=False) as stream:
        pickle.dump(answer, stream, protocol=pickle.HIGHEST_PROTOCOL)


if __name__ == "__main__":
    main()
