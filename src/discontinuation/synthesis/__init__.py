"""What do all trials say together?

`counts`, `means`, `published` and `survival` turn what is known of two arms into an `effect` with
its variance. `pooling` pools effects across trials and `stratified` whole tables, `heterogeneity`
asks how much the trials differ and `regression` why, `small_study` asks whether small trials or
single trials carry the result. `reconstruct` finds people behind a published curve, `coarse_curve`
says what single published points of one tell.
"""

from discontinuation.synthesis.coarse_curve import (
    CoarseCurve,
    curve_from_counts,
    curve_from_limits,
    curve_from_quantiles,
)
from discontinuation.synthesis.counts import (
    combine_arms_counts,
    design_effect,
    effective_counts,
    effective_n,
    odds_ratio,
    rate_ratio,
    risk_difference,
    risk_ratio,
    split_shared_arm,
)
from discontinuation.synthesis.curve_files import ClickedFigure, read_clicks, read_risk_table
from discontinuation.synthesis.curve_quality import CurveQuality, judge_contrast
from discontinuation.synthesis.effect import Effect, Risk
from discontinuation.synthesis.heterogeneity import generalised_q, reml_score
from discontinuation.synthesis.means import (
    combine_arms_means,
    mean_difference,
    sd_from_interval,
    sd_from_p,
    sd_from_se,
    standardised_mean_difference,
)
from discontinuation.synthesis.pooling import PooledEffect, pool
from discontinuation.synthesis.published import (
    hazard_ratio_from_logrank,
    log_hazard_ratio_from_interval,
    log_hazard_ratio_from_p,
    ratio_of_times,
    se_from_interval,
    se_from_p,
)
from discontinuation.synthesis.reconstruct import (
    Reconstruction,
    RepeatedReconstruction,
    across_repeats,
    reconstruct,
    reconstruct_repeatedly,
)
from discontinuation.synthesis.regression import MetaRegression, meta_regression
from discontinuation.synthesis.small_study import (
    Egger,
    Influence,
    TrimAndFill,
    egger,
    influence,
    leave_one_out,
    trim_and_fill,
)
from discontinuation.synthesis.stratified import StratifiedEffect, mantel_haenszel, peto
from discontinuation.synthesis.survival import (
    difference_of_risks_from_variances,
    ratio_of_odds_from_variances,
    ratio_of_risks_from_variances,
    risk_from_survival,
)

__all__ = [
    "ClickedFigure",
    "CoarseCurve",
    "CurveQuality",
    "Effect",
    "Egger",
    "Influence",
    "MetaRegression",
    "PooledEffect",
    "Reconstruction",
    "RepeatedReconstruction",
    "Risk",
    "StratifiedEffect",
    "TrimAndFill",
    "across_repeats",
    "combine_arms_counts",
    "combine_arms_means",
    "curve_from_counts",
    "curve_from_limits",
    "curve_from_quantiles",
    "design_effect",
    "difference_of_risks_from_variances",
    "effective_counts",
    "effective_n",
    "egger",
    "generalised_q",
    "hazard_ratio_from_logrank",
    "influence",
    "judge_contrast",
    "leave_one_out",
    "log_hazard_ratio_from_interval",
    "log_hazard_ratio_from_p",
    "mantel_haenszel",
    "mean_difference",
    "meta_regression",
    "odds_ratio",
    "peto",
    "pool",
    "rate_ratio",
    "ratio_of_odds_from_variances",
    "ratio_of_risks_from_variances",
    "ratio_of_times",
    "read_clicks",
    "read_risk_table",
    "reconstruct",
    "reconstruct_repeatedly",
    "reml_score",
    "risk_difference",
    "risk_from_survival",
    "risk_ratio",
    "sd_from_interval",
    "sd_from_p",
    "sd_from_se",
    "se_from_interval",
    "se_from_p",
    "split_shared_arm",
    "standardised_mean_difference",
    "trim_and_fill",
]
