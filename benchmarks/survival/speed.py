"""How fast are the survival functions beside R, lifelines, statsmodels and scikit-survival?

    python benchmarks/survival/speed.py [people ...]

Three arms, five covariates, whole days from 1 to 365, about 63 % events of two causes: the same
data for every tool, one thread, medians of repeated calls in the same run. Ours is the public call
with its checks. Kaplan-Meier is one curve of everybody, Aalen-Johansen two causes in three arms.
Tools that are not installed are left out. Writes results.csv, memory.csv and cost.svg beside this
file. Compile time is that of a fresh process without and with the kernels cached on disk.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
SIZES = (500, 5_000, 100_000, 1_000_000)
COVARIATES = ["x1", "x2", "x3", "x4", "x5"]
TERMS = " + ".join(COVARIATES)
REPEATS, LONG = 7, 5.0
PEER_LIMIT = 1_000_000


def drawn(n: int) -> pd.DataFrame:
    """People with daily times; the same for every tool."""
    stream = np.random.default_rng(n)
    frame = pd.DataFrame({"arm": stream.integers(0, 3, n)})
    frame["x1"] = (frame["arm"] == 1) * 1.0
    frame["x2"] = (frame["arm"] == 2) * 1.0
    for name in ("x3", "x4"):
        frame[name] = stream.normal(size=n).round(3)
    frame["x5"] = stream.integers(0, 2, n).astype(float)
    hazard = np.exp(0.5 * frame["x1"] - 0.3 * frame["x2"] + 0.2 * frame["x3"] + 0.3 * frame["x5"])
    days = np.ceil(stream.exponential(300 / hazard))
    end = np.ceil(stream.uniform(120, 500, n))
    last = np.minimum(np.minimum(days, end), 365)
    happened = (days <= end) & (days <= 365)
    frame["time"] = last
    frame["cause"] = np.where(happened, 1 + (stream.random(n) < 0.35), 0)
    return frame


def median_seconds(work: Callable[[], object]) -> float:
    """Median time of a call; a long one is timed once."""
    work()
    begin = time.perf_counter()
    work()
    first = time.perf_counter() - begin
    if first > LONG:
        return first
    inner = max(1, int(0.03 / first))
    taken = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        for _ in range(inner):
            work()
        taken.append((time.perf_counter() - begin) / inner)
    return float(np.median(taken))


def once(work: Callable[[], object]) -> float:
    """Time of one call."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def ours(data: pd.DataFrame) -> Iterator[tuple[str, float]]:
    """Public calls of this package."""
    from discontinuation.survival import aalen_johansen, cox, fine_gray, kaplan_meier, logrank

    event = (data["cause"] > 0).astype(int)
    whole = data.assign(event=event)
    arrays = {
        "time": data["time"].to_numpy(),
        "event": event.to_numpy(),
        "cause": data["cause"].to_numpy(),
        "arm": data["arm"].to_numpy(),
    }
    t, e, c, a = arrays.values()
    yield "Cox", median_seconds(lambda: cox(TERMS, whole))
    yield "Kaplan-Meier", median_seconds(lambda: kaplan_meier(t, e))
    yield "log-rank", median_seconds(lambda: logrank(t, e, a))
    yield "Aalen-Johansen", median_seconds(lambda: aalen_johansen(t, c, a))
    yield "Fine-Gray", median_seconds(lambda: fine_gray(TERMS, whole))
    if len(data) <= 500:
        draws = np.random.default_rng(1).multinomial(
            len(data), np.full(len(data), 1 / len(data)), 1000
        )
        model = cox(TERMS, whole)
        model.refit(draws[:2])
        yield "1,000 bootstrap Cox fits", once(lambda: model.refit(draws))


