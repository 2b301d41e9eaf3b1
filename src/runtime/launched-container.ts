/*
 * The end of every launch of a container's process, its first or a further one: the conversation is led until the
 * command is executed, and then either everything belongs to one object, or nothing of the process is left.
 */
import { type LaunchedProcess, readFailure } from "../launch/launch.ts";
import type { LaunchProgram } from "../launch/program.ts";
import type { FileDescriptor } from "../sys/file-descriptor.ts";
import { receiveDescriptor } from "../sys/socket.ts";
import { abandon, type Conversation, failureOf } from "./conversation.ts";

/** A container whose process waits at its gate, or runs. */
export interface LaunchedContainer extends Disposable {
  readonly pid: number;
  readonly pidfd: FileDescriptor;
  /** The terminal's master, if the configuration asks for one. */
  readonly terminal: FileDescriptor | undefined;
  /** To decode a failure that the process reports after the gate. */
  readonly program: LaunchProgram;
  /** Our child that is the container's parent, if there is one; its end is ours to wait for. */
  readonly supervisor?: LaunchedProcess | undefined;
}

/** The container's process, as far as the conversation has come. */
interface FoundProcess {
  readonly pid: number;
  readonly pidfd: FileDescriptor;
}

/** What is said in a conversation, besides what is said in all. */
export interface Talk {
  /**
   * What comes before the terminal.
   * @param found is to be called with the container's process as soon as it turns out to be another than the launched one
   */
  readonly begin: (found: (process: FoundProcess) => void) => void;
  readonly hasTerminal: boolean;
  /** What comes after it, until the command is executed or the process waits at its gate. */
  readonly finish: (process: FoundProcess) => void;
  /** Whether the launched process stays, as the parent of the container's. */
  readonly isSupervised: boolean;
  /** The launched process if it is to reap the container's: disposing of this lets it go. */
  readonly stayingParent?: Disposable | undefined;
}

/**
 * Leads a conversation to its end.
 * @returns the process, which from then on owns the program and all descriptors but the conversation's socket
 * @throws BunkerError; nothing is left of the process then
 */
export function leadToExec(conversation: Conversation, talk: Talk): LaunchedContainer {
  const { child, program } = conversation;
  const { isSupervised, stayingParent } = talk;
  const owned = new DisposableStack();
  owned.use(program);
  let process: FoundProcess = child;
  try {
    talk.begin((found) => {
      process = found;
    });
    const terminal = talk.hasTerminal ? owned.use(receiveTerminal(conversation)) : undefined;
    talk.finish(process);
    child.errors.close();
    if (isSupervised) owned.use(child.pidfd);
    else if (process !== child) child.pidfd.close();
    owned.use(process.pidfd);
    return {
      ...process,
      terminal,
      program,
      supervisor: isSupervised ? child : undefined,
      [Symbol.dispose]: () => owned.dispose(),
    };
  } catch (error) {
    abandon(child, process, stayingParent);
    owned.dispose();
    throw error;
  }
}

function receiveTerminal(conversation: Conversation): FileDescriptor {
  const terminal = receiveDescriptor(conversation.socket.number);
  if (terminal === undefined) throw failureOf(conversation);
  return terminal;
}

/**
 * Waits until the process has executed its command.
 * @throws BunkerError: what the program failed with
 */
export function awaitExec({ child, program }: Conversation): void {
  const failure = readFailure(child, program);
  if (failure !== undefined) throw failure;
}
