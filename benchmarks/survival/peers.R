# Times of R on the same data: Rscript peers.R data.csv repeats out.csv
suppressMessages(library(survival))
arguments <- commandArgs(trailingOnly = TRUE)
data <- read.csv(arguments[1])
repeats <- as.integer(arguments[2])
budget <- 60
n <- nrow(data)
data$any <- as.integer(data$cause > 0)
formula <- Surv(time, any) ~ x1 + x2 + x3 + x4 + x5

middle <- function(work, times = repeats) {
  first <- system.time(work())[["elapsed"]]
  if (first > 5) return(first)
  inner <- max(1, floor(0.05 / max(first, 1e-4)))
  taken <- replicate(times, system.time(for (i in seq_len(inner)) work())[["elapsed"]] / inner)
  median(taken)
}

found <- list()
note <- function(job, seconds) found[[length(found) + 1]] <<- data.frame(job = job, tool = "R", n = n, seconds = seconds)

note("Cox", middle(function() coxph(formula, data)))
note("Kaplan-Meier", middle(function() survfit(Surv(time, any) ~ 1, data)))
note("log-rank", middle(function() survdiff(Surv(time, any) ~ arm, data)))
state <- factor(data$cause, 0:2, c("censored", "a", "b"))
note("Aalen-Johansen", middle(function() survfit(Surv(data$time, state) ~ arm, data)))
if (n <= 5000) {
  fg <- function() {
    long <- finegray(Surv(time, state) ~ ., data = cbind(data, state = state), etype = "a")
    coxph(Surv(fgstart, fgstop, fgstatus) ~ x1 + x2 + x3 + x4 + x5, weight = fgwt, data = long)
  }
  note("Fine-Gray", middle(fg))
}
if (n <= 500) {
  draws <- replicate(1000, sample.int(n, n, replace = TRUE))
  note("1,000 bootstrap Cox fits", system.time(
    for (b in seq_len(1000)) coxph(formula, data[draws[, b], ])
  )[["elapsed"]])
}
write.csv(do.call(rbind, found), arguments[3], row.names = FALSE)
