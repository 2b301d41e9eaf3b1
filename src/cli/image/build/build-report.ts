import * as v from "valibot";

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
