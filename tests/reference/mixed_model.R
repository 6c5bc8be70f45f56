# Reference numbers for discontinuation.symptoms, from nlme (3.1.162 gave those in mixed_model.csv).
#
#   Rscript mixed_model.R [folder] [points]
#
# writes mixed_model_data.csv (made up by the fixed rule below, and the growth data of Potthoff and
# Roy 1964 that come with nlme) and mixed_model.csv (dataset, model, quantity, value) into the
# folder, by default the current one.
#
# With a second argument it reads that file instead (dataset, model, sd_intercept, sd_slope,
# correlation, phi, sd_residual) and writes likelihoods.csv: nlme's own log-likelihood function at
# those parameters, with the fixed effects profiled out.
#
# nlme optimises with numerical derivatives. Its tolerances are set so that it stops only when it
# cannot get further, and its answer is then carried on by Newton steps on nlme's own
# log-likelihood ("polish" below), so that the numbers are nlme's model and not its stopping rule.

suppressMessages(library(nlme))
RNGkind("Mersenne-Twister", "Inversion", "Rejection")

arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."

# ---- measurements -----------------------------------------------------------------------------

make_people <- function(dataset, seed, people, visits, sd, correlation, phi, residual, days, keep,
                        trend = 0.1) {
  set.seed(seed)
  rows <- list()
  for (person in seq_len(people)) {
    arm <- c("abrupt", "taper")[1 + person %% 2]
    z <- rnorm(2)
    b <- c(sd[1] * z[1], sd[2] * (correlation * z[1] + sqrt(1 - correlation^2) * z[2]))
    e <- rnorm(visits)
    for (j in seq_len(visits)[-1]) e[j] <- phi * e[j - 1] + sqrt(1 - phi^2) * e[j]
    day <- days(visits)
    effect <- 10 + trend * day - if (arm == "taper") 1 + trend / 2 * day else 0
    value <- effect + b[1] + b[2] * day + residual * e
    here <- data.frame(
      dataset = dataset, person = sprintf("p%02d", person), arm = arm, visit = seq_len(visits),
      day = day, value = round(value, 3)
    )
    rows[[person]] <- here[keep(visits), ]
  }
  do.call(rbind, rows)
}

weekly <- function(n) 7 * (seq_len(n) - 1)
all_of <- function(n) seq_len(n)
some_of <- function(n) {
  last <- sample(3:n, 1)
  sort(c(1, sample(2:last, max(2, rbinom(1, last - 1, 0.75)))))
}
lose_a_fifth <- function(n) sort(sample(n, round(0.8 * n)))
uneven <- function(n) round(cumsum(c(0, runif(n - 1, 1.5, 10))), 2)

growth <- data.frame(
  dataset = "growth", person = as.character(Orthodont$Subject), arm = as.character(Orthodont$Sex),
  visit = (Orthodont$age - 6) / 2, day = Orthodont$age, value = Orthodont$distance
)
data <- rbind(
  make_people("balanced", 1, 40, 8, c(3, 0.12), 0.2, 0.4, 1.5, weekly, all_of),
  make_people("gaps", 2, 60, 10, c(2, 0.15), -0.3, 0.5, 1.2, uneven, some_of),
  make_people("parallel", 7, 40, 9, c(2, 0), 0, 0.5, 1.2, uneven, some_of),
  make_people("small", 3, 8, 6, c(2, 0.1), 0, 0.3, 1, weekly, all_of),
  make_people("nearly_singular", 14, 30, 6, c(2, 0.04), 0.95, 0.3, 1, weekly, all_of),
  make_people("negative", 5, 30, 7, c(2, 0.1), 0.1, -0.4, 1.5, weekly, all_of),
  make_people("series", 6, 1, 120, c(0, 0), 0, 0.6, 1.5, uneven, lose_a_fifth, 0),
  make_people("drifting", 6, 1, 120, c(0, 0), 0, 0.6, 1.5, uneven, lose_a_fifth),
  growth
)
data$phase <- paste0("level", findInterval(data$visit, c(0, 41, 61, 81)))

# ---- nlme's own likelihood ----------------------------------------------------------------------
# The model structures that lme() and gls() build inside, with the functions they call: `value` is
# nlme's log-likelihood (of lme, up to a constant) at unconstrained parameters, `estimate` everything
# that nlme says there.

correlation_of <- function(name) {
  switch(name, none = NULL, ar1 = corAR1(form = ~ visit | person),
         car1 = corCAR1(form = ~ day | person))
}
fixed_of <- function(dataset) {
  if (dataset %in% c("series", "drifting")) value ~ 0 + phase else value ~ day * arm
}
words <- function(model) strsplit(model, " ")[[1]]

measurements <- function(dataset) {
  here <- data[data$dataset == dataset, ]
  here$person <- factor(here$person)
  here[order(here$person, here$visit), ]
}

