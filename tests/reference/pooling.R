# Reference numbers for discontinuation.synthesis, from metafor (3.8 gave those in pooling.csv).
#
#   Rscript pooling.R [folder]
#
# writes made_up_trials.csv (trials made up by the fixed rule below) and pooling.csv (quantity,
# dataset, value, tolerance) into the folder, by default the current one. Tolerances are absolute.
#
# metafor stops its iterations early: Fisher scoring (REML) when tau2 moves by less than 1e-5,
# uniroot (PM, Q-profile) within 1.2e-4. Numbers called "default" are what it prints then. The
# tau2 they rest on is off by up to that much, and everything that depends on tau2 by as much
# times its slope. All other numbers were made with the iterations carried on ("tight" below)
# and agree to rounding.

suppressMessages(library(metafor))
RNGkind("Mersenne-Twister", "Inversion", "Rejection")

arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."

tight <- list(threshold = 1e-13, maxiter = 100000, tol = 1e-15, tau2.max = 1e4)

rows <- list()
put <- function(quantity, dataset, value, tolerance = NULL) {
  if (is.null(tolerance)) tolerance <- 1e-9 * abs(value) + 1e-10
  rows[[length(rows) + 1]] <<- data.frame(
    quantity = quantity, dataset = dataset, value = as.numeric(value), tolerance = tolerance
  )
}

# ---- made-up trials ---------------------------------------------------------------------------
# Twenty meta-analyses of 2 to 20 trials: homogeneous, mildly and grossly heterogeneous, with
# common, rare and very rare events (empty cells, empty arms), sizes from 10 to a few thousand.

make_meta <- function(meta) {
  set.seed(20240 + meta)
  k <- 2 + (meta * 7) %% 19
  tau <- c(0, 0, 0.15, 0.5, 2)[1 + meta %% 5]
  base <- c(0.35, 0.1, 0.02)[1 + meta %% 3]
  n_a <- round(exp(runif(k, log(10), log(c(150, 3000)[1 + meta %% 2]))))
  n_b <- pmax(5, round(n_a * runif(k, 0.5, 1.5)))
  effect <- rnorm(k, -0.5, tau)
  p_b <- pmin(0.95, base * exp(rnorm(k, 0, 0.3)))
  p_a <- plogis(qlogis(p_b) + effect)
  data.frame(
    meta = meta, trial = seq_len(k),
    events_a = rbinom(k, n_a, p_a), n_a = n_a, events_b = rbinom(k, n_b, p_b), n_b = n_b,
    mean_a = round(rnorm(k, 10 + 3 * effect, 6 / sqrt(n_a)), 2), sd_a = round(runif(k, 4, 9), 2),
    mean_b = round(rnorm(k, 10, 6 / sqrt(n_b)), 2), sd_b = round(runif(k, 4, 9), 2),
    time_a = round(n_a * runif(k, 20, 60), 1), time_b = round(n_b * runif(k, 20, 60), 1),
    covariate = round(runif(k, 0, 26), 1)
  )
}
trials <- do.call(rbind, lapply(1:20, make_meta))
# Nobody, everybody and one-arm extremes that chance alone would not bring.
extremes <- data.frame(
  meta = 21, trial = 1:9,
  events_a = c(0, 0, 5, 20, 20, 12, 20, 1, 7), n_a = c(20, 20, 20, 20, 20, 20, 20, 300, 40),
  events_b = c(0, 4, 0, 25, 10, 25, 0, 3, 7), n_b = c(25, 25, 25, 25, 25, 25, 25, 290, 40),
  mean_a = c(3, 5, 8, 2, 9, 4, 4, 7, 6.5), sd_a = c(1, 2, 3, 1.5, 4, 2, 2, 3, 2.5),
  mean_b = c(3, 6, 2, 4, 9, 5, 8, 7, 6), sd_b = c(2, 2, 3, 2.5, 1, 2, 5, 3, 2.5),
  time_a = c(100, 110, 90, 80, 120, 130, 60, 900, 200), time_b = c(90, 140, 100, 95, 99, 80, 105, 950, 180),
  covariate = c(1, 2, 4, 8, 12, 16, 20, 24, 26)
)
trials <- rbind(trials, extremes)
write.csv(trials, file.path(folder, "made_up_trials.csv"), row.names = FALSE, quote = FALSE)

# ---- effects of single trials -----------------------------------------------------------------
# Dataset "made_up 7/3" is trial 3 of meta-analysis 7. NA is what a trial without information
# gives under drop00 = TRUE.

