# Numbers for parametric, flexible and interval-censored survival models, weights and weighted
# curves: base R and survival.
#
# Rscript survival_parametric.R <folder with survival_parametric_data.csv>
# writes survival_parametric.csv there: case, quantity, value.
#
# survreg and glm where they can do it. Left truncation, splines and Turnbull are written out here:
# survreg has no entry times, R has no Royston-Parmar model, and survfit stops its EM steps early.
#
# The data were made by this (Python):
#
#   import numpy as np, pandas as pd
#   random = np.random.default_rng(5)
#   def people(name, n, late=0, visits=False, lone=False):
#       arm = random.choice(["abrupt", "gradual", "maintain"], n, p=[0.3, 0.4, 0.3])
#       if lone:
#           arm = np.where(arm == "maintain", "gradual", arm); arm[0] = "maintain"
#       x = np.round(random.normal(size=n), 2)
#       effect = np.select([arm == "abrupt", arm == "gradual"], [0.7, 0.3], 0.0)
#       t = 40 * random.weibull(1.3, n) * np.exp(-effect - 0.3 * x)
#       c = random.uniform(5, 90, n)
#       entry = np.where(random.random(n) < late, np.floor(random.uniform(0, 20, n)), 0)
#       step = 7 if visits else 3
#       day = step * np.ceil(np.minimum(t, c) / step)
#       lower, upper = day.copy(), np.where(t <= c, day, np.inf)
#       if visits:
#           seen = random.random(n) < 0.15
#           lower = np.where(np.isfinite(upper) & ~seen, day - step * random.integers(1, 4, n), day)
#           lower = np.maximum(lower, 0)
#       if lone:
#           lower[0] = upper[0] = 12
#       frame = pd.DataFrame({"dataset": name, "lower": lower, "upper": upper, "entry": entry,
#           "weight": random.choice([0, 0.5, 1, 1, 2], n) if name in ("ties", "visits") else 1,
#           "arm": arm, "x": x, "cluster": random.integers(1, 9, n)})
#       return frame[frame["lower"].where(np.isinf(frame["upper"]), frame["upper"]) > frame["entry"]]
#   sets = [people("ties", 90), people("late", 80, late=0.5), people("visits", 90, visits=True),
#       people("lone", 40, lone=True)]
#   pd.concat(sets).to_csv("survival_parametric_data.csv", index=False)

suppressPackageStartupMessages(library(survival))
folder <- commandArgs(trailingOnly = TRUE)[1]
data <- read.csv(file.path(folder, "survival_parametric_data.csv"))
data$time <- ifelse(is.finite(data$upper), data$upper, data$lower)
data$event <- as.numeric(is.finite(data$upper))
data <- data[data$weight > 0, ]
of <- function(name) data[data$dataset == name, ]

rows <- list()
put <- function(case, quantity, value) {
  rows[[length(rows) + 1]] <<- data.frame(case = case, quantity = quantity, value = as.numeric(value))
}
put_all <- function(case, what, values) {
  for (i in seq_along(values)) put(case, paste(what, i), values[[i]])
}

# ---- accelerated failure time -------------------------------------------------------------------

