/*
 * A further process in a container, as a child of the command that asks for it. It has the container's own process as its
 * model: what the command does not say is taken from there. Whoever has started it waits for it, or leaves a process that
 * does (runtime/staying-parent.ts); if that command is killed, the process goes on without its streams, as with Docker, and
 * ends with the container.
 */

import { callersCapabilities } from "../../runtime/callers-capabilities.ts";
import { CAPABILITY_NAMES } from "../../runtime/configuration/capabilities.ts";
import type { EnteredConfiguration, Process } from "../../runtime/configuration/configuration.ts";
import { launchProcess } from "../../runtime/launch-process.ts";
import type { LaunchedContainer } from "../../runtime/launched-container.ts";
import { checkedDescriptors } from "../../runtime/preserved-descriptors.ts";
import { CHANGE_DIRECTORY } from "../../runtime/process-program.ts";
import type { CompiledFilter } from "../../runtime/seccomp/compile.ts";
import { OCI_VERSION } from "../../runtime/state.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError } from "../../sys/error.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { openFile } from "../../sys/named-file.ts";
import { OpenFlag } from "../../sys/open.ts";
import { endsWithin, openIdentified } from "../../sys/process-identity.ts";
import { retellError } from "../../sys/retell-error.ts";
import type { Streams } from "../attach/attachment.ts";
import { recordContainerEvent } from "../events/journal.ts";
import { defaultSeccompFilter } from "../specification/default-seccomp-filter.ts";
import { containerDirectory } from "../state/container-lock.ts";
import { readEnteredConfiguration } from "../state/entered-configuration.ts";
import type { RunningContainer } from "../state/running-container.ts";
import { notRunning } from "./not-running.ts";

/** What a user may ask of a further process. */
export interface ExecOptions {
  readonly command: readonly string[];
  /** What events call it. */
  readonly id: string;
  readonly terminal: boolean;
  /** `NAME=value` entries. */
  readonly environment: readonly string[];
  readonly user: string | undefined;
  readonly workingDirectory: string | undefined;
  readonly privileged: boolean;
  /** Whether whoever starts it leaves at once. */
  readonly detach?: boolean;
  /** How many descriptors from 3 on it gets of this process's. */
  readonly preservedDescriptors?: number;
  readonly consoleSize: { readonly height: number; readonly width: number } | undefined;
}

/**
 * Starts a process in a container.
 * @param streams the ends that it gets for its standard streams; undefined with a terminal
 * @throws BunkerError `container_not_running` and what keeps it from starting
 */
export async function startExec(
  data: string,
  container: RunningContainer,
  options: ExecOptions,
  streams: Streams["inner"] | undefined,
): Promise<LaunchedContainer> {
  const { id, name, pid, startTime, status, summary } = container;
  const isRunning = status === "running" && pid !== undefined && startTime !== undefined;
  const pidfd = isRunning ? openIdentified({ pid, startTime }) : undefined;
  if (!isRunning || pidfd === undefined) throw notRunning("execute in container", container);
  using _pidfd = pidfd;
  const configuration = await readEnteredConfiguration(data, id);
  const { process } = configuration;
  if (process === undefined) throw notRunning("execute in container", container);
  using cgroup = container.cgroup === undefined ? undefined : await joinGroup(container.cgroup, pid);
  const told = { id, name, definition: summary };
  const event = { execID: options.id };
  recordContainerEvent(data, `exec_create: ${options.command.join(" ")}`, told, event);
  const seccomp = await filterFor(configuration, summary.defaultFilter);
  const launched = launchedOrRefused(container, {
    state: { ociVersion: OCI_VERSION, id, status: "running", pid, bundle: containerDirectory(data, id) },
    pidfd,
    configuration,
    process: await processOf(process, pid, configuration.linux?.uidMappings !== undefined, options),
    preservedDescriptors: checkedDescriptors(options.preservedDescriptors ?? 0),
    cgroup: cgroup?.number,
    standardStreams: streams === undefined ? undefined : [streams[0].number, streams[1].number, streams[2].number],
    seccomp,
    passListener:
      seccomp?.listener === undefined ? undefined : (await import("../../runtime/pass-listener.ts")).passListener,
    stayingParent:
      options.detach === true ? new (await import("../../runtime/staying-parent.ts")).StayingParent() : undefined,
    onWarning: undefined,
    onProgram: undefined,
  });
  recordContainerEvent(data, `exec_start: ${options.command.join(" ")}`, told, event);
  return launched;
}

