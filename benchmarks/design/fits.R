# The same fits in R: Rscript fits.R people.bin found.csv seconds.txt rows horizon
suppressMessages(library(survival))
arguments <- commandArgs(trailingOnly = TRUE)
rows <- as.integer(arguments[4])
horizon <- as.numeric(arguments[5])
values <- matrix(readBin(arguments[1], "double", rows * 4), ncol = 4, byrow = TRUE)
people <- data.frame(trial = values[, 1], time = values[, 2], event = values[, 3], arm = factor(values[, 4]))
trials <- split(people[c("time", "event", "arm")], people$trial)

fit <- function(trial) {
  cox <- coxph(Surv(time, event) ~ arm, trial)
  test <- survdiff(Surv(time, event) ~ arm, trial)
  means <- summary(survfit(Surv(time, event) ~ arm, trial), rmean = horizon)$table
  c(coef(cox), sqrt(diag(vcov(cox))), test$chisq, means[, "rmean"], means[, "se(rmean)"])
}

invisible(lapply(trials[1:min(5, length(trials))], fit))
taken <- system.time(found <- lapply(trials, fit))[["elapsed"]]
found <- as.data.frame(do.call(rbind, found))
names(found) <- c("beta1", "beta2", "se1", "se2", "chisq", paste0("mean", 0:2), paste0("se_mean", 0:2))
write.csv(found, arguments[2], row.names = FALSE)
writeLines(format(taken, digits = 10), arguments[3])
