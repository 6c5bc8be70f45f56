# Reference numbers for curves, rank tests, mean times and combining, from base R and survival
# (3.5-3 gave those in survival_nonparametric.csv).
#
#   Rscript survival_nonparametric.R [folder] [folder of the results]
#
# reads survival_nonparametric_data.csv (dataset, time, event, entry, weight, group, stratum; made by
# make_data in tests/survival/test_curves.py) from the first folder and writes
# survival_nonparametric.csv (quantity, case, value) into the second, by default the same.
#
# What survival does not offer is written out here with loops over risk sets: weights other than
# S(t-)^rho, windows of the mean time, the largest of four tests (by nested integrate), Rubin's rules.

suppressMessages(library(survival))
arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."
target <- if (length(arguments) > 1) arguments[2] else folder
data <- read.csv(file.path(folder, "survival_nonparametric_data.csv"))
rows <- list()
put <- function(quantity, case, value) {
  rows[[length(rows) + 1]] <<- data.frame(quantity = quantity, case = case, value = value)
}
places <- function(name, x) paste0(name, " ", seq_along(x))

# ---- curves -------------------------------------------------------------------------------------

curve_of <- function(d, type) {
  delayed <- any(d$entry > 0)
  d <- d[d$weight > 0, ]
  if (delayed) {
    survfit(Surv(entry, time, event) ~ 1, d, weights = weight, conf.type = type, robust = FALSE)
  } else {
    survfit(Surv(time, event) ~ 1, d, weights = weight, conf.type = type, robust = FALSE)
  }
}
for (name in unique(data$dataset)) {
  d <- data[data$dataset == name, ]
  seen <- sort(unique(d$time[d$weight > 0]))
  times <- seen[unique(round(seq(1, length(seen), length.out = 5)))]
  for (type in c("log-log", "log", "plain")) {
    f <- curve_of(d, type)
    s <- summary(f, times = times)
    if (type == "log-log") {
      put(places("time", times), name, times)
      put(places("survival", times), name, s$surv)
      put(places("se", times), name, s$std.err)
      put(places("at_risk", times), name, s$n.risk)
      here <- match(times, f$time)
      put(places("cumulative_hazard", times), name, f$cumhaz[here])
      put(places("cumulative_hazard_se", times), name, f$std.chaz[here])
      # The limits of the median once more: quantile() sorts a band that rises, this does not.
      put(places("median limit", 1:2), name, summary(f)$table[c("0.95LCL", "0.95UCL")])
    }
    put(places(paste(type, "lower"), times), name, s$lower)
    put(places(paste(type, "upper"), times), name, s$upper)
    q <- quantile(f, c(0.1, 0.25, 0.5, 0.75))
    put(places(paste(type, "quantile"), q$quantile), name, as.numeric(q$quantile))
    put(places(paste(type, "quantile lower"), q$lower), name, as.numeric(q$lower))
    put(places(paste(type, "quantile upper"), q$upper), name, as.numeric(q$upper))
  }
}

# ---- rank tests ---------------------------------------------------------------------------------

# People counted one by one: the weights of the data are whole where groups are compared.
replicated <- function(d) d[rep(seq_len(nrow(d)), d$weight), ]

# Scores and covariances of several weightings, over risk sets. weight(S, M, n): S is S(t-), M the
# product of 1 - d / (n + 1) up to and including t, n the number at risk.
scores <- function(d, weightings, stratified = FALSE) {
  groups <- sort(unique(d$group))
  g <- length(groups); k <- length(weightings)
  U <- matrix(0, k, g); V <- array(0, c(k, k, g, g))
  strata <- if (stratified) split(d, d$stratum) else list(d)
  for (s in strata) {
    S <- 1; M <- 1
    for (t in sort(unique(s$time[s$event == 1]))) {
      risk <- s$entry < t & s$time >= t
      n <- sapply(groups, function(x) sum(risk & s$group == x))
      o <- sapply(groups, function(x) sum(risk & s$group == x & s$time == t & s$event == 1))
      D <- sum(o); N <- sum(n)
      M <- M * (1 - D / (N + 1))
      w <- sapply(weightings, function(f) f(S, M, N))
      U <- U + outer(w, o - D * n / N)
      if (N > 1) {
        v <- D * (N - D) / (N - 1) * (diag(n / N, g) - outer(n, n) / N^2)
        for (i in 1:k) for (j in 1:k) V[i, j, , ] <- V[i, j, , ] + w[i] * w[j] * v
      }
      S <- S * (1 - D / N)
    }
  }
  list(U = U, V = V)
}
chisq_of <- function(u, V) {
  e <- eigen(V, symmetric = TRUE)
  keep <- e$values > 1e-9 * max(e$values)
  sum((t(e$vectors) %*% u)[keep]^2 / e$values[keep])
}
fh <- function(rho, gamma) { force(rho); force(gamma); function(S, M, n) S^rho * (1 - S)^gamma }
weightings <- list(
  "FH(0 0)" = fh(0, 0), "FH(0 1)" = fh(0, 1), "FH(1 1)" = fh(1, 1), "FH(1 0)" = fh(1, 0),
  "FH(0.5 2)" = fh(0.5, 2), "tarone-ware" = function(S, M, n) sqrt(n),
  "gehan" = function(S, M, n) n, "peto" = function(S, M, n) M
)

