# Reference numbers for the Cox models of discontinuation.survival, from survival (3.5.3 gave those
# in survival_cox.csv).
#
#   Rscript survival_cox.R [folder]
#
# reads survival_cox_data.csv beside itself or in the folder (made by tests/survival/cox_cases.py)
# and writes survival_cox.csv (case, quantity, value) into the folder, by default the current one.
# All fits go on until they cannot get further. Rows of weight 0 are left out before R sees them.

suppressMessages(library(survival))
arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."
all_data <- read.csv(file.path(folder, "survival_cox_data.csv"), stringsAsFactors = TRUE)
control <- coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 100, outer.max = 50,
                         timefix = FALSE)

rows <- list()
put <- function(case, quantity, value) {
  value <- as.numeric(value)
  if (!length(value)) return(invisible())
  name <- if (length(value) > 1) paste(quantity, seq_along(value)) else quantity
  rows[[length(rows) + 1]] <<- data.frame(case = case, quantity = name, value = value)
}
case_data <- function(name) droplevels(all_data[all_data$case == name, ])
cox <- function(formula, data, ...) {
  # coxph looks weights and clusters up where the formula was written.
  environment(formula) <- list2env(list(data = data), parent = globalenv())
  arguments <- list(formula = formula, data = data, control = control, ...)
  suppressWarnings(do.call(coxph, arguments))
}
report <- function(case, label, fit, robust = FALSE) {
  put(case, paste(label, "coef"), coef(fit))
  naive <- if (robust) fit$naive.var else fit$var
  put(case, paste(label, "se"), sqrt(diag(naive)))
  if (robust) put(case, paste(label, "robust se"), sqrt(diag(fit$var)))
  if (is.null(fit$penalty)) put(case, paste(label, "loglik"), fit$loglik)
  put(case, paste(label, "score"), fit$score)
}

# ---- ties, strata, weights, clusters, offsets ---------------------------------------------------

for (case in c("ties", "gaps", "last")) {
  d <- case_data(case)
  for (ties in c("efron", "breslow", "exact")) {
    report(case, ties, cox(Surv(time, event) ~ x + z + arm, d, ties = ties))
    report(case, paste(ties, "strata"),
           cox(Surv(time, event) ~ x + z + strata(stratum), d, ties = ties))
  }
  for (ties in c("efron", "breslow")) {
    report(case, paste(ties, "interaction"), cox(Surv(time, event) ~ x * z + offset(offset), d,
                                                 ties = ties))
    report(case, paste(ties, "robust"),
           cox(Surv(time, event) ~ x + z, d, ties = ties, robust = TRUE), TRUE)
    report(case, paste(ties, "cluster strata"),
           cox(Surv(time, event) ~ x + z + strata(stratum), d, ties = ties,
               cluster = d$cluster), TRUE)
    w <- d[d$weight > 0, ]
    report(case, paste(ties, "weights"),
           cox(Surv(time, event) ~ x + z + strata(stratum), w, ties = ties,
               weights = w$weight), TRUE)
    report(case, paste(ties, "weights cluster"),
           cox(Surv(time, event) ~ x + z, w, ties = ties, weights = w$weight,
               cluster = w$cluster), TRUE)
  }
  report(case, "ridge", cox(Surv(time, event) ~ ridge(x, z, theta = 3, scale = FALSE), d))
}
d <- case_data("entry")
for (ties in c("efron", "breslow", "exact")) {
  report("entry", ties, cox(Surv(entry, time, event) ~ x + z + arm, d, ties = ties))
}
for (ties in c("efron", "breslow")) {
  w <- d[d$weight > 0, ]
  report("entry", paste(ties, "cluster"), cox(Surv(entry, time, event) ~ x + z + strata(stratum),
                                              d, ties = ties, cluster = d$cluster), TRUE)
  report("entry", paste(ties, "weights"), cox(Surv(entry, time, event) ~ x + z + strata(stratum),
                                              w, ties = ties, weights = w$weight,
                                              cluster = w$cluster), TRUE)
}
# Integer weights as copies of rows.
w <- case_data("ties")
w <- w[rep(seq_len(nrow(w)), w$count), ]
report("ties", "copies", cox(Surv(time, event) ~ x + z, w))

# ---- residuals, tests of proportional hazards, baselines, predictions ---------------------------

