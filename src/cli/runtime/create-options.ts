import type { CreateOptions } from "../../runtime/lifecycle/create-container.ts";
import { flag, single } from "../option.ts";
import type { OptionValues } from "../option-table.ts";
import { integerBetween } from "../values/numbers.ts";
import type { RuntimeGlobals } from "./globals.ts";
import { debugLog, warn } from "./log.ts";

const asIs = (text: string) => text;
const MOST_DESCRIPTORS = 1024;

/** Where a process's terminal, pid and open descriptors go: of `create`, `run` and `exec`. */
export const attachmentOptions = {
  consoleSocket: single({
    name: "console-socket",
    valueName: "SOCKET",
    description: "Unix socket that takes the master of the process's terminal",
    parse: asIs,
  }),
  pidFile: single({ name: "pid-file", valueName: "FILE", description: "Where the pid is written", parse: asIs }),
  preservedDescriptors: single({
    name: "preserve-fds",
    valueName: "N",
    description: "How many descriptors from 3 on the process gets",
    parse: integerBetween(0, MOST_DESCRIPTORS),
    initial: 0,
  }),
} as const;

/** The options of `create` and `run`. */
export const createOptionsTable = {
  ...attachmentOptions,
  bundle: single({
    name: "bundle",
    short: "b",
    valueName: "DIR",
    description: "The bundle: the directory with config.json",
    parse: asIs,
    initial: ".",
    initialText: "the current directory",
  }),
  configurationPath: single({
    name: "config",
    short: "f",
    valueName: "FILE",
    description: "The configuration; without it the bundle's config.json",
    parse: asIs,
  }),
  noPivot: flag({ name: "no-pivot", description: "Move the root instead of pivot_root, as an initial ramfs needs it" }),
  noNewKeyring: flag({ name: "no-new-keyring", description: "Keep the caller's session keyring" }),
} as const;

/** What `createContainer` is told by the command line. */
export function createOptionsOf(
  options: OptionValues<typeof createOptionsTable>,
  globals: RuntimeGlobals,
  keepsTerminal: boolean,
): CreateOptions {
  return {
    bundle: options.bundle,
    configurationPath: options.configurationPath,
    consoleSocket: options.consoleSocket,
    keepsTerminal,
    pidFile: options.pidFile,
    pivotRoot: !options.noPivot,
    newKeyring: !options.noNewKeyring,
    preservedDescriptors: options.preservedDescriptors,
    cgroups: {
      manager: globals.systemdCgroup ? "systemd" : globals.cgroupManager,
      isOptional: globals.rootless === "auto" ? undefined : globals.rootless === "true",
    },
    onWarning: (message) => warn(globals, message),
    onDebug: debugLog(globals),
  };
}