build_lme <- function(dataset, model) {
  here <- measurements(dataset)
  part <- words(model)
  random <- if (part[1] == "slope") pdLogChol(~ day) else pdLogChol(~ 1)
  re <- reStruct(list(person = random), REML = part[3] == "REML", data = here)
  structure <- lmeStruct(reStruct = re, corStruct = correlation_of(part[2]))
  groups <- here["person"]
  z <- model.matrix(structure$reStruct, here)
  x <- model.matrix(fixed_of(dataset), here)
  dims <- nlme:::MEdims(groups, c(attr(z, "ncols"), ncol(x), 1))
  attr(structure, "conLin") <- list(
    Xy = cbind(z, x, here$value), dims = dims, logLik = 0, sigma = 0, auxSigma = 0
  )
  structure <- Initialize(structure, here, groups, control = lmeControl())
  list(
    structure = structure, x = x,
    value = function(parameters) c(logLik(structure, parameters)),
    estimate = function(parameters) {
      coef(structure) <- parameters
      found <- nlme:::MEestimate(structure, groups)
      d <- found$sigma^2 * solve(pdMatrix(structure$reStruct)$person)
      effects <- found$b$person
      list(
        beta = found$beta, sigma = found$sigma, d = d, logLik = found$logLik, effects = effects,
        covariance = crossprod(found$sigma * found$varFix),
        phi = if (part[2] == "none") NULL else coef(structure$corStruct, unconstrained = FALSE)
      )
    }
  )
}

build_gls <- function(dataset, model) {
  here <- measurements(dataset)
  part <- words(model)
  structure <- glsStruct(corStruct = correlation_of(part[2]))
  x <- model.matrix(fixed_of(dataset), here)
  dims <- list(N = nrow(x), p = ncol(x), REML = as.integer(part[3] == "REML"))
  attr(structure, "conLin") <- list(
    Xy = cbind(x, here$value), dims = dims, logLik = 0, sigma = 0, fixedSigma = FALSE
  )
  colnames(attr(structure, "conLin")$Xy) <- c(colnames(x), "value")
  structure <- Initialize(structure, here)
  list(
    structure = structure, x = x,
    value = function(parameters) {
      if (length(parameters)) coef(structure) <- parameters
      nlme:::glsEstimate(structure)$logLik
    },
    estimate = function(parameters) {
      if (length(parameters)) coef(structure) <- parameters
      found <- nlme:::glsEstimate(structure)
      list(
        beta = found$beta, sigma = found$sigma, logLik = found$logLik,
        covariance = crossprod(found$sigma * found$varBeta),
        phi = if (part[2] == "none") NULL else coef(structure$corStruct, unconstrained = FALSE)
      )
    }
  )
}

build <- function(dataset, model) {
  if (words(model)[1] == "none") build_gls(dataset, model) else build_lme(dataset, model)
}

# ---- fits ---------------------------------------------------------------------------------------

fit_with_nlme <- function(dataset, model) {
  here <- measurements(dataset)
  part <- words(model)
  form <- fixed_of(dataset)
  if (part[1] == "none") {
    control <- glsControl(msMaxIter = 1000, tolerance = 1e-13)
    return(do.call(gls, list(form, data = here, correlation = correlation_of(part[2]),
                             method = part[3], control = control)))
  }
  random <- if (part[1] == "slope") ~ day | person else ~ 1 | person
  control <- lmeControl(
    opt = "nlminb", maxIter = 1000, msMaxIter = 1000, msMaxEval = 10000, niterEM = 100,
    tolerance = 1e-13, rel.tol = 1e-14, x.tol = 1e-12, returnObject = TRUE
  )
  suppressWarnings(do.call(lme, list(form, data = here, random = random, method = part[3],
                                     correlation = correlation_of(part[2]), control = control)))
}

# Five-point derivatives: they are exact to 1e-9 or so for a function this smooth.
gradient <- function(f, at, h = 2e-3) {
  vapply(seq_along(at), function(i) {
    g <- function(k) f(replace(at, i, at[i] + k * h))
    (8 * (g(1) - g(-1)) - (g(2) - g(-2))) / (12 * h)
  }, 0)
}
polish <- function(f, at, steps = 4) {
  if (!length(at)) return(at)
  for (step in seq_len(steps)) {
    hessian <- vapply(seq_along(at), function(i) {
      h <- 1e-3
      (gradient(f, replace(at, i, at[i] + h)) - gradient(f, replace(at, i, at[i] - h))) / (2 * h)
    }, numeric(length(at)))
    at <- at - c(solve((hessian + t(hessian)) / 2, gradient(f, at)))
  }
  at
}

rows <- list()
put <- function(dataset, model, quantity, value) {
  rows[[length(rows) + 1]] <<- data.frame(
    dataset = dataset, model = model, quantity = quantity, value = as.numeric(value)
  )
}

