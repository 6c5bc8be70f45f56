# Reference numbers for competing causes and states in discontinuation.survival, from the R packages
# survival (3.5.3) and cmprsk (2.2.11).
#
#   Rscript survival_competing.R [folder]
#
# reads survival_competing_data.csv in the folder (by default the current one) and writes
# survival_competing.csv (case, quantity, value) into it. The data are made up on purpose to be
# hard, by the Python code at the top of tests/survival/competing_reference.py.
#
# Where R does something else than intended it is asked in a way that does not matter:
#  - crr stops where its line search gives up; one more Newton step from there is put in as `init`.
#  - survfit leaves the variance of the initial distribution out unless influence = TRUE.
#  - its table of mean times misses the time before the first row: integrated here instead.
#  - with late entry its infinitesimal jackknife is not the Greenwood-type variance: there the
#    latter is compared for all causes together, as the Kaplan-Meier curve gives it.
#  - finegray estimates the censoring distribution without weights: people are replicated instead.

suppressMessages({
  library(survival)
  library(cmprsk)
})
options(warn = 1, digits = 17)
folder <- c(commandArgs(trailingOnly = TRUE), ".")[1]
data <- read.csv(file.path(folder, "survival_competing_data.csv"))

found <- list()
note <- function(case, quantity, ..., value) {
  name <- paste(quantity, ..., sep = "|")
  found[[length(found) + 1]] <<- data.frame(case = case, quantity = name, value = c(value))
}
of_case <- function(case) data[data$case == case, ]

# ---- cumulative incidence --------------------------------------------------------------------

as_states <- function(cause) factor(cause, c(0, sort(unique(cause[cause > 0]))))

survfit_of <- function(d, ...) {
  if (any(d$start > 0)) {
    survfit(Surv(start, stop, as_states(cause)) ~ group, d, id = person, influence = TRUE, ...)
  } else {
    survfit(Surv(stop, as_states(cause)) ~ group, d, id = person, influence = TRUE, ...)
  }
}

incidence <- function(case, times, replicate = FALSE) {
  d <- of_case(case)
  if (replicate) {
    d <- d[rep(seq_len(nrow(d)), d$weight), ]
    d$person <- seq_len(nrow(d))
  }
  for (type in c("log-log", "log", "plain")) {
    fit <- summary(survfit_of(d, conf.type = type), times = times, extend = TRUE)
    groups <- sub("group=", "", as.character(fit$strata))
    for (k in seq_along(fit$states)[-1]) {
      key <- list(groups, fit$states[k], fit$time)
      if (type == "log-log") {
        do.call(note, c(case, "probability", key, list(value = fit$pstate[, k])))
      }
      if (any(d$start > 0)) next
      if (type == "log-log") {
        do.call(note, c(case, "se", key, list(value = fit$std.err[, k])))
      }
      use <- fit$pstate[, k] > 0 & fit$std.err[, k] > 0
      key <- lapply(key, function(x) if (length(x) > 1) x[use] else x)
      do.call(note, c(case, paste("lower", type), key, list(value = fit$lower[use, k])))
      do.call(note, c(case, paste("upper", type), key, list(value = fit$upper[use, k])))
    }
  }
}

all_causes <- function(case, times) {
  fit <- summary(survfit(Surv(start, stop, cause > 0) ~ group, of_case(case)), times = times)
  groups <- sub("group=", "", as.character(fit$strata))
  note(case, "se of all causes", groups, 1, fit$time, value = fit$std.err)
}

aalen <- function(case, times) {
  d <- of_case(case)
  fit <- cuminc(d$stop, d$cause, d$group)
  points <- timepoints(fit[names(fit) != "Tests"], times)
  for (name in rownames(points$var)) {
    key <- strsplit(name, " ")[[1]]
    known <- !is.na(points$var[name, ])
    value <- points$var[name, known]
    note(case, "variance", key[1], key[2], times[known], value = value)
  }
}

