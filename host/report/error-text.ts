/** Errors for people: a percentage, or the mean square of a net that is judged by it. */
import type { MetricName } from "../train/losses.js";

/** "1.23 %" of an error, which a mean square is not. */
export const errorText = (error: number, metric: MetricName): string =>
  metric === "mse" ? error.toPrecision(4) : `${error.toFixed(2)} %`;

/** What an axis or a column of errors is called. */
export const errorName = (metric: MetricName): string => (metric === "mse" ? "mean squared error" : "error, %");