tight <- survreg.control(rel.tolerance = 1e-13, maxiter = 200)
between <- function(d) {
  Surv(ifelse(d$lower > 0, d$lower, NA), ifelse(is.finite(d$upper), d$upper, NA), type = "interval2")
}
for (name in c("ties", "visits", "lone")) {
  d <- of(name)
  d$y <- between(d)
  for (dist in c("weibull", "exponential", "lognormal", "loglogistic")) {
    case <- paste(name, dist)
    fit <- survreg(y ~ arm + x, d, weights = weight, dist = dist, control = tight)
    put_all(case, "coef", c(coef(fit), if (dist != "exponential") log(fit$scale)))
    put_all(case, "se", sqrt(diag(vcov(fit))))
    put(case, "log-likelihood", fit$loglik[2])
    if (name != "lone") {
      # survreg(robust = TRUE) leaves the weights out, and its residuals have the wrong sign for
      # the derivative in log(scale) of events between two times (they do not add up to 0).
      part <- residuals(fit, "matrix")
      part[, "ds"] <- part[, "ds"] * ifelse(d$y[, 3] == 3, -1, 1)
      scores <- cbind(part[, "dg"] * model.matrix(fit), if (dist != "exponential") part[, "ds"])
      effects <- (d$weight * scores) %*% vcov(fit)
      put_all(case, "robust se", sqrt(diag(crossprod(rowsum(effects, d$cluster)))))
    }
    new <- data.frame(arm = "gradual", x = 0.5)
    centre <- predict(fit, new, type = "lp")
    put_all(case, "survival", 1 - psurvreg(c(7, 30, 60), centre, fit$scale, dist))
  }
}

# ---- piecewise exponential, by Poisson regression -----------------------------------------------

cuts <- c(10, 30)
for (name in c("ties", "late", "lone")) {
  d <- of(name)
  d$id <- seq_len(nrow(d))
  pieces <- survSplit(Surv(entry, time, event) ~ ., d, cut = cuts, episode = "piece")
  pieces$exposure <- pieces$time - pieces$entry
  fit <- glm(event ~ 0 + factor(piece) + arm + x + offset(log(exposure)), poisson, pieces,
             weights = weight, control = glm.control(epsilon = 1e-13, maxit = 25))
  case <- paste(name, "piecewise")
  put_all(case, "coef", coef(fit))
  put_all(case, "se", sqrt(diag(vcov(fit))))
  rate <- log(fitted(fit) / pieces$exposure)
  put(case, "log-likelihood", sum(pieces$weight * (pieces$event * rate - fitted(fit))))
}

# ---- Royston-Parmar: written out, with its gradient ---------------------------------------------

basis <- function(x, knots, power = 3) {
  plus <- function(v) pmax(v, 0)^power
  first <- knots[1]
  last <- knots[length(knots)]
  v <- vapply(knots[-c(1, length(knots))], function(k) {
    l <- (last - k) / (last - first)
    plus(x - k) - l * plus(x - first) - (1 - l) * plus(x - last)
  }, numeric(length(x)))
  matrix(v, nrow = length(x))
}
spline_model <- function(d, k, scale) {
  events <- log(d$time[d$event == 1])
  knots <- c(min(events), quantile(events, seq_len(k) / (k + 1)), max(events))
  x <- model.matrix(~ arm + x, d)[, -1]
  z <- function(t) cbind(1, log(t), basis(log(t), knots), x)
  slope <- cbind(0, 1, 3 * basis(log(d$time), knots, 2), 0 * x)
  a <- z(d$time)
  late <- d$entry > 0
  b <- z(ifelse(late, d$entry, 1))
  gradient <- function(g) {
    density <- if (scale == "hazard") 1 - exp(a %*% g) else 1 - 2 * plogis(a %*% g)
    fall <- function(z) if (scale == "hazard") -exp(z) else -plogis(z)
    first <- ifelse(d$event == 1, density, fall(a %*% g))
    bend <- ifelse(d$event == 1, 1 / (slope %*% g), 0)
    entered <- ifelse(late, fall(b %*% g), 0)
    c(t(a) %*% (d$weight * first) + t(slope) %*% (d$weight * bend) - t(b) %*% (d$weight * entered))
  }
  value <- function(g) {
    gone <- function(z) if (scale == "hazard") -exp(z) else -log1p(exp(z))
    za <- c(a %*% g)
    density <- if (scale == "hazard") za - exp(za) else za - 2 * log1p(exp(za))
    s <- pmax(c(slope %*% g), 1e-300)
    seen <- density + log(s) - log(d$time)
    sum(d$weight * (ifelse(d$event == 1, seen, gone(za)) - ifelse(late, gone(c(b %*% g)), 0)))
  }
  hessian <- function(g) {
    inner <- function(z) if (scale == "hazard") -exp(z) else -dlogis(z)
    second <- inner(a %*% g) * ifelse(d$event == 1 & scale == "odds", 2, 1)
    bend <- ifelse(d$event == 1, -1 / (slope %*% g)^2, 0)
    entered <- ifelse(late, inner(b %*% g), 0)
    part <- function(design, values) t(design) %*% (c(d$weight * values) * design)
    part(a, second) + part(slope, bend) - part(b, entered)
  }
  start <- c(log(sum(d$event * d$weight) / sum(d$time * d$weight)), 1, numeric(k + ncol(x)))
  g <- start
  for (step in 1:100) {
    move <- -solve(hessian(g), gradient(g))
    share <- 1
    while (share > 1e-6 && !isTRUE(value(g + share * move) >= value(g) - 1e-9)) share <- share / 2
    g <- g + share * move
    if (max(abs(move)) < 1e-13) break
  }
  list(coef = g, se = sqrt(diag(solve(-hessian(g)))), value = value(g), knots = knots)
}
for (name in c("ties", "late", "lone")) {
  d <- of(name)
  d$weight <- if (name == "ties") 1 else d$weight
  for (k in c(0, 2, 4)) for (scale in c("hazard", "odds")) {
    case <- paste(name, scale, k, "knots")
    fit <- spline_model(d, k, scale)
    put_all(case, "coef", fit$coef)
    put_all(case, "se", fit$se)
    put(case, "log-likelihood", fit$value)
    put_all(case, "log knot", fit$knots)
  }
}

