import { openMadeGroup } from "../../cgroup/runtime-group.ts";
import { BunkerError } from "../../sys/error.ts";
import { endsWithin, sendSignal } from "../../sys/process-identity.ts";
import { Signal } from "../../sys/signal.ts";
import type { Configuration, Process } from "../configuration/configuration.ts";
import { launchProcess } from "../launch-process.ts";
import type { LaunchedContainer } from "../launched-container.ts";
import { passListener } from "../pass-listener.ts";
import { checkedDescriptors } from "../preserved-descriptors.ts";
import { filterOf } from "../seccomp/filter-of.ts";
import { containerCgroup } from "./container-cgroup.ts";
import { openContainerProcess } from "./container-processes.ts";
import type { ContainerDirectory } from "./container-record.ts";
import { checkTerminal, handOver, writePidFile } from "./create-container.ts";
import { furtherProcessWithHome } from "./home-variable.ts";

/** What `exec` is told. */
export interface ExecOptions {
  readonly configuration: Configuration;
  readonly process: Process;
  readonly consoleSocket: string | undefined;
  /** Whether somebody here takes the terminal, so that no socket is needed. */
  readonly keepsTerminal: boolean;
  readonly pidFile: string | undefined;
  readonly preservedDescriptors: number;
  /** The cgroup from the container's own, "" for that itself; undefined for that of the container's first process. */
  readonly groupBelow: string | undefined;
  /** Whether the process is started also while the container is paused, to begin when that ends. */
  readonly ignoresPause: boolean;
  /** Receives what --debug shows. */
  readonly onDebug: ((message: string) => void) | undefined;
}

/**
 * Starts a further process in a container.
 * @returns the process, a child of this one, which has executed its command
 * @throws BunkerError; nothing is left of the process then
 */
export function execInContainer(directory: ContainerDirectory, options: ExecOptions): LaunchedContainer {
  checkTerminal(options.process.terminal === true, options);
  const { onDebug } = options;
  using pidfd = openContainerProcess(directory, "execute in");
  const state = directory.state();
  if (state.status === "paused" && !options.ignoresPause) {
    throw new BunkerError({
      code: "container_paused",
      operation: "execute in container",
      object: directory.id,
      reason: "it is paused",
      hint: "resume it first, or use --ignore-paused",
    });
  }
  const { groupBelow } = options;
  const group = groupBelow === undefined ? directory.record()?.group : containerCgroup(directory, "execute in");
  using cgroup = group === undefined ? undefined : openMadeGroup(group, state.pid, groupBelow);
  const launched = launchProcess({
    state,
    cgroup: cgroup?.number,
    pidfd,
    configuration: options.configuration,
    process: furtherProcessWithHome(options.process, state.pid),
    preservedDescriptors: checkedDescriptors(options.preservedDescriptors),
    seccomp: filterOf(options.configuration, onDebug),
    passListener,
    onWarning: onDebug,
    onProgram: onDebug === undefined ? undefined : (program) => onDebug(program.describe()),
  });
  try {
    if (options.pidFile !== undefined) writePidFile(options.pidFile, launched.pid);
    handOver(launched.terminal, options.consoleSocket);
    return launched;
  } catch (error) {
    sendSignal(launched.pidfd, Signal.SIGKILL);
    endsWithin(launched.pidfd, 10);
    launched[Symbol.dispose]();
    throw error;
  }
}