fits <- list(
  "ties plain" = list(case = "ties", f = Surv(time, event) ~ x + z + arm),
  "ties strata" = list(case = "ties", f = Surv(time, event) ~ x + z + strata(stratum)),
  "gaps plain" = list(case = "gaps", f = Surv(time, event) ~ x + z + arm),
  "entry plain" = list(case = "entry", f = Surv(entry, time, event) ~ x + z + arm),
  "entry strata" = list(case = "entry", f = Surv(entry, time, event) ~ x + z + strata(stratum))
)
some <- c(1, 2, 5, 9, 17, 30)
for (name in names(fits)) {
  one <- fits[[name]]
  case <- one$case
  label <- sub("^[a-z]* ", "", name)
  d <- case_data(case)
  for (ties in c("efron", "breslow")) {
    fit <- cox(one$f, d, ties = ties)
    for (kind in c("martingale", "deviance")) {
      put(case, paste(label, ties, kind), residuals(fit, kind)[some])
    }
    for (kind in c("score", "dfbeta")) {
      put(case, paste(label, ties, kind), residuals(fit, kind)[some, 1:2])
    }
    put(case, paste(label, ties, "schoenfeld sum of squares"),
        colSums(residuals(fit, "schoenfeld")^2))
    for (clock in c("km", "rank", "identity", "log")) {
      put(case, paste(label, ties, "zph", clock), cox.zph(fit, clock)$table[, "chisq"])
    }
    base <- basehaz(fit, centered = FALSE)
    put(case, paste(label, ties, "baseline"), base$hazard[c(2, 5)])
    new <- data.frame(x = c(-1, 0.5), z = c(0, 1), arm = factor(c("abrupt", "taper"), levels(d$arm)),
                      stratum = c(1, 2))
    for (kind in c("log-log", "log", "plain")) {
      for (person in 1:2) {
        curve <- summary(survfit(fit, new[person, ], conf.type = kind), c(6, 8), extend = TRUE)
        values <- c(curve$surv, curve$std.err, curve$lower, curve$upper)
        put(case, paste(label, ties, "predict", kind, person), values)
      }
    }
  }
}
w <- case_data("ties")
w <- w[w$weight > 0, ]
fit <- cox(Surv(time, event) ~ x + z, w, weights = w$weight)
put("ties", "weights efron zph km", cox.zph(fit, "km")$table[, "chisq"])
put("ties", "weights efron martingale", residuals(fit, "martingale")[some])

# ---- effects that change with time --------------------------------------------------------------

d <- case_data("gaps")
report("gaps", "tt log", cox(Surv(time, event) ~ x + z + tt(x), d, tt = function(x, t, ...) x * log(t)))
d <- case_data("ties")
report("ties", "tt sqrt", cox(Surv(time, event) ~ x + z + tt(z) + strata(stratum), d,
                              tt = function(x, t, ...) x * sqrt(t)))
for (case in c("ties", "gaps")) {
  d <- case_data(case)
  cut <- c(ties = 3, gaps = 60)[case]
  pieces <- survSplit(Surv(time, event) ~ ., d, cut = cut, episode = "part", start = "begin")
  pieces$late <- pieces$x * (pieces$part == 2)
  pieces$early <- pieces$x * (pieces$part == 1)
  report(case, "piecewise", cox(Surv(begin, time, event) ~ z + early + late, pieces))
  report(case, "piecewise robust", cox(Surv(begin, time, event) ~ z + early + late, pieces,
                                       cluster = pieces$person), TRUE)
}

# ---- Firth and profile intervals ----------------------------------------------------------------

gradient <- function(f, at, h = 1e-3) {
  vapply(seq_along(at), function(i) {
    g <- function(k) f(replace(at, i, at[i] + k * h))
    (45 * (g(1) - g(-1)) - 9 * (g(2) - g(-2)) + (g(3) - g(-3))) / (60 * h)
  }, 0)
}
polish <- function(f, at, steps = 6) {
  for (step in seq_len(steps)) {
    hessian <- vapply(seq_along(at), function(i) {
      h <- 1e-3
      (gradient(f, replace(at, i, at[i] + h)) - gradient(f, replace(at, i, at[i] - h))) / (2 * h)
    }, numeric(length(at)))
    at <- at - c(solve((hessian + t(hessian)) / 2, gradient(f, at)))
  }
  at
}
held <- function(formula, data, ties) {
  function(beta) {
    suppressWarnings(coxph(formula, data, ties = ties, init = beta,
                           control = coxph.control(iter.max = 0, timefix = FALSE)))
  }
}
firth <- function(formula, data, ties) {
  at <- held(formula, data, ties)
  function(beta) {
    fit <- at(beta)
    tail(fit$loglik, 1) - determinant(fit$var)$modulus / 2
  }
}
for (case in c("separated", "last")) {
  for (ties in c("efron", "breslow")) {
    d <- case_data(case)
    form <- if (case == "last") Surv(time, event) ~ x + z + arm else Surv(time, event) ~ x + z
    likelihood <- firth(form, d, ties)
    p <- if (case == "last") 4 else 2
    beta <- polish(likelihood, nlm(function(b) -likelihood(b), rep(0, p), gradtol = 1e-8)$estimate)
    put(case, paste("firth", ties, "coef"), beta)
    put(case, paste("firth", ties, "se"), sqrt(diag(held(form, d, ties)(beta)$var)))
    put(case, paste("firth", ties, "loglik"), c(likelihood(rep(0, p)), likelihood(beta)))
  }
}
d <- case_data("separated")
likelihood <- firth(Surv(time, event) ~ z, d, "efron")
top <- optimize(likelihood, c(-8, 2), maximum = TRUE, tol = 1e-10)
drop <- function(b) likelihood(b) - top$objective + qchisq(0.95, 1) / 2
put("separated", "firth profile upper", uniroot(drop, c(top$maximum, 3), tol = 1e-12)$root)
put("separated", "firth profile lower", uniroot(drop, c(-12, top$maximum), tol = 1e-12)$root)