# P(some |z| > m) for z(0,0), z(0,1), z(1,1), z(1,0): z(0,0) is a combination of two others.
maxcombo <- function(d, stratified = FALSE) {
  s <- scores(d, weightings[1:4], stratified)
  C <- s$V[, , 2, 2]; sd <- sqrt(diag(C)); R <- C / outer(sd, sd)
  z <- s$U[, 2] / sd; m <- max(abs(z))
  r <- R[2, 4]
  back <- solve(R[c(2, 4), c(2, 4)], R[3, c(2, 4)])
  rest <- sqrt(1 - sum(back * R[3, c(2, 4)]))
  inside <- function(x) {
    lo <- max(-m, (-m * sd[1] - sd[2] * x) / sd[4]); hi <- min(m, (m * sd[1] - sd[2] * x) / sd[4])
    if (hi <= lo) return(0)
    f <- function(y) {
      mu <- back[1] * x + back[2] * y
      dnorm(y, r * x, sqrt(1 - r^2)) * (pnorm((m - mu) / rest) - pnorm((-m - mu) / rest))
    }
    integrate(f, lo, hi, rel.tol = 1e-12, abs.tol = 0, subdivisions = 1000)$value * dnorm(x)
  }
  kinks <- c((m * sd[1] - m * sd[4]) / sd[2], (m * sd[1] + m * sd[4]) / sd[2])
  edges <- sort(unique(c(-m, m, kinks[abs(kinks) < m], -kinks[abs(kinks) < m])))
  total <- 0
  for (i in seq_along(edges)[-1]) {
    total <- total + integrate(Vectorize(inside), edges[i - 1], edges[i], rel.tol = 1e-11,
                               abs.tol = 0, subdivisions = 1000)$value
  }
  c(m, 1 - total, z)
}

exact <- coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 100)
for (name in c("ties", "entry", "weights", "strata", "single", "floating")) {
  d <- replicated(data[data$dataset == name, ])
  if (all(d$entry == 0)) {
    for (rho in c(0, 0.5, 1)) {
      f <- survdiff(Surv(time, event) ~ group, d, rho = rho)
      put(paste("survdiff", rho, c("statistic", "p_value")), name, c(f$chisq, f$pvalue))
      put(places(paste("survdiff", rho, "observed"), f$obs), name, f$obs)
      put(places(paste("survdiff", rho, "expected"), f$exp), name, f$exp)
      put(places(paste("survdiff", rho, "variance"), f$obs), name, diag(f$var))
    }
    if (name != "single") {
      f <- coxph(Surv(time, event) ~ group, d, ties = "efron", control = exact)
      put(places("efron", coef(f)), name, as.numeric(coef(f)))
    }
    for (rho in c(0, 1)) {
      f <- survdiff(Surv(time, event) ~ group + strata(stratum), d, rho = rho)
      put(paste("survdiff strata", rho, c("statistic", "p_value")), name, c(f$chisq, f$pvalue))
    }
  } else {
    # The score test with exact ties is the log-rank test with the hypergeometric variance.
    f <- coxph(Surv(entry, time, event) ~ group, d, ties = "exact", iter.max = 0)
    put("score test", name, f$score)
    f <- coxph(Surv(entry, time, event) ~ group + strata(stratum), d, ties = "exact", iter.max = 0)
    put("score test strata", name, f$score)
  }
  for (stratified in c(FALSE, TRUE)) {
    s <- scores(d, weightings, stratified)
    values <- sapply(seq_along(weightings), function(i) chisq_of(s$U[i, ], s$V[i, i, , ]))
    put(paste(names(weightings), if (stratified) "strata" else "all"), name, values)
  }
  two <- d[d$group %in% sort(unique(d$group))[1:2], ]
  put(paste("maxcombo", c("statistic", "p_value", paste("z", 1:4))), name, maxcombo(two))
  pairs <- combn(sort(unique(d$group)), 2)
  p <- apply(pairs, 2, function(x) {
    s <- scores(d[d$group %in% x, ], weightings[1])
    v <- s$V[1, 1, 2, 2]
    if (v > 0) pchisq(s$U[1, 2]^2 / v, 1, lower.tail = FALSE) else NA
  })
  for (method in c("holm", "bonferroni", "BH")) {
    put(places(paste("pairwise", method), p), name, p.adjust(p, method))
  }
}
put(paste("maxcombo strata", c("statistic", "p_value", paste("z", 1:4))), "strata", local({
  d <- replicated(data[data$dataset == "strata", ])
  maxcombo(d[d$group %in% c("a", "b"), ], TRUE)
}))