# ---- Turnbull: self-consistency over a grid of days, far beyond where survfit stops --------------

for (name in c("visits", "ties")) for (which in c("abrupt", "everybody")) {
  d <- of(name)
  if (which != "everybody") d <- d[d$arm == which, ]
  # Half days stand for the time between days, so that (left, right] and days are kept apart.
  days <- sort(unique(c(d$lower + 0.5, d$lower[d$lower == d$upper], d$upper[is.finite(d$upper)], 1e6)))
  holds <- outer(seq_len(nrow(d)), seq_along(days), function(i, j) {
    ifelse(d$lower[i] == d$upper[i], days[j] == d$upper[i],
           days[j] > d$lower[i] & days[j] <= pmin(d$upper[i], 1e6))
  })
  holds <- holds[, colSums(holds) > 0, drop = FALSE]
  w <- d$weight / sum(d$weight)
  mass <- rep(1 / ncol(holds), ncol(holds))
  for (step in 1:60000) mass <- mass * c(crossprod(holds, w / c(holds %*% mass)))
  case <- paste("turnbull", name, which)
  put(case, "log-likelihood", sum(d$weight * log(holds %*% mass)))
  put_all(case, "probability", (holds %*% mass)[1:12])
}

# ---- weights ------------------------------------------------------------------------------------

precise <- glm.control(epsilon = 1e-13, maxit = 25)
d <- of("late")
d <- d[d$arm != "maintain", ]
fit <- glm(I(arm == "gradual") ~ x + factor(cluster > 4), binomial, d, control = precise)
p <- fitted(fit)
put_all("two groups", "coef", coef(fit))
put_all("two groups", "se", sqrt(diag(vcov(fit))))
share <- mean(d$arm == "gradual")
weights <- ifelse(d$arm == "gradual", share / p, (1 - share) / (1 - p))
put("two groups", "largest", max(weights))
put("two groups", "smallest", min(weights))
put("two groups", "effective size", sum(weights)^2 / sum(weights^2))
at <- d$arm == "gradual"
size <- sqrt((var(d$x[at]) + var(d$x[!at])) / 2)
put("two groups", "before", (mean(d$x[at]) - mean(d$x[!at])) / size)
put("two groups", "after", (weighted.mean(d$x[at], weights[at]) - weighted.mean(d$x[!at], weights[!at])) / size)