label <- paste0("made_up ", trials$meta, "/", trials$trial)
effects <- function(measure, to, drop00, name) {
  e <- with(trials, switch(measure,
    RR = , OR = , RD = escalc(measure, ai = events_a, n1i = n_a, ci = events_b, n2i = n_b,
                              to = to, drop00 = drop00),
    IRR = escalc(measure, x1i = events_a, t1i = time_a, x2i = events_b, t2i = time_b,
                 to = to, drop00 = drop00),
    MD = , SMD = escalc(measure, m1i = mean_a, sd1i = sd_a, n1i = n_a,
                        m2i = mean_b, sd2i = sd_b, n2i = n_b)
  ))
  put(paste(name, "yi"), label, e$yi, 1e-12 * pmax(1, abs(e$yi)))
  put(paste(name, "vi"), label, e$vi, 1e-12 * pmax(1, abs(e$vi)))
}
# The extremes, the first trial of every meta-analysis, and the empty cells of the first nine.
everything <- trials
empty <- with(trials, events_a == 0 | events_b == 0 | events_a == n_a | events_b == n_b)
keep <- (empty & trials$meta <= 9) | trials$trial == 1 | trials$meta == 21
trials <- everything[keep, ]
label <- label[keep]
for (measure in c("RR", "OR")) {
  effects(measure, "only0", TRUE, paste(measure, "add_half_if_zero"))
  effects(measure, "all", TRUE, paste(measure, "add_half_always"))
}
effects("IRR", "only0", TRUE, "IRR add_half_if_zero")
effects("RD", "only0", FALSE, "RD add_half_if_zero")
effects("RD", "all", FALSE, "RD add_half_always")
effects("RD", "none", FALSE, "RD none")
effects("MD", "none", FALSE, "MD")
effects("SMD", "none", FALSE, "SMD")
trials <- everything

# ---- pooling ----------------------------------------------------------------------------------

pooled <- function(dataset, y, v, method, control, tag = NULL, tolerance = NULL,
                   tolerance_i2 = tolerance) {
  name <- function(what) paste(c(method, tag, what), collapse = " ")
  add <- function(what, value) put(name(what), dataset, value, tolerance)
  fit <- suppressWarnings(rma(y, v, method = method, control = control))
  add("mu", c(fit$b)); add("se", fit$se); add("lower", fit$ci.lb); add("upper", fit$ci.ub)
  add("tau2", fit$tau2); put(name("I2"), dataset, fit$I2, tolerance_i2); add("Q", fit$QE); add("Q p", fit$QEp)
  if (method == "FE") return(invisible())
  for (test in c("knha", "adhoc")) {
    hk <- suppressWarnings(rma(y, v, method = method, test = test, control = control))
    add(paste(test, "se"), hk$se)
    add(paste(test, "lower"), hk$ci.lb)
    add(paste(test, "upper"), hk$ci.ub)
    add(paste(test, "p"), hk$pval)
    if (length(y) >= 3) {
      pi <- predict(hk)
      add(paste(test, "prediction lower"), pi$pi.lb)
      add(paste(test, "prediction upper"), pi$pi.ub)
    }
  }
  if (length(y) >= 3) {
    pi <- predict(fit)
    add("prediction z lower", pi$pi.lb)
    add("prediction z upper", pi$pi.ub)
    pi <- predict(fit, pi.type = "riley")
    add("prediction t_k-2 lower", pi$pi.lb)
    add("prediction t_k-2 upper", pi$pi.ub)
  }
}

profile_ci <- function(dataset, y, v, control, tag = NULL, tolerance = NULL, tolerance_i2 = tolerance) {
  name <- function(what) paste(c("Q-profile", tag, what), collapse = " ")
  ci <- suppressWarnings(confint(rma(y, v, method = "DL"), control = control))$random
  put(name("tau2 lower"), dataset, ci["tau^2", 2], tolerance)
  put(name("tau2 upper"), dataset, ci["tau^2", 3], tolerance)
  put(name("I2 lower"), dataset, ci["I^2(%)", 2], tolerance_i2)
  put(name("I2 upper"), dataset, ci["I^2(%)", 3], tolerance_i2)
}

regression <- function(dataset, y, v, x, control, method = "REML") {
  for (test in if (method == "REML") c("z", "knha", "adhoc") else "z") {
    fit <- suppressWarnings(rma(y, v, mods = x, method = method, test = test, control = control))
    name <- function(what) paste("meta-regression", method, test, what)
    put(paste0(name("b"), seq_along(fit$b) - 1), dataset, c(fit$b))
    put(paste0(name("se"), seq_along(fit$b) - 1), dataset, fit$se)
    put(name("lower1"), dataset, fit$ci.lb[2])
    put(name("upper1"), dataset, fit$ci.ub[2])
    put(name("p1"), dataset, fit$pval[2])
    put(name("QM"), dataset, fit$QM)
    put(name("QM p"), dataset, fit$QMp)
  }
  put(paste("meta-regression", method, "tau2"), dataset, fit$tau2)
  # Fisher scoring may end within 1e-13 of a tau2 of 0; I2 is 100 tau2 over a small variance.
  put(paste("meta-regression", method, "I2"), dataset, fit$I2, 1e-9 * fit$I2 + 1e-8)
  put(paste("meta-regression", method, "QE"), dataset, fit$QE)
  without <- suppressWarnings(rma(y, v, method = method, control = control))$tau2
  # With nothing to explain metafor prints 0, or anything at all when Fisher scoring has come
  # close to 0 without reaching it; here that is undefined.
  r2 <- if (without < 1e-9) NA else max(0, 100 * (without - fit$tau2) / without)
  put(paste("meta-regression", method, "R2"), dataset, r2)
}

