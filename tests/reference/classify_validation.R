# Reference numbers for discontinuation.classify: validation, agreement, fallible raters.
#
#   Rscript classify_validation.R [folder]
#
# Base R only (4.2.2 gave those in the csv files). Writes classify_validation_data.csv (made up by
# the fixed rule below) and classify_validation.csv (quantity, value, tolerance) into the folder, by
# default the current one. Formulas are written out here from the publications, or are base R's own
# (glm, wilcox.test, prop.test, optim); tolerances are absolute.

arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."

rows <- list()
put <- function(quantity, value, tolerance = 1e-9 * abs(value) + 1e-10) {
  rows[[length(rows) + 1]] <<- data.frame(
    quantity = quantity, value = as.numeric(value), tolerance = tolerance
  )
}

# ---- made-up data: no random numbers, so that any machine makes the same ----------------------
n <- 173
i <- seq_len(n)
q <- round((0.5 + 0.48 * sin(i * 1.7)) * (1 - 0.001 * (i %% 7)), 3)   # with ties
u <- (i * 0.6180339887) %% 1
y <- as.integer(u < 0.15 + 0.7 * q)
second <- round(pmin(pmax(0.6 * q + 0.4 * ((i * 0.7548776662) %% 1), 0.01), 0.99), 3)
label <- function(p, low, high) ifelse(p >= high, "W", ifelse(p <= low, "R", "I"))
rater1 <- label(q, 0.3, 0.7)
rater2 <- label(second, 0.35, 0.65)
rater3 <- label(0.5 * q + 0.5 * u, 0.35, 0.65)
rater3[i %% 11 == 0] <- NA
rater1[i %% 17 == 0] <- NA
data <- data.frame(q, second, y, rater1, rater2, rater3)
write.csv(data, file.path(folder, "classify_validation_data.csv"), row.names = FALSE, na = "",
          quote = FALSE)

# ---- area under the curve (DeLong, DeLong, Clarke-Pearson 1988) --------------------------------
kernel <- function(x, z) (x > z) + 0.5 * (x == z)
delong <- function(p) {
  cases <- p[y == 1]; controls <- p[y == 0]
  table <- outer(cases, controls, kernel)
  list(area = mean(table), v10 = rowMeans(table), v01 = colMeans(table))
}
one <- delong(q); two <- delong(second)
m <- sum(y == 1); k <- sum(y == 0)
put("AUC", one$area)
put("AUC by Wilcoxon", suppressWarnings(wilcox.test(q[y == 1], q[y == 0]))$statistic / (m * k))
se <- sqrt(var(one$v10) / m + var(one$v01) / k)
put("AUC standard error", se)
half <- qnorm(0.975) * se / (one$area * (1 - one$area))
put("AUC lower", plogis(qlogis(one$area) - half))
put("AUC upper", plogis(qlogis(one$area) + half))
put("AUC difference", one$area - two$area)
put("AUC difference standard error",
    sqrt(var(one$v10 - two$v10) / m + var(one$v01 - two$v01) / k))

# ---- calibration (glm) ------------------------------------------------------------------------
lp <- qlogis(pmin(pmax(q, 1e-6), 1 - 1e-6))
tight <- glm.control(epsilon = 1e-14, maxit = 100)
intercept <- glm(y ~ 1, family = binomial, offset = lp, control = tight)
slope <- glm(y ~ lp, family = binomial, control = tight)
put("calibration intercept", coef(intercept)[1], 1e-8)
put("calibration intercept standard error", sqrt(vcov(intercept)[1, 1]), 1e-8)
put("calibration slope", coef(slope)[2], 1e-8)
put("calibration slope standard error", sqrt(vcov(slope)[2, 2]), 1e-8)

# ---- Brier score, its parts, calibration error: ten equally wide bins --------------------------
bin <- pmin(floor(q * 10), 9)
pbar <- ave(q, bin); ybar <- ave(y, bin)
put("Brier score", mean((q - y)^2))
put("Brier reliability", mean((pbar - ybar)^2))
put("Brier resolution", mean((ybar - mean(y))^2))
put("Brier uncertainty", mean(y) * (1 - mean(y)))
put("Brier within bins", mean((q - pbar)^2) - 2 * mean((q - pbar) * (y - ybar)))
put("expected calibration error", mean(abs(pbar - ybar)))
put("bins", length(unique(bin)))

# ---- decisions, and net benefit ----------------------------------------------------------------
share <- function(name, hit, base) {
  limits <- suppressWarnings(prop.test(sum(hit), sum(base), correct = FALSE))$conf.int
  put(name, sum(hit) / sum(base)); put(paste(name, "lower"), limits[1], 1e-8)
  put(paste(name, "upper"), limits[2], 1e-8)
}
share("sensitivity", q >= 0.8 & y == 1, y == 1)
share("specificity", q <= 0.2 & y == 0, y == 0)
share("called withdrawal and is", q >= 0.8 & y == 1, q >= 0.8)
for (t in c(0.1, 0.5, 0.8)) {
  put(paste("net benefit at", t),
      mean(q >= t & y == 1) - mean(q >= t & y == 0) * t / (1 - t))
  put(paste("net benefit of all at", t), mean(y) - (1 - mean(y)) * t / (1 - t))
}

