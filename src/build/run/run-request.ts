import * as v from "valibot";
import { networkConfigurationSchema } from "../../engine/network/network-plan-schema.ts";

/** What the process that runs a RUN has to know, as JSON on its standard input. */
export const runRequestSchema = v.object({
  id: v.string(),
  /** The text of the container's config.json; it may hold secrets, and so is never written to a file. */
  configuration: v.string(),
  /** The directory with the container's files, where `upper`, `work` and `root` are too. */
  directory: v.string(),
  /** Bunker's data directory. */
  data: v.string(),
  /** The layers, uppermost first. */
  lower: v.array(v.string()),
  upper: v.string(),
  work: v.string(),
  root: v.string(),
  /** Whether the filter is the one that is compiled already, and so not in the configuration. */
  defaultFilter: v.boolean(),
  /** The place of its cgroup, as the user names it. */
  cgroupParent: v.optional(v.string()),
  /** Of a network of its own. */
  network: v.optional(networkConfigurationSchema()),
});

export type RunRequest = Readonly<v.InferOutput<typeof runRequestSchema>>;

/** Which one the command's process is; process-identity.ts. */
const runStartSchema = v.object({ pid: v.number(), startTime: v.number() });

/** How the command has ended, or what kept it from running. */
const runEndSchema = v.union([
  v.object({ exitStatus: v.number(), signal: v.optional(v.number()) }),
  v.object({ failure: v.object({ code: v.string(), message: v.string(), hint: v.optional(v.string()) }) }),
]);

/** A line of what that process writes to `REPORT_DESCRIPTOR`. */
export const runReportSchema = v.union([runStartSchema, runEndSchema]);

export type RunStart = Readonly<v.InferOutput<typeof runStartSchema>>;
export type RunEnd = Readonly<v.InferOutput<typeof runEndSchema>>;

/** Not a file, for which there might be no space. */
export const REPORT_DESCRIPTOR = 3;
