import { closeSync, openSync } from "node:fs";
import { encodeText } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import { errnoOf } from "../../sys/error.ts";
import { unlinkAt } from "../../sys/file.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { connectForMessages, listenForMessages, receiveMessage, sendMessage } from "../../sys/message-socket.ts";
import { check } from "../../sys/system-call.ts";
import { containerDirectory } from "../state/container-lock.ts";
import { type Answer, type Exit, parseAnswer } from "./parse-answer.ts";
import { type Request, SOCKET_NAME } from "./protocol.ts";

/**
 * Connects to a container's supervisor.
 * @returns undefined when the container has none
 * @throws BunkerError
 */
export function connectToSupervisor(data: string, id: string): FileDescriptor | undefined {
  const path = containerDirectory(data, id);
  let directory: number;
  try {
    directory = openSync(path, "r");
  } catch (error) {
    if (errnoOf(error) === Errno.ENOENT) return undefined;
    throw error;
  }
  try {
    const connected = connectForMessages(directory, SOCKET_NAME);
    if (typeof connected !== "number") return connected;
    if (connected === -Errno.ENOENT || connected === -Errno.ECONNREFUSED) return undefined;
    check(connected, "connect to the supervisor of container", id);
    return undefined;
  } finally {
    closeSync(directory);
  }
}

/**
 * Makes the socket that commands connect to, for a supervisor that is about to be started.
 * @throws BunkerError
 */
export function listenForSupervisor(data: string, id: string): FileDescriptor {
  const directory = openSync(containerDirectory(data, id), "r");
  try {
    // Of the supervisor before, if there was one. What cannot be removed is in the way of the new one.
    unlinkAt(directory, encodeText(SOCKET_NAME));
    return listenForMessages(directory, SOCKET_NAME);
  } finally {
    closeSync(directory);
  }
}

/**
 * Says something to a supervisor.
 * @returns false when it has gone
 */
export function tell(socket: FileDescriptor, request: Request, descriptors: readonly number[] = []): boolean {
  return sendMessage(socket.number, JSON.stringify(request), descriptors) === 0;
}

/** Waits for a supervisor's next answer; undefined when it has gone without one. */
export function nextAnswer(socket: FileDescriptor): Answer | undefined {
  for (;;) {
    const received = receiveMessage(socket.number, true);
    if (received.kind !== "message") return undefined;
    const answer = parseAnswer(received.text);
    if (answer !== undefined) return answer;
  }
}

/**
 * Waits for a container's end.
 * @returns how it ended, or undefined when the supervisor has gone without saying it
 */
export function waitForEnd(socket: FileDescriptor): Exit | undefined {
  if (!tell(socket, { kind: "wait" })) return undefined;
  for (let answer = nextAnswer(socket); answer !== undefined; answer = nextAnswer(socket)) {
    if (answer.kind === "exit") return answer;
  }
  return undefined;
}