small_study <- function(dataset, y, v, control) {
  test <- regtest(y, v, model = "lm")
  put("Egger t", dataset, test$zval)
  put("Egger p", dataset, test$pval)
  put("Egger intercept", dataset, test$est)
  for (side in list(NULL, "left", "right")) {
    fit <- rma(y, v, control = control)
    filled <- if (is.null(side)) trimfill(fit, control = control)
              else trimfill(fit, side = side, control = control)
    name <- function(what) paste("trim and fill", if (is.null(side)) "any" else side, what)
    put(name("k0"), dataset, filled$k0, 0)
    put(name("mu"), dataset, c(filled$b))
    put(name("se"), dataset, filled$se)
    put(name("right"), dataset, as.numeric(filled$side == "right"), 0)
    put(name("fill sum"), dataset, sum(filled$yi[filled$fill]))
    put(name("fill variance sum"), dataset, sum(filled$vi[filled$fill]))
  }
}

leave_out <- function(dataset, y, v, control) {
  fit <- rma(y, v, control = control)
  one <- leave1out(fit)
  hit <- influence(fit)$inf
  grDevices::pdf(NULL)
  baujat <- baujat(fit)
  i <- seq_along(y)
  put(paste("leave-one-out mu", i), dataset, one$estimate)
  put(paste("leave-one-out se", i), dataset, one$se)
  put(paste("leave-one-out tau2", i), dataset, hit$tau2.del)
  put(paste("leave-one-out Q", i), dataset, hit$QE.del)
  put(paste("influence studentised", i), dataset, hit$rstudent)
  put(paste("influence dffits", i), dataset, hit$dffits)
  put(paste("influence Cook", i), dataset, hit$cook.d)
  put(paste("influence hat", i), dataset, hit$hat)
  put(paste("influence q_share", i), dataset, baujat$x)
  put(paste("influence shift", i), dataset, baujat$y)
}

tables <- function(dataset, a, n1, c, n2, tolerance = NULL) {
  for (measure in c("OR", "RR", "RD")) {
    fit <- suppressWarnings(rma.mh(ai = a, n1i = n1, ci = c, n2i = n2, measure = measure))
    put(paste("MH", measure, "mu"), dataset, c(fit$b), tolerance)
    put(paste("MH", measure, "se"), dataset, fit$se, tolerance)
    if (is.na(fit$b)) next
    put(paste("MH", measure, "lower"), dataset, fit$ci.lb, tolerance)
    put(paste("MH", measure, "Q"), dataset, fit$QE, tolerance)
    put(paste("MH", measure, "Q p"), dataset, fit$QEp, tolerance)
  }
  fit <- suppressWarnings(try(rma.peto(ai = a, n1i = n1, ci = c, n2i = n2), silent = TRUE))
  if (inherits(fit, "try-error")) return(invisible())
  put("Peto mu", dataset, c(fit$b), tolerance)
  put("Peto se", dataset, fit$se, tolerance)
  put("Peto lower", dataset, fit$ci.lb, tolerance)
  put("Peto Q", dataset, fit$QE, tolerance)
  put("Peto Q p", dataset, fit$QEp, tolerance)
}

for (meta in unique(trials$meta)) {
  here <- trials[trials$meta == meta, ]
  name <- paste("made_up", meta)
  tables(name, here$events_a, here$n_a, here$events_b, here$n_b)
  e <- escalc("OR", ai = events_a, n1i = n_a, ci = events_b, n2i = n_b, data = here, drop00 = TRUE)
  known <- !is.na(e$yi)
  y <- c(e$yi)[known]
  v <- c(e$vi)[known]
  if (length(y) < 2) next
  for (method in c("REML", "DL", "PM", "FE")) pooled(name, y, v, method, tight)
  profile_ci(name, y, v, tight)
  if (length(y) >= 5) {
    x <- here$covariate[known]
    for (method in c("REML", "DL", "PM")) regression(name, y, v, x, tight, method)
  }
  if (length(y) >= 10) small_study(name, y, v, tight)
  if (meta %in% c(1, 4)) leave_out(name, y, v, tight)
}

