import { flag, single } from "../option.ts";
import type { OptionValues } from "../option-table.ts";
import { oneOf } from "../values/choice.ts";

const asIs = (text: string) => text;

/** The options before the name of a runtime command, runc's and those of crun that engines pass. */
export const globalOptions = {
  root: single({ name: "root", valueName: "DIR", description: "Where containers are recorded", parse: asIs }),
  log: single({ name: "log", valueName: "FILE", description: "Where errors and warnings are written", parse: asIs }),
  logFormat: single({
    name: "log-format",
    valueName: "FORMAT",
    description: "How they are written: text or json",
    parse: oneOf("text", "json"),
    initial: "text",
    initialText: "text",
  }),
  debug: flag({ name: "debug", description: "Log the launch programs as well" }),
  systemdCgroup: flag({
    name: "systemd-cgroup",
    description: "Let systemd make cgroups; linux.cgroupsPath is SLICE:PREFIX:NAME then",
  }),
  cgroupManager: single({
    name: "cgroup-manager",
    valueName: "MANAGER",
    description: "Who makes cgroups: cgroupfs, systemd or disabled; without it whoever can",
    parse: oneOf("cgroupfs", "systemd", "disabled"),
  }),
  rootless: single({
    name: "rootless",
    valueName: "WHEN",
    description:
      "Whether containers without limits do without a cgroup when there is no right to make one: true, false or auto, that is unless we are root",
    parse: oneOf("auto", "true", "false"),
    initial: "auto",
    initialText: "auto",
  }),
  version: flag({ name: "version", short: "v", description: "Show the version and that of the specification" }),
} as const;

/** What the options before the name of a runtime command came to. */
export type RuntimeGlobals = OptionValues<typeof globalOptions>;
