/*
 * `run`: makes a container, starts it under a supervisor of its own, and, in the foreground, stays attached to it. When
 * this command is there at the container's end, it records the end and removes a container of `--rm`, since it has the
 * code for that in memory; else the supervisor does.
 */

import { checkTerminal, receiveSignals } from "./attach/attachment.ts";
import { attendContainer } from "./attach/attend-container.ts";
import { dataDirectory } from "./data-directory.ts";
import { beginStart } from "./lifecycle/begin-start.ts";
import { type CreationCallbacks, createContainer } from "./lifecycle/create-container.ts";
import { removeFiles } from "./lifecycle/remove-container.ts";
import { startContainer } from "./lifecycle/start-container.ts";
import type { RunOptions } from "./specification/run-options.ts";
import { openContainers } from "./state/containers.ts";

/** How `run` is attached to its container. */
export interface RunAttachment {
  readonly detachKeys: Uint8Array;
  /** Whether signals that the command gets go to the container. */
  readonly proxiesSignals: boolean;
  /** Told the container's id before it starts: for `--cidfile`. */
  readonly onCreated: (id: string) => void;
  /** How many descriptors from 3 on the container gets of this process's. */
  readonly preservedDescriptors: number;
  /** Told the exit status when the command has nothing left to do but to end with it; it need not return. */
  readonly leave: (exitStatus: number) => void;
}

/**
 * Runs a container in the foreground.
 * @returns its exit status, 128 plus the signal's number if it was killed; 0 when the user has detached from it
 * @throws BunkerError
 */
export async function runContainer(
  options: RunOptions,
  attachment: RunAttachment,
  callbacks: CreationCallbacks,
): Promise<number> {
  checkTerminal(options);
  const data = dataDirectory();
  using database = openContainers(data);
  // A restart policy is the supervisor's business.
  const recordsEnd = options.restart.name === "no";
  const takesInput = options.attached.input && options.interactive;
  const { preservedDescriptors } = attachment;
  const container = await createContainer(database, data, options, callbacks, (made) =>
    beginStart(data, made, { recordsEnd, takesInput, preservedDescriptors }),
  );
  using _lock = container.lock;
  using _begun = container.begun;
  // Until now a signal has ended this process, as it should; from here on signals are the container's.
  using signals = receiveSignals(attachment.proxiesSignals);
  const wanted = {
    ...options.attached,
    input: takesInput,
    terminal: options.terminal,
    detachKeys: attachment.detachKeys,
    signals,
  };
  let started: Awaited<ReturnType<typeof startContainer>>;
  try {
    attachment.onCreated(container.id);
    started = await startContainer(database, data, container, {
      attachment: wanted,
      recordsEnd,
      preservedDescriptors,
      restartDelay: 0,
      // The default profile names calls of every architecture; only a user's own profile deserves a word about them.
      onWarning: options.security.seccomp === undefined ? undefined : callbacks.onWarning,
      onDeviceWarning: callbacks.onWarning,
      onUnkeptLimits: callbacks.onWarning,
      onProgram: options.debugLaunch ? (program) => process.stderr.write(`${program.describe()}\n`) : undefined,
    });
  } catch (error) {
    if (options.remove) removeFiles(database, data, container, true);
    throw error;
  }
  return await attendContainer(database, data, container, started, wanted, recordsEnd, attachment.leave);
}

/**
 * Runs a container in the background.
 * @returns its id
 * @throws BunkerError
 */
export async function runDetached(
  options: RunOptions,
  { onCreated, preservedDescriptors }: Pick<RunAttachment, "onCreated" | "preservedDescriptors">,
  callbacks: CreationCallbacks,
): Promise<string> {
  const data = dataDirectory();
  using database = openContainers(data);
  const container = await createContainer(database, data, options, callbacks, (made) =>
    beginStart(data, made, { recordsEnd: false, takesInput: false, preservedDescriptors }),
  );
  using _lock = container.lock;
  using _begun = container.begun;
  onCreated(container.id);
  try {
    const started = await startContainer(database, data, container, {
      attachment: undefined,
      recordsEnd: false,
      preservedDescriptors,
      restartDelay: 0,
      onWarning: options.security.seccomp === undefined ? undefined : callbacks.onWarning,
      onDeviceWarning: callbacks.onWarning,
      onUnkeptLimits: callbacks.onWarning,
      onProgram: options.debugLaunch ? (program) => process.stderr.write(`${program.describe()}\n`) : undefined,
    });
    started.socket.close();
  } catch (error) {
    if (options.remove) removeFiles(database, data, container, true);
    throw error;
  }
  return container.id;
}

/**
 * Makes a container that a later command starts.
 * @returns its id
 * @throws BunkerError
 */
export async function createOnly(options: RunOptions, callbacks: CreationCallbacks): Promise<string> {
  const data = dataDirectory();
  using database = openContainers(data);
  const { id, lock } = await createContainer(database, data, options, callbacks);
  lock[Symbol.dispose]();
  return id;
}