# ---- published and toy data -------------------------------------------------------------------

bcg <- escalc("RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
y <- c(bcg$yi)
v <- c(bcg$vi)
put(paste("RR yi", seq_along(y)), "dat.bcg", y, 1e-12)
put(paste("RR vi", seq_along(v)), "dat.bcg", v, 1e-12)
for (method in c("REML", "DL", "PM", "FE")) pooled("dat.bcg", y, v, method, tight)
# I2 moves by 23 percent per unit of tau2 there: 1e-6 in tau2 is 2.3e-5 in I2.
pooled("dat.bcg", y, v, "REML", list(), "default", 1e-6, 2.3e-5)
pm <- rma(y, v, method = "PM")
put("PM default mu", "dat.bcg", c(pm$b), 5e-5)
put("PM default se", "dat.bcg", pm$se, 5e-5)
put("PM default tau2", "dat.bcg", pm$tau2, 5e-5)
profile_ci("dat.bcg", y, v, tight)
# The slope of I2 at the lower end is 124, so 1e-4 in tau2 is 1.24e-2 in I2.
profile_ci("dat.bcg", y, v, list(), "default", 1e-4, 1.24e-2)
tables("dat.bcg", dat.bcg$tpos, dat.bcg$tpos + dat.bcg$tneg, dat.bcg$cpos,
       dat.bcg$cpos + dat.bcg$cneg)
small_study("dat.bcg", y, v, tight)
leave_out("dat.bcg", y, v, tight)
for (method in c("REML", "DL", "PM")) regression("dat.bcg", y, v, dat.bcg$ablat, tight, method)
regression("dat.bcg latitude and year", y, v, cbind(dat.bcg$ablat, dat.bcg$year), tight)
default <- rma(y, v, mods = dat.bcg$ablat)
put(paste0("meta-regression default b", 0:1), "dat.bcg", c(default$b), 1e-5)
put(paste0("meta-regression default se", 0:1), "dat.bcg", default$se, 1e-5)
put("meta-regression default tau2", "dat.bcg", default$tau2, 1e-5)
# R2 and QM move by 319 and 166 per unit of tau2.
put("meta-regression default R2", "dat.bcg", default$R2, 3.2e-3)
put("meta-regression default QM", "dat.bcg", default$QM, 1.7e-3)

filled <- trimfill(rma(y, v))
put("trim and fill default k0", "dat.bcg", filled$k0, 0)
put("trim and fill default mu", "dat.bcg", c(filled$b), 1e-5)
put("trim and fill default se", "dat.bcg", filled$se, 1e-5)

# Two local maxima of the restricted likelihood. In the second example Fisher scoring ends in the
# lower one; metafor's own log-likelihoods tell which is higher.
two_maxima <- list(
  "two maxima" = list(y = c(1.6, -0.2, 1.4), v = c(0.15, 0.62, 0.1), inner = 0.1859326714),
  "two maxima trap" =
    list(y = c(-8.9, -3.2, -5.4, -3, 6.3), v = c(4.9, 0.43, 18, 0.00067, 270), inner = 3.812240566148)
)
for (name in names(two_maxima)) with(two_maxima[[name]], {
  put("metafor tau2", name, suppressWarnings(rma(y, v, control = tight))$tau2)
  at <- function(tau2) c(logLik(suppressWarnings(rma(y, v, tau2 = tau2))))
  put("inner tau2", name, inner)
  put("log-likelihood gained", name, at(inner) - at(0))
})

y <- c(.10, .12, .11, .13)
v <- c(.04, .05, .03, .06)
fit <- rma(y, v, test = "knha")
w <- 1 / (v + fit$tau2)
put("q", "homogeneous toy", sum(w * (y - fit$b[1])^2) / 3)
pooled("homogeneous toy", y, v, "REML", tight)

antler <- function(measure) escalc(measure, ai = 135, n1i = 240, ci = 92, n2i = 238)
limits <- summary(antler("RR"), transf = exp)
put("RR", "ANTLER", limits$yi, 1e-12)
put("RR lower", "ANTLER", limits$ci.lb, 1e-12)
put("RR upper", "ANTLER", limits$ci.ub, 1e-12)
put("RD", "ANTLER", antler("RD")$yi, 1e-12)
put("RD se", "ANTLER", sqrt(antler("RD")$vi), 1e-12)

result <- do.call(rbind, rows)
result$value <- ifelse(is.na(result$value), "NA", sprintf("%.15g", result$value))
result$tolerance <- sprintf("%.3g", ifelse(is.na(result$tolerance), 0, result$tolerance))
write.csv(result, file.path(folder, "pooling.csv"), row.names = FALSE, quote = FALSE)