# Limits of the variance components as intervals() prints them. nlme differences its likelihood
# coarsely for them (too coarsely where eight people leave it flat), for visits with gaps it takes
# phi for an ARMA parameter on another scale, and without phi or random effects it uses chi-square.
add_limits <- function(dataset, model, fit) {
  limits <- intervals(fit, which = "var-cov")
  table <- rbind(
    if (inherits(fit, "lme")) as.matrix(limits$reStruct$person), limits$corStruct, limits$sigma
  )
  random <- c("sd_intercept", "sd_slope", "correlation")
  count <- switch(words(model)[1], slope = 3, intercept = 1, none = 0)
  names <- c(random[seq_len(count)], if (words(model)[2] != "none") "phi", "sd_residual")
  for (side in c("lower", "upper")) {
    column <- match(side, c("lower", "est.", "upper"))
    put(dataset, model, paste(side, names), table[, column])
  }
}

report <- function(dataset, model, interior = TRUE) {
  fit <- fit_with_nlme(dataset, model)
  own <- build(dataset, model)
  add <- function(quantity, value) put(dataset, model, quantity, value)
  add("nlme log-likelihood", fit$logLik)
  if (!interior) return(invisible())
  inside <- fit$modelStruct
  if (inherits(fit, "lme")) inside$reStruct <- solve(inside$reStruct)
  found <- own$estimate(polish(own$value, coef(inside)))
  n <- nrow(own$x)
  p <- ncol(own$x)
  ml <- words(model)[3] == "ML"
  add("log-likelihood", found$logLik)
  add("AIC", AIC(fit) - 2 * (found$logLik - c(fit$logLik)))
  add("BIC", BIC(fit) - 2 * (found$logLik - c(fit$logLik)))
  add(paste("estimate", seq_len(p)), found$beta)
  # As summary() prints them.
  add(paste("se", seq_len(p)), sqrt(diag(found$covariance) * if (ml) n / (n - p) else 1))
  add(paste("df", seq_len(p)), if (inherits(fit, "lme")) fit$fixDF$X else n - p)
  add("sd_residual", found$sigma)
  if (!is.null(found$phi)) add("phi", found$phi)
  gaps <- words(model)[2] == "ar1" && dataset %in% c("gaps", "parallel", "series")
  if (!gaps && dataset != "small" && model != "none none REML") add_limits(dataset, model, fit)
  if (is.null(found$d)) return(invisible())
  add("sd_intercept", sqrt(found$d[1, 1]))
  shown <- seq_len(min(8, nrow(found$effects)))
  add(paste("random intercept", shown), found$effects[shown, 1])
  if (ncol(found$d) < 2) return(invisible())
  add("sd_slope", sqrt(found$d[2, 2]))
  add("correlation", cov2cor(found$d)[1, 2])
  add(paste("random slope", shown), found$effects[shown, 2])
}

if (length(arguments) > 1) {
  points <- read.csv(arguments[2])
  points$value <- vapply(seq_len(nrow(points)), function(i) {
    point <- points[i, ]
    own <- build(point$dataset, point$model)
    structure <- own$structure
    kinds <- words(point$model)
    if (!is.null(structure$reStruct)) {
      d <- if (kinds[1] == "slope") {
        sd <- c(point$sd_intercept, point$sd_slope)
        outer(sd, sd) * matrix(c(1, point$correlation, point$correlation, 1), 2)
      } else matrix(point$sd_intercept^2)
      matrix(structure$reStruct[[1]]) <- solve(d / point$sd_residual^2)
    }
    at <- coef(structure)
    if (kinds[2] == "ar1") at[length(at)] <- log((1 + point$phi) / (1 - point$phi))
    if (kinds[2] == "car1") at[length(at)] <- log(point$phi / (1 - point$phi))
    own$estimate(at)$logLik
  }, 0)
  points$value <- sprintf("%.15g", points$value)
  write.csv(points, file.path(folder, "likelihoods.csv"), row.names = FALSE, quote = FALSE)
  quit()
}

for (dataset in c("balanced", "gaps", "growth", "nearly_singular", "negative", "small")) {
  for (model in c("slope ar1 REML", "slope ar1 ML")) report(dataset, model)
}
for (dataset in c("balanced", "gaps", "growth")) report(dataset, "slope none REML")
report("balanced", "slope car1 REML")
for (model in c("slope car1 REML", "slope car1 ML")) report("gaps", model)
for (model in c("ar1 REML", "ar1 ML", "car1 REML", "car1 ML", "none REML")) {
  report("parallel", paste("intercept", model))
  report("series", paste("none", model))
}
# Here the likelihood is highest at the edge of what is possible: nlme stops somewhere before it.
report("parallel", "slope ar1 REML", interior = FALSE)
report("balanced", "intercept ar1 REML", interior = FALSE)
report("gaps", "intercept car1 REML", interior = FALSE)
report("negative", "slope car1 REML", interior = FALSE)
report("drifting", "none car1 REML", interior = FALSE)

result <- do.call(rbind, rows)
result$value <- sprintf("%.15g", result$value)
write.csv(data, file.path(folder, "mixed_model_data.csv"), row.names = FALSE, quote = FALSE)
write.csv(result, file.path(folder, "mixed_model.csv"), row.names = FALSE, quote = FALSE)