# Area under a curve from 0 to the horizon, and its infinitesimal-jackknife standard error.
areas <- function(fit, horizon) {
  influence <- fit$influence.pstate
  several <- is.list(influence)
  if (!several) influence <- list(influence)
  rows <- if (several) rep(seq_along(fit$strata), fit$strata) else rep(1, length(fit$time))
  start <- if (is.matrix(fit$p0)) fit$p0 else matrix(fit$p0, 1)
  lapply(seq_along(influence), function(i) {
    time <- fit$time[rows == i]
    edges <- c(0, pmin(time, horizon), horizon)
    length_of <- diff(edges)
    states <- rbind(start[i, ], fit$pstate[rows == i, , drop = FALSE])
    by_person <- apply(influence[[i]], c(1, 3), function(u) sum(u * length_of))
    list(area = colSums(states * length_of), se = sqrt(colSums(by_person^2)))
  })
}

lost <- function(case, horizon) {
  fit <- survfit_of(of_case(case))
  groups <- sub("group=", "", names(fit$strata))
  each <- areas(fit, horizon)
  for (i in seq_along(each)) {
    note(case, "time lost", groups[i], fit$states[-1], horizon, value = each[[i]]$area[-1])
    note(case, "time lost se", groups[i], fit$states[-1], horizon, value = each[[i]]$se[-1])
    note(case, "event free", groups[i], horizon, value = each[[i]]$area[1])
  }
}

hazards <- function(case, times) {
  d <- of_case(case)
  for (cause in sort(unique(d$cause[d$cause > 0]))) {
    d$hit <- d$cause == cause
    fit <- summary(survfit(Surv(start, stop, hit) ~ group, d), times = times)
    groups <- sub("group=", "", as.character(fit$strata))
    note(case, "cumulative hazard", groups, cause, fit$time, value = fit$cumhaz)
    note(case, "cumulative hazard se", groups, cause, fit$time, value = fit$std.chaz)
  }
}

incidence("ties", c(1, 4, 8, 12))
incidence("last day", c(1, 30, 365))
incidence("no censoring", c(2, 5, 9))
incidence("entry", c(3, 6, 11))
all_causes("entry", c(3, 6, 11))
incidence("weights", c(2, 5, 8), replicate = TRUE)
incidence("codes", c(0.5, 10, 999.25))
aalen("ties", c(1, 4, 8, 11))
aalen("last day", c(1, 30, 365))
aalen("no censoring", c(2, 5, 9))
aalen("codes", c(0.5, 10, 999.25))
lost("ties", 9.5)
lost("last day", 365)
lost("no censoring", 12)
lost("codes", 500)
hazards("ties", c(1, 4, 8))
hazards("entry", c(3, 6, 11))

# ---- Gray's test -----------------------------------------------------------------------------

gray <- function(case, rho = 0, strata = FALSE) {
  d <- of_case(case)
  layer <- if (strata) d$stratum else rep(1, nrow(d))
  tests <- cuminc(d$stop, d$cause, d$group, layer, rho = rho)$Tests
  kind <- if (strata) "stratified" else "plain"
  note(case, "gray", kind, rho, rownames(tests), value = tests[, "stat"])
  note(case, "gray p", kind, rho, rownames(tests), value = tests[, "pv"])
}

for (case in c("ties", "last day", "no censoring", "codes", "one person")) gray(case)
for (rho in c(-1, 0.5, 1)) gray("ties", rho)
for (case in c("ties", "eventless stratum", "last day")) gray(case, 0, strata = TRUE)
gray("ties", 1, strata = TRUE)

# ---- Fine and Gray ---------------------------------------------------------------------------

note_model <- function(case, kind, of, fit) {
  for (quantity in names(fit)) {
    value <- fit[[quantity]]
    note(case, quantity, kind, of, seq_along(value), value = value)
  }
}