def lifelines(data: pd.DataFrame) -> Iterator[tuple[str, float]]:
    """The same in lifelines."""
    import warnings

    from lifelines import AalenJohansenFitter, CoxPHFitter, KaplanMeierFitter
    from lifelines.statistics import multivariate_logrank_test

    warnings.simplefilter("ignore")
    n = len(data)
    frame = data[[*COVARIATES, "time"]].assign(event=(data["cause"] > 0).astype(int))
    arms = [rows for _, rows in data.groupby("arm")]
    batch = True if n > 5000 else None

    def fit() -> object:
        options = {"precision": 1e-10}
        return CoxPHFitter().fit(frame, "time", "event", fit_options=options, batch_mode=batch)

    yield "Cox", median_seconds(fit)
    yield (
        "Kaplan-Meier",
        median_seconds(lambda: KaplanMeierFitter().fit(data["time"], data["cause"] > 0)),
    )
    yield (
        "log-rank",
        median_seconds(
            lambda: multivariate_logrank_test(data["time"], data["arm"], data["cause"] > 0)
        ),
    )
    if n <= 100_000:
        yield (
            "Aalen-Johansen",
            median_seconds(
                lambda: [
                    AalenJohansenFitter(seed=1).fit(a["time"], a["cause"], k)
                    for a in arms
                    for k in (1, 2)
                ]
            ),
        )


def statsmodels(data: pd.DataFrame) -> Iterator[tuple[str, float]]:
    """The same in statsmodels."""
    from statsmodels.duration.hazard_regression import PHReg
    from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight, survdiff

    event = (data["cause"] > 0).astype(int).to_numpy()
    x, t = data[COVARIATES].to_numpy(), data["time"].to_numpy()
    arms = [rows for _, rows in data.groupby("arm")]
    yield "Cox", median_seconds(lambda: PHReg(t, x, status=event, ties="efron").fit())
    yield (
        "Kaplan-Meier",
        median_seconds(lambda: SurvfuncRight(t, event)),
    )
    yield "log-rank", median_seconds(lambda: survdiff(t, event, data["arm"].to_numpy()))
    yield (
        "Aalen-Johansen",
        median_seconds(lambda: [CumIncidenceRight(a["time"], a["cause"]) for a in arms]),
    )


def scikit_survival(data: pd.DataFrame) -> Iterator[tuple[str, float]]:
    """The same in scikit-survival."""
    from sksurv.compare import compare_survival
    from sksurv.linear_model import CoxPHSurvivalAnalysis
    from sksurv.nonparametric import cumulative_incidence_competing_risks, kaplan_meier_estimator

    happened = (data["cause"] > 0).to_numpy()
    y = np.array(
        list(zip(happened, data["time"], strict=True)), dtype=[("event", bool), ("time", float)]
    )
    x = data[COVARIATES].to_numpy()
    arms = [np.flatnonzero(data["arm"] == arm) for arm in range(3)]
    time_, cause = data["time"].to_numpy(), data["cause"].to_numpy().astype(int)
    yield "Cox", median_seconds(lambda: CoxPHSurvivalAnalysis(ties="efron").fit(x, y))
    yield (
        "Kaplan-Meier",
        median_seconds(
            lambda: [
                kaplan_meier_estimator(happened[a], time_[a], conf_type="log-log") for a in arms
            ]
        ),
    )
    yield "log-rank", median_seconds(lambda: compare_survival(y, data["arm"].to_numpy()))
    yield (
        "Aalen-Johansen",
        median_seconds(
            lambda: [
                cumulative_incidence_competing_risks(cause[a], time_[a], conf_type="log-log")
                for a in arms
            ]
        ),
    )


def r_times(data: pd.DataFrame) -> pd.DataFrame:
    """Times of R, from one process that reads the same data."""
    if shutil.which("Rscript") is None:
        return pd.DataFrame()
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "data.csv", Path(folder) / "out.csv"
        data.to_csv(source, index=False)
        command = ["Rscript", str(HERE / "peers.R"), str(source), "5", str(out)]
        subprocess.run(command, check=True)
        return pd.read_csv(out)


def start_up() -> dict[str, float]:
    """Seconds of the first Cox fit in a new process, without and with kernels on disk."""
    code = (
        "import time, numpy as np, pandas as pd; from discontinuation.survival import cox;"
        "d = pd.DataFrame({'time': np.arange(1., 51), 'event': 1, 'x': np.arange(50) % 2});"
        "t = time.perf_counter(); cox('x', d); print(time.perf_counter() - t)"
    )
    found = {}
    with tempfile.TemporaryDirectory() as cache:
        for name in ("compiled", "from disk"):
            environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
            done = subprocess.run(
                [sys.executable, "-c", code],
                env=environment, capture_output=True, text=True, check=True,
            )  # fmt: skip
            found[name] = float(done.stdout)
    return found