# Three groups: Newton's method written out; base R has no multinomial regression.
d <- of("late")
d$id <- seq_len(nrow(d))
x <- cbind(1, d$x)
seen <- outer(d$arm, c("gradual", "maintain"), "==") * 1
chances <- function(b) {
  e <- cbind(1, exp(x %*% b))
  e / rowSums(e)
}
b <- matrix(0, 2, 2)
for (step in 1:50) {
  p <- chances(b)[, -1]
  information <- rbind(
    cbind(t(x) %*% (p[, 1] * (1 - p[, 1]) * x), -t(x) %*% (p[, 1] * p[, 2] * x)),
    cbind(-t(x) %*% (p[, 1] * p[, 2] * x), t(x) %*% (p[, 2] * (1 - p[, 2]) * x))
  )
  b <- b + matrix(solve(information, c(t(x) %*% (seen - p))), 2)
}
put_all("three groups", "intercept", b[1, ])
put_all("three groups", "slope", b[2, ])
put_all("three groups", "se", sqrt(diag(solve(information))))
p <- chances(b)[cbind(d$id, match(d$arm, c("abrupt", "gradual", "maintain")))]
put("three groups", "smallest probability", min(p))
put("three groups", "sum of 1/p", sum(1 / p))

w <- 1 / p
d$w <- w * as.numeric(table(d$arm)[d$arm]) / nrow(d)
curve <- survfit(Surv(entry, time, event) ~ arm, d, weights = w, id = id, robust = TRUE)
for (g in 1:3) {
  here <- summary(curve[g], times = c(6, 15, 30))
  put_all(paste("weighted curve", g), "survival", here$surv)
  put_all(paste("weighted curve", g), "se", here$std.err)
}

# Losses: events on a day come first, so whoever has one then is not at risk of being lost.
d <- of("ties")
later <- d$time - ifelse(d$event == 1, 0.5, 0)
for (g in c("abrupt", "gradual", "maintain")) {
  here <- d$arm == g
  fit <- survfit(Surv(later[here], 1 - d$event[here]) ~ 1)
  put_all(paste("losses", g), "followed", summary(fit, times = c(0, 9, 18, 30))$surv)
}
d$id <- seq_len(nrow(d))
d$end <- d$time
d$had <- d$event
pieces <- survSplit(Surv(time, event) ~ ., d, cut = c(12, 24, 45), episode = "interval")
pieces$lost <- as.numeric(pieces$time == pieces$end & pieces$had == 0)
fit <- glm(lost ~ factor(interval) + arm + x, binomial, pieces, control = precise)
stay <- 1 - fitted(fit)
before <- ave(stay, pieces$id, FUN = function(p) c(1, cumprod(p)[-length(p)]))
put("pooled", "pieces", nrow(pieces))
for (k in 1:4) put("pooled", paste("sum of weights", k), sum(1 / before[pieces$interval == k]))
put("pooled", "smallest probability", min(before))

# ---- cumulative hazard at everybody's own time, E-values ----------------------------------------

d <- of("late")
fit <- survfit(Surv(entry, time, event) ~ 1, d)
put_all("nelson-aalen", "hazard", fit$cumhaz[match(d$time, fit$time)][1:20])

e <- function(ratio) { r <- max(ratio, 1 / ratio); r + sqrt(r * (r - 1)) }
common <- function(h) (1 - 0.5^sqrt(h)) / (1 - 0.5^sqrt(1 / h))
put("e-value", "HR 0.6", e(common(0.6)))
put("e-value", "HR 0.6 rare", e(0.6))
put("e-value", "OR 2.5", e(sqrt(2.5)))
put("e-value", "RR 1.4", e(1.4))

result <- do.call(rbind, rows)
result$value <- sprintf("%.17g", result$value)
write.csv(result, file.path(folder, "survival_parametric.csv"), row.names = FALSE, quote = FALSE)
