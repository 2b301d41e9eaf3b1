import * as v from "valibot";
import type { BuildResult } from "../../../build/build.ts";
import { explainedWarning, shortWarning } from "../../../build/lint/lint-warning.ts";
import { describedBuild } from "./call-output.ts";

/** What a build reports to the command that has started it. */
export const buildReportSchema = v.object({
  /** The image that was written; nothing where only files were. */
  image: v.optional(
    v.object({
      id: v.string(),
      digest: v.string(),
      mediaType: v.string(),
      size: v.number(),
      names: v.array(v.string()),
    }),
  ),
  /** What is shown instead of a build's result. */
  answer: v.optional(v.string()),
  /** What in the Dockerfile is likely not meant: in one line, and with its lines. */
  warnings: v.array(v.object({ short: v.string(), long: v.string() })),
  /** Whether that is an error; where checking was all that was asked for. */
  isRefused: v.boolean(),
});

export type BuildReport = v.InferOutput<typeof buildReportSchema>;

/**
 * Says what a build came to.
 * @param format in which it is described, where that was asked for
 */
export function reportOf(
  { image, warnings, isRefused, description }: BuildResult,
  format: "text" | "json",
): BuildReport {
  const answer = description && describedBuild(description, warnings, format);
  return {
    ...(answer === undefined ? {} : { answer }),
    ...(image === undefined ? {} : { image: { ...image, names: [...image.names] } }),
    warnings: warnings.map((warning) => ({ short: shortWarning(warning), long: explainedWarning(warning) })),
    isRefused,
  };
}