# ---- agreement ---------------------------------------------------------------------------------
levels <- c("W", "R", "I")
ratings <- cbind(rater1, rater2, rater3)
counts <- sapply(levels, function(l) rowSums(ratings == l, na.rm = TRUE))

# Two raters: Fleiss, Cohen, Everitt 1969; Gwet 2008.
pair <- ratings[, 1:2][rowSums(is.na(ratings[, 1:2])) == 0, ]
p <- table(factor(pair[, 1], levels), factor(pair[, 2], levels)) / nrow(pair)
a <- rowSums(p); b <- colSums(p); po <- sum(diag(p)); size <- length(levels)
pe <- sum(a * b); kappa <- (po - pe) / (1 - pe)
total <- 0
for (r in 1:size) for (s in 1:size) {
  total <- total + p[r, s] * ((r == s) - (1 - kappa) * (b[r] + a[s]))^2
}
put("cohen", kappa)
put("cohen standard error",
    sqrt(total - (po - 2 * (1 - kappa) * pe)^2) / sqrt(nrow(pair)) / (1 - pe))
middle <- (a + b) / 2
pe <- sum(middle * (1 - middle)) / (size - 1); ac1 <- (po - pe) / (1 - pe)
total <- 0
for (r in 1:size) for (s in 1:size) {
  total <- total +
    p[r, s] * ((r == s) - 2 * (1 - ac1) * (1 - (middle[r] + middle[s]) / 2) / (size - 1))^2
}
put("ac1 of two", ac1)
put("ac1 of two standard error",
    sqrt(total - (po - 2 * (1 - ac1) * pe)^2) / sqrt(nrow(pair)) / (1 - pe))

# Several raters, some missing.
agree <- function(counts) {
  r <- rowSums(counts)
  (rowSums(counts * (counts - 1)) / (r * (r - 1)))[r >= 2]
}
fleiss <- function(counts) {
  counts <- counts[rowSums(counts) >= 1, ]
  prob <- colMeans(counts / rowSums(counts)); pe <- sum(prob^2)
  (mean(agree(counts)) - pe) / (1 - pe)
}
ac1s <- function(counts) {
  counts <- counts[rowSums(counts) >= 1, ]
  prob <- colMeans(counts / rowSums(counts)); pe <- sum(prob * (1 - prob)) / (size - 1)
  (mean(agree(counts)) - pe) / (1 - pe)
}
# Krippendorff by the table of coincidences.
alpha <- function(counts) {
  counts <- counts[rowSums(counts) >= 2, ]
  o <- matrix(0, size, size)
  for (row in seq_len(nrow(counts))) {
    v <- counts[row, ]
    o <- o + (outer(v, v) - diag(v)) / (sum(v) - 1)
  }
  each <- rowSums(o); all <- sum(each)
  1 - (all - 1) * (all - sum(diag(o))) / (all^2 - sum(each^2))
}
put("fleiss", fleiss(counts)); put("ac1", ac1s(counts)); put("alpha", alpha(counts))
kept <- counts[rowSums(counts) >= 2, ]
left <- sapply(seq_len(nrow(kept)), function(row) alpha(kept[-row, ]))
put("alpha standard error", sqrt((nrow(kept) - 1) / nrow(kept) * sum((left - mean(left))^2)))

# ---- Hui and Walter 1980, their table 1, by optim ----------------------------------------------
tuberculin <- rbind(c(14, 4, 9, 528), c(887, 31, 37, 367))  # Mantoux, Tine: ++ +- -+ --
negative <- function(theta) {
  p <- plogis(theta)                                         # prevalences, sensitivities, specificities
  se <- p[3:4]; sp <- p[5:6]
  value <- 0
  for (g in 1:2) {
    cell <- p[g] * c(se[1] * se[2], se[1] * (1 - se[2]), (1 - se[1]) * se[2], (1 - se[1]) * (1 - se[2])) +
      (1 - p[g]) * c((1 - sp[1]) * (1 - sp[2]), (1 - sp[1]) * sp[2], sp[1] * (1 - sp[2]), sp[1] * sp[2])
    value <- value - sum(tuberculin[g, ] * log(cell))
  }
  value
}
found <- optim(qlogis(c(0.1, 0.7, 0.9, 0.9, 0.9, 0.9)), negative, method = "BFGS",
               control = list(reltol = 1e-15, maxit = 5000))
for (j in 1:6) {
  put(paste("Hui-Walter", c("prevalence 1", "prevalence 2", "sensitivity Mantoux",
      "sensitivity Tine", "specificity Mantoux", "specificity Tine")[j]), plogis(found$par[j]), 2e-4)
}

write.csv(do.call(rbind, rows), file.path(folder, "classify_validation.csv"), row.names = FALSE)
