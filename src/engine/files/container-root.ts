/*
 * The root directory of a container, for a process of ours to work in.
 *
 * Of a container that runs it is what its first process has as root, with everything that is mounted there: it is opened
 * through /proc, and the descriptor leads into the container's mounts without our entering any of its namespaces. Whoever
 * owns the container's user namespace may do that.
 *
 * Of one that does not run, its layers and its bind mounts are put together in a mount namespace of the process's own, as
 * the container would see them; they are gone when it ends. The container's lock is held meanwhile, so that nobody removes it,
 * and whoever starts it waits: two overlays on one writable layer would be the end of both.
 */
import { openSync } from "node:fs";
import type { Slot } from "../../launch/operation.ts";
import type { LaunchProgram } from "../../launch/program.ts";
import type { Configuration, Mount } from "../../runtime/configuration/configuration.ts";
import type { IdMap } from "../../runtime/id-map/id-mapping.ts";
import { planMounts } from "../../runtime/planned-mounts.ts";
import { bindMount } from "../../runtime/steps/mounts.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { AT_FDCWD, OpenFlag } from "../../sys/open.ts";
import { identify } from "../../sys/process-identity.ts";
import { findContainer } from "../lifecycle/find-container.ts";
import { rootMountOf } from "../root-file-system.ts";
import { readConfiguration } from "../state/container-configuration.ts";
import { lockForCopy } from "../state/container-directory.ts";
import { containerDirectory } from "../state/container-lock.ts";
import type { Container } from "../state/containers.ts";
import { namespaceOf } from "./container-layers.ts";

const ROOT_FLAGS = OpenFlag.O_PATH | OpenFlag.O_DIRECTORY | OpenFlag.O_CLOEXEC;
const RETRY_MILLISECONDS = 5;
const PROGRAM_SIZE = 16384;
const FOR_EACH_MOUNT = 8192;

/** How a process comes by a container's root directory. */
export interface ContainerRoot extends Disposable {
  readonly userNamespace: IdMap | undefined;
  /** The root directory; undefined when `mount` has to make it. */
  readonly descriptor: number | undefined;
  /** Emits what mounts it, in a mount namespace of the process's own, and opens it. */
  readonly mount: ((program: LaunchProgram) => Slot) | undefined;
  readonly mountSize: number;
}

/**
 * Opens the root directory of a container.
 * @param isWritten whether files are to be changed in it
 * @throws BunkerError `no_such_container`, `container_removed`, `read_only`
 */
export async function openContainerRoot(
  database: StateDatabase,
  data: string,
  id: string,
  isWritten: boolean,
  signal: AbortSignal,
): Promise<ContainerRoot> {
  for (;;) {
    signal.throwIfAborted();
    const container = findContainer(database, data, id);
    if (container.status === "removing") {
      throw new BunkerError({
        code: "container_removed",
        operation: "open the files of container",
        object: container.name,
        reason: "it is being removed",
        exitStatus: 1,
      });
    }
    const running = openRunning(data, container);
    if (running !== undefined) return running;
    const lock = lockForCopy(data, id);
    // Somebody works on it: another copy, which ends, or a command that starts or removes it.
    if (lock !== undefined) {
      try {
        return planStopped(data, findContainer(database, data, id), isWritten, lock);
      } catch (error) {
        lock[Symbol.dispose]();
        throw error;
      }
    }
    await Bun.sleep(RETRY_MILLISECONDS);
  }
}

function openRunning(data: string, { id, status, pid, startTime }: Container): ContainerRoot | undefined {
  if ((status !== "running" && status !== "paused") || pid === undefined || startTime === undefined) return undefined;
  let opened: number;
  try {
    opened = openSync(`/proc/${pid}/root`, ROOT_FLAGS);
  } catch (error) {
    // It is ending, and has no root any more: the next look tells what has become of the container.
    const errno = errnoOf(error);
    if (errno !== Errno.ENOENT && errno !== Errno.ESRCH) throw error;
    return undefined;
  }
  const descriptor = new FileDescriptor(opened);
  // Another process may have got the number.
  if (identify(pid)?.startTime !== startTime) {
    descriptor.close();
    return undefined;
  }
  return {
    userNamespace: namespaceOf(readConfiguration(data, id)),
    descriptor: descriptor.number,
    mount: undefined,
    mountSize: 0,
    [Symbol.dispose]: () => descriptor.close(),
  };
}

function planStopped(
  data: string,
  { id, name, definition }: Container,
  isWritten: boolean,
  lock: Disposable,
): ContainerRoot {
  const configuration = readConfiguration(data, id);
  const readOnly = configuration.root?.readonly === true;
  if (readOnly && isWritten) {
    throw new BunkerError({
      code: "read_only",
      operation: "write to the files of container",
      object: name,
      reason: "its root file system is read-only",
      exitStatus: 1,
    });
  }
  const userNamespace = namespaceOf(configuration);
  const directory = containerDirectory(data, id);
  const root = rootMountOf(definition.root, { directory, data, ephemeral: definition.remove, readOnly, userNamespace });
  const mounts = planMounts(bindMountsOf(configuration), {
    bundle: directory,
    ownCgroupNamespace: true,
    openIdMapNamespace: ({ destination }) => {
      throw new BunkerError({
        code: "not_mountable",
        operation: "mount for a copy",
        object: destination,
        reason: "its ids are mapped",
        hint: "Start the container first.",
        exitStatus: 1,
      });
    },
  });
  return {
    userNamespace,
    descriptor: undefined,
    mount: (program) => {
      root.mount?.(program);
      const slot = program.slot(`root of ${id}`);
      const what = { operation: "open the root directory of container", object: name };
      program.call("openat", [AT_FDCWD, program.text(root.path), ROOT_FLAGS], what, { result: slot });
      for (const mount of mounts) if (mount.kind === "bind") bindMount(program, slot, mount);
      return slot;
    },
    mountSize: PROGRAM_SIZE + root.mountSize + mounts.length * FOR_EACH_MOUNT,
    [Symbol.dispose]: () => lock[Symbol.dispose](),
  };
}

/** What the user has mounted; not the kernel's file systems, which are nothing without processes. */
function bindMountsOf({ mounts = [] }: Configuration): Mount[] {
  return mounts.filter(
    ({ destination, type, options = [] }) =>
      (type === "bind" || options.includes("bind") || options.includes("rbind")) &&
      !/^\/(?:dev|proc|sys)(?:\/|$)/.test(destination),
  );
}