for (case in c("ties", "gaps")) {
  for (ties in c("efron", "breslow")) {
    d <- case_data(case)
    best <- cox(Surv(time, event) ~ x + z, d, ties = ties)
    drop <- function(b) {
      fit <- cox(Surv(time, event) ~ z + offset(b * x), transform(d, b = b), ties = ties)
      fit$loglik[2] - best$loglik[2] + qchisq(0.95, 1) / 2
    }
    centre <- coef(best)[1]
    put(case, paste("profile", ties),
        c(uniroot(drop, c(centre - 3, centre), tol = 1e-12)$root,
          uniroot(drop, c(centre, centre + 3), tol = 1e-12)$root))
  }
}

# ---- frailty ------------------------------------------------------------------------------------

# The dense form: with the sparse one R's standard errors are approximate.
for (case in c("ties", "entry", "recurrent")) {
  d <- case_data(case)
  response <- if (case == "ties") Surv(d$time, d$event) else Surv(d$entry, d$time, d$event)
  d$who <- if (case == "recurrent") d$person else d$cluster
  for (theta in c(0.3, 1.2)) {
    fit <- cox(response ~ x + z + frailty(who, distribution = "gamma", method = "fixed",
                                          theta = theta, sparse = FALSE), d)
    put(case, paste("frailty", theta, "coef"), coef(fit)[1:2])
    put(case, paste("frailty", theta, "se"), sqrt(diag(fit$var)[1:2]))
    put(case, paste("frailty", theta, "loglik"), fit$history[[1]]$c.loglik)
    put(case, paste("frailty", theta, "factor"), exp(coef(fit)[3:6]))
  }
}

# ---- recurrent events ---------------------------------------------------------------------------

d <- case_data("recurrent")
d <- d[order(d$person, d$entry), ]
d$number <- ave(d$event, d$person, FUN = function(e) cumsum(e) - e + 1)
report("recurrent", "andersen-gill", cox(Surv(entry, time, event) ~ x + arm, d,
                                         cluster = d$person), TRUE)
report("recurrent", "pwp-total", cox(Surv(entry, time, event) ~ x + arm + strata(number), d,
                                     cluster = d$person), TRUE)
report("recurrent", "pwp-gap", cox(Surv(time - entry, event) ~ x + arm + strata(number), d,
                                   cluster = d$person), TRUE)
marginal <- do.call(rbind, lapply(split(d, d$person), function(own) {
  do.call(rbind, lapply(seq_len(max(d$number[d$event == 1])), function(k) {
    at <- which(own$event == 1 & own$number == k)
    when <- if (length(at)) own$time[at] else max(own$time)
    transform(own[1, ], time = when, event = as.integer(length(at) > 0), number = k)
  }))
}))
report("recurrent", "wlw", cox(Surv(time, event) ~ x + arm + strata(number), marginal,
                               cluster = marginal$person), TRUE)

# ---- concordance --------------------------------------------------------------------------------

put_concordance <- function(case, label, found) {
  counts <- if (is.matrix(found$count)) colSums(found$count) else found$count
  put(case, paste("concordance", label), c(found$concordance, sqrt(found$var), counts))
}
for (case in c("ties", "gaps", "last", "entry")) {
  d <- case_data(case)
  d$score <- round(d$x)
  response <- if (case == "entry") Surv(d$entry, d$time, d$event) else Surv(d$time, d$event)
  put_concordance(case, "later", concordance(response ~ score, d))
  put_concordance(case, "earlier", concordance(response ~ score, d, reverse = TRUE))
  put_concordance(case, "counts", concordance(response ~ score, d, weights = count))
  put_concordance(case, "strata", concordance(response ~ score + strata(stratum), d,
                                              cluster = cluster))
}

result <- do.call(rbind, rows)
result$value <- sprintf("%.17g", result$value)
write.csv(result, file.path(folder, "survival_cox.csv"), row.names = FALSE, quote = FALSE)