# ---- mean time ----------------------------------------------------------------------------------

window <- function(f, a, b) {
  i <- f$n.event > 0 & f$time <= b
  t <- f$time[i]; d <- f$n.event[i]; n <- f$n.risk[i]; S <- f$surv[i]
  A <- function(x) {
    g <- sort(unique(c(x, t[t > x & t < b], b)))
    sum(diff(g) * stepfun(t, c(1, S))(head(g, -1)))
  }
  v <- ifelse(n > d, d / (n * (n - d)), 0)
  c(A(a), sum(sapply(pmax(t, a), A)^2 * v))
}
for (name in c("ties", "entry", "weights", "strata", "floating", "half", "fractional")) {
  d <- data[data$dataset == name & data$weight > 0, ]
  horizon <- floor(min(tapply(d$time, d$group, max)))
  put("horizon", name, horizon)
  for (g in sort(unique(d$group))) {
    f <- curve_of(d[d$group == g, ], "plain")
    table <- summary(f, rmean = horizon)$table
    put(paste(c("mean", "mean se"), g), name, table[c("rmean", "se(rmean)")])
    put(paste(c("window mean", "window variance"), g), name, window(f, horizon / 3, horizon))
  }
}

# ---- combining ----------------------------------------------------------------------------------

rubin <- function(q, u, complete) {
  m <- length(q); B <- var(q); W <- mean(u); total <- W + (1 + 1 / m) * B
  lambda <- (1 + 1 / m) * B / total
  df <- (m - 1) / lambda^2
  if (is.finite(complete)) {
    observed <- (complete + 1) / (complete + 3) * complete * (1 - lambda)
    df <- df * observed / (df + observed)
  }
  r <- (1 + 1 / m) * B / W
  c(mean(q), sqrt(total), df, mean(q) - qt(0.975, df) * sqrt(total),
    2 * pt(-abs(mean(q)) / sqrt(total), df), (r + 2 / (df + 3)) / (1 + r))
}
i <- 1:7
q <- cbind(sin(i), 0.4 + cos(3 * i) / 9, 2 + 0 * i)
u <- cbind(0.2 + i / 50, 0.01 * i, 0.5 + 0 * i)
labels <- c("estimate", "se", "df", "lower", "p_value", "missing_information")
for (j in 1:2) for (complete in c(Inf, 40)) {
  put(paste("combined", labels, j, complete), "combining", rubin(q[, j], u[, j], complete))
}
D1 <- local({
  m <- 7; k <- 2
  qb <- colMeans(q[, 1:2]); B <- cov(q[, 1:2])
  W <- Reduce(`+`, lapply(i, function(x) diag(u[x, 1:2]) + 0.005)) / m
  r <- (1 + 1 / m) * sum(diag(B %*% solve(W))) / k
  D <- as.numeric(t(qb) %*% solve((1 + r) * W) %*% qb) / k
  t <- k * (m - 1)
  v <- 4 + (t - 4) * (1 + (1 - 2 / t) / r)^2
  c(D, v, pf(D, k, v, lower.tail = FALSE))
})
put(paste("joint", c("statistic", "df", "p_value")), "combining", D1)
F <- 0.3 + 0.02 * i; vF <- 0.001 * i
cl <- rubin(log(-log(1 - F)), vF / ((1 - F) * log(1 - F))^2, Inf)
half <- qt(0.975, cl[3]) * cl[2]
put(paste("probability", c("estimate", "lower", "upper")), "combining",
    1 - exp(-exp(cl[1] + c(0, -half, half))))

out <- do.call(rbind, rows)
out$value <- ifelse(is.finite(out$value), formatC(out$value, digits = 17, format = "g"), "")
write.csv(out, file.path(target, "survival_nonparametric.csv"), row.names = FALSE, quote = FALSE)