by_crr <- function(case, covariates, of = 1) {
  d <- of_case(case)
  x <- as.matrix(d[covariates])
  near <- crr(d$stop, d$cause, x, failcode = of, gtol = 1e-10, maxiter = 50)
  start <- near$coef + c(near$invinf %*% near$score)
  fit <- crr(d$stop, d$cause, x, failcode = of, init = start, maxiter = 0)
  stopifnot(max(abs(fit$score)) < 1e-9)
  curve <- predict(fit, rbind(colMeans(x), x[1, ]))
  note_model(case, "crr", of, list(
    coef = fit$coef, `inverse information` = fit$invinf, sandwich = fit$var,
    `log-likelihood` = c(fit$loglik.null, fit$loglik),
    predicted = curve[ceiling(nrow(curve) / 2), -1]
  ))
}

by_finegray <- function(case, covariates, of = 1, replicate = FALSE) {
  d <- of_case(case)
  if (replicate) d <- d[rep(seq_len(nrow(d)), d$weight), ]
  d$person <- seq_len(nrow(d))
  d$what <- as_states(d$cause)
  long <- finegray(Surv(stop, what) ~ ., d, etype = as.character(of))
  formula <- reformulate(covariates, "Surv(fgstart, fgstop, fgstatus)")
  control <- coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 100)
  fit <- coxph(formula, long, weights = fgwt, control = control)
  naive <- if (is.null(fit$naive.var)) fit$var else fit$naive.var
  note_model(case, if (replicate) "finegray replicated" else "finegray", of, list(
    coef = coef(fit), `inverse information` = naive, `log-likelihood` = fit$loglik
  ))
}

for (of in 1:2) {
  by_crr("ties", c("x", "z"), of)
  by_finegray("ties", c("x", "z"), of)
}
by_crr("last day", "x")
by_finegray("last day", "x")
by_crr("codes", c("x", "z"), 3)
by_finegray("codes", c("x", "z"), 3)
by_crr("no censoring", c("x", "z"))
by_finegray("no censoring", c("x", "z"))
by_finegray("weights", c("x", "z"), 1, replicate = TRUE)
by_crr("eventless stratum", c("x", "z"), 2)

# ---- states ----------------------------------------------------------------------------------

labels <- c("stable", "withdrawal", "recovered", "relapse", "dead")

occupation <- function(case, times, horizon, ...) {
  d <- of_case(case)
  d$entered <- factor(d$state, c("", labels), c("none", labels))
  d$present <- factor(d$present, labels)
  fit <- survfit(
    Surv(start, stop, entered) ~ group, d,
    id = person, istate = present, influence = TRUE, ...
  )
  shown <- summary(fit, times = times, extend = TRUE)
  groups <- sub("group=", "", as.character(shown$strata))
  for (k in seq_along(fit$states)) {
    note(case, "probability", groups, fit$states[k], shown$time, value = shown$pstate[, k])
    note(case, "se", groups, fit$states[k], shown$time, value = shown$std.err[, k])
  }
  groups <- sub("group=", "", names(fit$strata))
  each <- areas(fit, horizon)
  for (i in seq_along(each)) {
    note(case, "initial", groups[i], fit$states, value = fit$p0[i, ])
    note(case, "mean time", groups[i], fit$states, horizon, value = each[[i]]$area)
    note(case, "mean time se", groups[i], fit$states, horizon, value = each[[i]]$se)
  }
  counts <- table(d$present, factor(d$state, labels))
  kept <- which(counts > 0, arr.ind = TRUE)
  note(case, "transitions", labels[kept[, 1]], labels[kept[, 2]], value = counts[kept])
}

occupation("course", c(3, 10, 30, 60), 50)
occupation("late course", c(3, 10, 30, 60), 60)

found <- do.call(rbind, found)
found <- found[!is.na(found$value), ]
found$value <- sprintf("%.17g", found$value)
write.csv(found, file.path(folder, "survival_competing.csv"), row.names = FALSE)
