"""What a page says of a planned trial: its size, its parts, its tests, and what it leaves open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from discontinuation.design.assurance import outside_priors
from discontinuation.design.design_file import TrialDesign
from discontinuation.design.design_problems import in_days
from discontinuation.design.hypotheses import MAINTAINED, NON_INFERIOR, WORDS, hypothesis_of
from discontinuation.design.power import FEWEST
from discontinuation.design.trial_plan import TrialPlan
from discontinuation.report.numbers import decimal, interval, percent, whole_percent

PRIORS = {
    "withdrawal_risk": "risk of withdrawal after an abrupt stop",
    "kappa": "kappa",
    "relapse_ratio": "hazard ratio of relapse",
    "relapse_per_year": "hazard of relapse per year",
}
LOW = 0.8  # power below which a page says that a truth may be missed
INFLATED = 0.05  # false answers above which it says so: twice what is asked for
APART = 0.07  # distance of formula and simulation above which it says so


def labels(design: TrialDesign) -> dict[str, str]:
    """Each truth in words."""
    return {name: truth["label"] or name for name, truth in design.content["truths"].items()}


def size_sentence(plan: TrialPlan) -> str:
    """Say how many people are needed, or that no number that was tried is enough."""
    power, design = plan.power, plan.power.design
    content = design.content
    if content["replicates"] < FEWEST:
        return (
            f"There is no recommended size after {content['replicates']} simulated trials of each "
            f"truth and size; that takes {FEWEST} or more."
        )
    goal = f"a power of at least {content['hypotheses']['power']:g} for {_listed(design.wanted)}"
    goal += f", if the truth is “{labels(design)[design.planned_for]}”"
    if power.recommended is None:
        said = f"None of the sizes that were tried, up to {plan.size} per arm, has {goal}."
    else:
        arms = len(design.arms)
        said = f"{plan.size} people per arm, {plan.size * arms:,} in all, have {goal}."
    row = power.least.loc[plan.size]
    shown = percent(float(row["simulated"]))
    said += (
        f" With {plan.size}, {_test_words(row['test'])} has the least: {shown} of simulated "
        f"trials, {interval(row['lower'], row['upper'], percent)} with two Monte-Carlo errors."
    )
    if power.undecided:
        sizes = _listed([f"{size:,}" for size in power.undecided])
        said += f" Monte-Carlo error leaves open whether {sizes} per arm would do."
    return said


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _days(days: int) -> str:
    return "every day" if days == 1 else f"every {days} days"


def facts(design: TrialDesign) -> Iterator[tuple[str, str]]:
    """Name the parts of the design."""
    content, follow = design.content, design.content["follow_up"]
    yield "Arms", "; ".join(_arm_words(arm) for arm in content["arms"])
    yield "Drug", f"{content['drug']['name']}, {content['drug']['dose_mg']:g} mg per day"
    start = "Every arm goes through the same sequence of apparent steps, sham ones included"
    if follow["concealed_start_weeks"]:
        start += (
            f"; the reduction starts on a concealed day within {follow['concealed_start_weeks']} "
            "weeks of randomisation"
        )
    yield "Blinding", f"{start} (P)."
    yield (
        "Follow-up",
        f"{follow['weeks']:g} weeks from the start of the reduction, in every arm; "
        f"{percent(follow['dropout_in_a_year'])} of people are assumed to leave within a year",
    )
    yield "Visits", _days(design.scenario.visit_days)
    yield "Looks", "; ".join(_look(design, name) for name in content["hypotheses"]["tested"])
    raters = content["adjudication"]
    yield (
        "Raters",
        "blinded to arm and dose dates, assumed to recognise "
        f"{whole_percent(raters['withdrawal_recognised'])} of withdrawal and "
        f"{whole_percent(raters['relapse_recognised'])} of relapse (P)",
    )


def _arm_words(arm: Mapping[str, object]) -> str:
    if arm["strategy"] != "taper":
        return str(arm["name"])
    weeks, step, unit = (float(str(arm[k])) for k in ("taper_weeks", "step_days", "rounded_to_mg"))
    what = "occupancy" if arm["shape"] == "hyperbolic" else "dose"
    said = f"{arm['name']} over {weeks:g} weeks in {in_days(weeks) / step:g} equal falls of {what}"
    rounded = f", doses rounded to {unit:g} mg" if unit else ""
    return f"{said}, one {_days(int(step))}{rounded}"


def _look(design: TrialDesign, name: str) -> str:
    """When a hypothesis looks, and at what: the last visit by then."""
    asked = design.content["hypotheses"]
    when = {
        "H3": f"{asked['relapse_weeks_after_taper']:g} weeks after the taper, ",
        "H4": f"week {asked['share_weeks']:g}, ",
    }.get(name, "the end, ")
    said = f"{name} at {when}" if name != "H3" else f"{name} {when}"
    said += f"day {design.look(name):g}"
    if design.looks_on(name) != design.look(name):
        said += f" (the last visit by then is on day {design.looks_on(name):g})"
    return said


def hypotheses(design: TrialDesign) -> list[tuple[str, str]]:
    """Say of each hypothesis that is tested what it means and how it is tested."""
    asked = design.content["hypotheses"]
    end, late, early = (f"day {design.look(name):g}" for name in ("H1", "H3", "H4"))
    maintain, abrupt, taper = (_arm(design, name) for name in ("maintain", "abrupt", "taper"))
    how = {
        "H1": "Score test of the withdrawal drive (adaptation time "
        f"{asked['drive_tau_days']:g} days, to the power {asked['drive_kappa']:g}) in a Cox model "
        "of all arms that also has the loss of protection, on the clock that starts with the "
        f"reduction, real or sham, up to {end}.",
        "H2": f"Cumulative hazards of withdrawal at the end, {end}: {abrupt} minus {taper}. "
        "Were the withdrawal hazard linear in the drive, every taper would only spread it and "
        "they would be equal.",
        "H3": "Difference of the net risks of relapse "
        f"{asked['relapse_weeks_after_taper']:g} weeks after the taper, {late}: {taper} minus "
        f"{maintain}, withdrawal as censoring. Not inferior if the upper limit is below the margin "
        f"of {asked['margin']:g}, maintenance better if the lower limit is above 0.",
        "H4": f"Excess hazard of withdrawal by week {asked['share_weeks']:g}, {early}, against "
        f"{asked['share']:g} of the excess of any deterioration: {abrupt} against {maintain} "
        "(Fieller).",
    }
    return [
        (name, f"{WORDS[name][:1].upper()}{WORDS[name][1:]}. {how[name]}")
        for name in asked["tested"]
    ]


def _arm(design: TrialDesign, strategy: str) -> str:
    """Name of the arm that is compared, if there is one."""
    place = design.place(strategy)
    return "" if place is None else f"“{design.arms[place].name}”"


def limits(plan: TrialPlan) -> Iterator[str]:
    """Say what the trial would leave open, from its own simulation."""
    design = plan.power.design
    names = labels(design)
    if plan.power.recommended is None:
        yield size_sentence(plan)
    for row in at_size(plan).to_dict("records"):
        said, truth = percent(row["simulated"]), names[str(row["truth"])]
        if row["true"] and row["simulated"] < LOW:
            lead = f"{_test_words(row['test'])}, where it is true (“{truth}”)"
            yield f"{lead}: shown in {said} of trials only."
        if not row["true"] and row["lower"] > INFLATED:
            lead = f"{_test_words(row['test'])}, where it is not true (“{truth}”)"
            yield f"{lead}: said in {said} of trials."
    yield from _protected(plan, names)
    yield from _unsure(plan)
    yield from _surprised(design)
    yield from _apart(plan, names)
    yield (
        "The size rests on how well raters tell the causes apart. No published trial has measured "
        "it, so it is a proposal (P)."
    )
    yield from _not_over(plan, names)
    yield (
        "One trial tells about one drug at one dose in the people who enter it; it cannot tell for "
        "any one person why they got worse."
    )


def _unsure(plan: TrialPlan) -> Iterator[str]:
    """Say which wanted hypotheses would often stay open, given what is not known beforehand."""
    rows = plan.assured.summary.query("people_per_arm == @plan.size")
    rows = rows.assign(hypothesis=rows["test"].map(hypothesis_of))
    for name in plan.power.design.wanted:
        best = rows.loc[rows["hypothesis"] == name, "assurance"].max()  # H3: the likelier side
        if best < LOW:
            yield (
                f"Averaged over the priors, which include truths under which it is false, {name} "
                f"would be settled in {percent(best)} of trials."
            )


def _surprised(design: TrialDesign) -> Iterator[str]:
    """Say where the priors and the truth that is planned for do not belong together."""
    for name, (value, lower, upper) in outside_priors(design).items():
        yield (
            f"Assurance has priors that hardly allow the truth that is planned for: there the "
            f"{PRIORS[name]} is {value:.3g}, outside the central 95 % of its prior "
            f"({lower:.3g} to {upper:.3g})."
        )


def _apart(plan: TrialPlan, names: Mapping[str, str]) -> Iterator[str]:
    """Say where formula and simulation differ by more than Monte-Carlo error explains."""
    rows = plan.power.summary.query("kind == 'hypothesis' and replicates >= @FEWEST")
    rows = rows.assign(gap=rows["simulated"] - rows["formula"])
    beyond = (rows["formula"] < rows["lower"]) | (rows["formula"] > rows["upper"])
    far = rows.loc[beyond & (rows["gap"].abs() > APART)]
    for (truth, test), of in far.groupby(["truth", "test"], sort=False):
        sizes = _listed([f"{size:,}" for size in of["people_per_arm"]])
        worst = of.sort_values("gap", key=abs).iloc[-1]
        simulated, formula = float(worst["simulated"]), float(worst["formula"])
        yield (
            f"{_test_words(test)}, “{names[str(truth)]}”: the formula is off with {sizes} per arm, "
            f"by as much as {decimal(abs(simulated - formula))} ({percent(simulated)} simulated, "
            f"{percent(formula)} by formula). The simulation counts."
        )


def _not_over(plan: TrialPlan, names: Mapping[str, str]) -> Iterator[str]:
    """Say under which truths withdrawal would last longer than follow-up."""
    design = plan.power.design
    for truth in design.truths:
        rows = plan.follow_up.loc[plan.follow_up["truth"] == truth]
        left = design.end - rows["last_dose_day"]
        arms = rows.loc[rows["days_daily"] > left, "arm"]
        if len(arms):
            yield (
                f"If the truth is “{names[truth]}”, withdrawal would not be over when follow-up "
                f"ends in {_listed([f'“{arm}”' for arm in arms])}."
            )
        if rows["days_daily"].isna().any() and design.truths[truth].alpha_per_day > 0:
            yield (
                f"If the truth is “{names[truth]}”, there is no relapse to set withdrawal against, "
                "so it cannot be said when it is over."
            )


def _protected(plan: TrialPlan, names: Mapping[str, str]) -> Iterator[str]:
    """Say how often a plain test would take protection during the taper for withdrawal."""
    design = plan.power.design
    stopped, tapered = design.place("abrupt"), design.place("taper")
    if stopped is None or tapered is None:
        return
    first, second = sorted((stopped, tapered))
    contrast = f"{design.arms[second].name} v {design.arms[first].name}"
    none = [name for name, truth in design.truths.items() if truth.alpha_per_day == 0]
    rows = plan.power.summary
    chosen = rows.loc[
        (rows["test"] == "FH(1,0)")
        & (rows["contrast"] == contrast)
        & (rows["people_per_arm"] == plan.size)
        & rows["truth"].isin(none)
    ]
    for row in chosen.to_dict("records"):
        if row["lower"] > INFLATED:
            yield (
                f"A plain early comparison of {contrast} differs in {percent(row['simulated'])} of "
                f"trials with no withdrawal at all (“{names[str(row['truth'])]}”), so it settles "
                "nothing."
            )


def visits_words(plan: TrialPlan) -> str:
    """Say what the table of visits shows, and where it has no value."""
    said = f"With {plan.size} people per arm, under the truth that is planned for."
    answers = plan.answers.query("test == 'H4'")
    truth = answers.loc[answers["truth"] == plan.power.design.planned_for, "value"]
    if len(truth):
        said += (
            f" The share that H4 would find (truth: {decimal(truth.iloc[0])}) moves with the "
            "visits and with the errors of the raters: where it rises, more power is no gain."
        )
    blind = plan.visits.loc[plan.visits["looks_on"].isna()]
    for days, rows in blind.groupby("visit_days"):
        for name in dict.fromkeys(rows["test"].map(hypothesis_of)):
            day = plan.power.design.look(name)
            said += (
                f" With {days} days between visits {name} has no value: it looks on day {day:g}, "
                "before the first visit."
            )
    return said


def _test_words(test: object) -> str:
    words = {
        "H1": "H1 (withdrawal exists)",
        "H2": "H2 (a taper prevents withdrawal)",
        NON_INFERIOR: "H3 (the taper is not inferior)",
        MAINTAINED: "H3 (maintenance is better)",
        "H4": "H4 (much of the excess is withdrawal)",
    }
    return words[str(test)]


def at_size(plan: TrialPlan) -> pd.DataFrame:
    """Hypotheses at the recommended size, beside the truth."""
    rows = plan.power.summary.query("kind == 'hypothesis' and people_per_arm == @plan.size")
    return rows.merge(plan.answers, on=["truth", "test"], how="left")
