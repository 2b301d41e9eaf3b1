import { readFileSync } from "node:fs";
import { attach, receiveSignals } from "../../engine/attach/attachment.ts";
import { LostOutput } from "../../engine/attach/lost-output.ts";
import type { CapabilityName } from "../../runtime/configuration/capabilities.ts";
import { type Capabilities, type Process, parseProcess } from "../../runtime/configuration/configuration.ts";
import { ContainerDirectory } from "../../runtime/lifecycle/container-record.ts";
import { execInContainer } from "../../runtime/lifecycle/exec-in-container.ts";
import { stateRoot } from "../../runtime/lifecycle/state-root.ts";
import { warnOfUnknownCapabilities } from "../../runtime/process-setting.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { flag, list, single } from "../option.ts";
import type { OptionValues } from "../option-table.ts";
import { fileReadError } from "../values/file-read-error.ts";
import { integerBetween } from "../values/numbers.ts";
import { attachmentOptions } from "./create-options.ts";
import { exitStatusOf } from "./exit-status.ts";
import type { RuntimeGlobals } from "./globals.ts";
import { debugLog, warn } from "./log.ts";
import { ownTerminalSize } from "./own-terminal-size.ts";
import { parseCapability, parseEnvironmentEntry, parseGroupBelow, parseNumericUser } from "./values.ts";

const asIs = (text: string) => text;
const LARGEST_ID = 0xffff_fffe;

const execOptions = {
  ...attachmentOptions,
  processFile: single({
    name: "process",
    short: "p",
    valueName: "FILE",
    description: "The whole process as JSON, in the form of config.json's",
    parse: asIs,
  }),
  detach: flag({ name: "detach", short: "d", description: "Do not wait for the command's end" }),
  terminal: flag({ name: "tty", short: "t", description: "Give the command a terminal" }),
  cwd: single({ name: "cwd", valueName: "DIR", description: "The command's working directory", parse: asIs }),
  environment: list({
    name: "env",
    short: "e",
    valueName: "NAME=VALUE",
    description: "Set an environment variable",
    parse: parseEnvironmentEntry,
  }),
  user: single({
    name: "user",
    short: "u",
    valueName: "UID[:GID]",
    description: "The command's user and group",
    parse: parseNumericUser,
  }),
  additionalGroups: list({
    name: "additional-gids",
    short: "g",
    valueName: "GID",
    description: "A further group of the command's",
    parse: integerBetween(0, LARGEST_ID),
  }),
  capabilities: list({
    name: "cap",
    short: "c",
    valueName: "CAPABILITY",
    description: "Give the command a capability",
    parse: parseCapability,
  }),
  noNewPrivileges: flag({ name: "no-new-privs", description: "The command never gains privileges" }),
  apparmorProfile: single({
    name: "apparmor",
    valueName: "PROFILE",
    description: "The command's AppArmor profile",
    parse: asIs,
  }),
  selinuxLabel: single({
    name: "process-label",
    valueName: "LABEL",
    description: "The command's SELinux label",
    parse: asIs,
  }),
  cgroup: single({
    name: "cgroup",
    valueName: "PATH",
    description: "The cgroup to execute the command in, from the container's: / is that itself",
    parse: parseGroupBelow,
  }),
  ignorePaused: flag({
    name: "ignore-paused",
    description: "Take a paused container, too: it waits for the end of the pause",
  }),
} as const;

/** `bunker runtime exec`. */
export const exec = defineCommand(
  {
    options: execOptions,
    isBrief: true,
    required: ["ID"],
    optional: "[COMMAND] [ARG...]",
    stopAtFirstOperand: true,
  },
  async ({ options, operands: [id, ...command] }, globals: RuntimeGlobals) => {
    using directory = ContainerDirectory.open(stateRoot(globals.root), id);
    const configuration = directory.configuration();
    const process = processOf(options, command, configuration.process);
    warnOfUnknownCapabilities(process, (message) => warn(globals, message));
    using signals = options.detach ? undefined : receiveSignals();
    using launched = execInContainer(directory, {
      configuration,
      process: options.detach ? process : { ...process, consoleSize: process.consoleSize ?? consoleSize() },
      consoleSocket: options.consoleSocket,
      keepsTerminal: !options.detach,
      pidFile: options.pidFile,
      preservedDescriptors: options.preservedDescriptors,
      groupBelow: options.cgroup,
      ignoresPause: options.ignorePaused,
      onDebug: debugLog(globals),
    });
    if (signals === undefined) return 0;
    const lost = new LostOutput();
    const end = await attach(launched, signals, undefined, { interactive: true, whole: false, isFurther: true, lost });
    lost.check();
    return exitStatusOf(end);
  },
);

function consoleSize(): Process["consoleSize"] {
  const size = ownTerminalSize();
  return size === undefined ? undefined : { height: size.rows, width: size.columns };
}

/**
 * The process that the command line asks for: that of a file, or the container's own with another command; what options
 * say comes on top.
 */
function processOf(
  options: OptionValues<typeof execOptions>,
  command: readonly string[],
  container: Process | undefined,
): Process {
  const given = options.processFile === undefined ? undefined : readProcess(options.processFile);
  const args = command.length > 0 ? command : given?.args;
  if (args === undefined) {
    throw new BunkerError({ code: "missing_operand", operation: "exec needs COMMAND, or a process by --process" });
  }
  // The container's own terminal and its size are not this process's.
  const own: Process = {
    user: { uid: 0, gid: 0 },
    cwd: "/",
    ...container,
    args,
    terminal: false,
    consoleSize: undefined,
  };
  const base = given ?? own;
  return {
    ...base,
    args,
    terminal: base.terminal === true || options.terminal,
    cwd: options.cwd ?? base.cwd,
    env: [...(base.env ?? []), ...options.environment],
    user: {
      ...base.user,
      ...options.user,
      additionalGids: [...(base.user.additionalGids ?? []), ...options.additionalGroups],
    },
    capabilities: withCapabilities(base.capabilities, options.capabilities),
    noNewPrivileges: base.noNewPrivileges === true || options.noNewPrivileges,
    apparmorProfile: options.apparmorProfile ?? base.apparmorProfile,
    selinuxLabel: options.selinuxLabel ?? base.selinuxLabel,
  };
}

/** Adds to the sets that a command of root's has capabilities by; as with runc, nobody else gets them. */
function withCapabilities(sets: Capabilities | undefined, names: readonly CapabilityName[]): Capabilities | undefined {
  if (names.length === 0) return sets;
  const add = (set: readonly string[] | undefined) => [...new Set([...(set ?? []), ...names])];
  return { ...sets, bounding: add(sets?.bounding), effective: add(sets?.effective), permitted: add(sets?.permitted) };
}

function readProcess(path: string): Process {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw fileReadError("process_unreadable", "read the process file", path, error);
  }
  return parseProcess(text, path);
}
