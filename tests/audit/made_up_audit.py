"""A made-up audit, complete and without contradictions, for tests to change."""

from discontinuation.audit.tools import robins_i

RANDOMISED = {
    "1.1": "Y", "1.2": "Y", "1.3": "N", "2.1": "N", "2.2": "PN", "2.6": "Y", "3.1": "Y",
    "4.1": "N", "4.2": "N", "4.3": "N", "5.1": "Y", "5.2": "N", "5.3": "N",
}  # fmt: skip
WITHDRAWAL = {
    "W1": "Y", "W2": "Y", "W3": "N", "W4": "NI", "W5": "NI", "W6": "NI", "W7": "N", "W8": "NI",
}  # fmt: skip


def said(answer, reason="because", source="p. 3"):
    return {"answer": answer, "reason": reason, "source": source}


def answers(given, readers=("A", "B")):
    """The same answers by every reader."""
    return {number: {name: said(answer) for name in readers} for number, answer in given.items()}


def result(readers=("A", "B"), **changes):
    return {
        "outcome": "relapse",
        "time": "week 26",
        "week": 26,
        "tool": "RoB 2",
        "answers": answers({**RANDOMISED, **WITHDRAWAL}, readers),
        **changes,
    }


def cohort_result(readers=("A",), judgements=None):
    """A result judged with ROBINS-I."""
    stated = judgements or ["Moderate"] * 7
    return {
        "outcome": "relapse",
        "time": "week 52",
        "tool": "ROBINS-I 2016",
        "target_trial": dict.fromkeys(robins_i().target_trial, "as said in the protocol"),
        "answers": answers(WITHDRAWAL, readers),
        "domains": {
            domain.key: {
                name: {"judgement": judgement, "reason": "because", "source": "p. 4"}
                for name in readers
            }
            for domain, judgement in zip(robins_i().domains, stated, strict=True)
        },
    }


def audit(readers=("A", "B"), **changes):
    return {
        "study": "Alpha",
        "title": "Alpha 2020",
        "read": "full text",
        "readers": list(readers),
        "results": [result(readers)],
        **changes,
    }