/** Launches a process; where its directory is no use the exit status is what Docker has for that. */
function launchedOrRefused(
  container: RunningContainer,
  process: Parameters<typeof launchProcess>[0],
): LaunchedContainer {
  try {
    return launchProcess(process);
  } catch (error) {
    if (endsWithin(process.pidfd, 0)) throw notRunning("execute in container", container);
    if (!(error instanceof BunkerError) || error.operation !== CHANGE_DIRECTORY) throw error;
    throw retellError(error, { exitStatus: error.errno === Errno.EACCES ? 126 : 127 });
  }
}

async function joinGroup(group: string, pid: number): Promise<FileDescriptor> {
  const { joinContainerGroup } = await import("../../cgroup/join-container-group.ts");
  return joinContainerGroup(group, pid);
}

async function filterFor(configuration: EnteredConfiguration, isDefault: boolean): Promise<CompiledFilter | undefined> {
  if (isDefault) return defaultSeccompFilter();
  if (configuration.linux?.seccomp === undefined) return undefined;
  const { filterOf } = await import("../../runtime/seccomp/filter-of.ts");
  return filterOf(configuration, undefined);
}

async function processOf(
  container: Process,
  pid: number,
  hasUserNamespace: boolean,
  options: ExecOptions,
): Promise<Process> {
  const user = options.user === undefined ? undefined : await userIn(pid, options.user);
  const variables = new Map((container.env ?? []).map((entry) => splitEntry(entry)));
  if (user !== undefined) variables.set("HOME", user.home);
  if (options.terminal && !variables.has("TERM")) variables.set("TERM", "xterm");
  for (const entry of options.environment) variables.set(...splitEntry(entry));
  // Over a user namespace of its own a process can have every capability, whoever started it.
  const everything = hasUserNamespace ? CAPABILITY_NAMES : callersCapabilities();
  return {
    ...container,
    args: [...options.command],
    env: [...variables].map(([name, value]) => `${name}=${value}`),
    cwd: options.workingDirectory ?? container.cwd,
    terminal: options.terminal,
    consoleSize: options.terminal ? options.consoleSize : undefined,
    user:
      user === undefined
        ? container.user
        : { uid: user.uid, gid: user.gid, additionalGids: [...new Set([user.gid, ...user.memberGids])] },
    ...(options.privileged
      ? {
          capabilities: { bounding: everything, effective: everything, permitted: everything },
          apparmorProfile: undefined,
        }
      : {}),
  };
}

function splitEntry(entry: string): [name: string, value: string] {
  const separator = entry.indexOf("=");
  return separator < 0 ? [entry, ""] : [entry.slice(0, separator), entry.slice(separator + 1)];
}

/**
 * Finds a user in the container's own files as they are now.
 * @throws BunkerError as `lookUpUser`, with the exit status that Docker has for that
 */
async function userIn(pid: number, user: string) {
  const { lookUpUser } = await import("../specification/user-lookup.ts");
  const { readInRoot } = await import("../../sys/read-in-root.ts");
  using root = openFile(`/proc/${pid}/root`, OpenFlag.O_PATH | OpenFlag.O_DIRECTORY);
  const read = (path: string) => readInRoot(root.number, path) ?? "";
  try {
    return lookUpUser(user, read("etc/passwd"), read("etc/group"), []);
  } catch (error) {
    if (!(error instanceof BunkerError)) throw error;
    throw retellError(error, { exitStatus: 126 });
  }
}