def memory(n: int) -> pd.DataFrame:
    """Peak memory above the loaded data, GiB, each call in a process of its own."""
    rows = []
    for job in ("Cox", "Kaplan-Meier", "Aalen-Johansen", "Fine-Gray"):
        done = subprocess.run(
            [sys.executable, __file__, "--memory", job, str(n)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        rows.append({"job": job, "n": n, "gib_above_data": float(done.stdout)})
    return pd.DataFrame(rows)


def _memory(kind: str) -> float:
    """Memory of this process, GiB: VmRSS now, VmHWM the peak since the last reset (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(kind + ":")]
    return int(line.split()[1]) / 2**20


def measure_memory(job: str, n: int) -> None:
    """Print the peak of one call above the data and the compiled kernels."""
    from discontinuation import survival

    def call(data: pd.DataFrame) -> object:
        whole = data.assign(event=(data["cause"] > 0).astype(int))
        calls = {
            "Cox": lambda: survival.cox(TERMS, whole),
            "Kaplan-Meier": lambda: survival.kaplan_meier(whole["time"], whole["event"]),
            "Aalen-Johansen": lambda: survival.aalen_johansen(
                whole["time"], whole["cause"], whole["arm"]
            ),
            "Fine-Gray": lambda: survival.fine_gray(TERMS, whole),
        }
        return calls[job]()

    call(drawn(500))
    data = drawn(n)
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of making the data
    call(data)
    print(_memory("VmHWM") - before)


def draw(results: pd.DataFrame) -> None:
    """Cost against people, ours beside the peers'."""
    from discontinuation.report.drawing import new_figure, save_figure

    jobs = ["Cox", "Kaplan-Meier", "log-rank", "Aalen-Johansen", "Fine-Gray"]
    figure = new_figure(11, 3.4)
    panels = figure.subplots(1, len(jobs), sharey=True)
    for axes, job in zip(panels, jobs, strict=True):
        for tool, rows in results.loc[results["job"] == job].groupby("tool"):
            rows = rows.sort_values("n")
            axes.plot(rows["n"], rows["seconds"], marker="o", markersize=3, label=tool)
        axes.set(xscale="log", yscale="log", title=job, xlabel="people")
        axes.grid(True, which="major")
    panels[0].set_ylabel("seconds per call")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=8)
    save_figure(figure, HERE / "cost.svg")


def main(sizes: list[int]) -> None:
    """Measure every tool at every size."""
    tools = {"discontinuation": ours, "lifelines": lifelines, "statsmodels": statsmodels,
             "scikit-survival": scikit_survival}  # fmt: skip
    parts = []
    for n in sizes:
        data = drawn(n)
        for tool, work in tools.items():
            try:
                for job, seconds in work(data):
                    parts.append(pd.DataFrame([{"job": job, "tool": tool, "n": n,
                                                "seconds": seconds}]))  # fmt: skip
                    print(f"{n:>9,} {tool:16} {job:26} {1000 * seconds:12.3f} ms", flush=True)
            except ImportError as missing:
                print(f"{tool} is left out: {missing}", flush=True)
        parts.append(r_times(data))
        print(f"{n:>9,} R done", flush=True)
    results = pd.concat(parts, ignore_index=True)
    mine = results.loc[results["tool"] == "discontinuation"].set_index(["job", "n"])["seconds"]
    keys = pd.MultiIndex.from_frame(results[["job", "n"]])
    results["times_ours"] = (results["seconds"] / mine.reindex(keys).to_numpy()).round(2)
    results.to_csv(HERE / "results.csv", index=False, float_format="%.6g")
    print(results.pivot_table(index=["job", "n"], columns="tool", values="times_ours").round(1))
    draw(results)
    taken = memory(max(sizes))
    taken.to_csv(HERE / "memory.csv", index=False, float_format="%.3f")
    print(taken.to_string(index=False))
    print({name: round(seconds, 2) for name, seconds in start_up().items()})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        measure_memory(sys.argv[2], int(sys.argv[3]))
    else:
        main([int(size) for size in sys.argv[1:]] or list(SIZES))
