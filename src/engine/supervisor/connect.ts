import { encodeText } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import { openAt, unlinkAt } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { connectForMessages, listenForMessages, receiveMessage, sendMessage } from "../../sys/message-socket.ts";
import { openFile } from "../../sys/named-file.ts";
import { AT_FDCWD, OpenFlag } from "../../sys/open.ts";
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
  const opened = openAt(AT_FDCWD, encodeText(path), OpenFlag.O_RDONLY | OpenFlag.O_CLOEXEC);
  if (opened === -Errno.ENOENT) return undefined;
  using directory = new FileDescriptor(check(opened, "open", path));
  const connected = connectForMessages(directory.number, SOCKET_NAME);
  if (typeof connected !== "number") return connected;
  if (connected === -Errno.ENOENT || connected === -Errno.ECONNREFUSED) return undefined;
  check(connected, "connect to the supervisor of container", id);
  return undefined;
}

/**
 * Makes the socket that commands connect to, for a supervisor that is about to be started.
 * @throws BunkerError
 */
export function listenForSupervisor(data: string, id: string): FileDescriptor {
  using directory = openFile(containerDirectory(data, id), OpenFlag.O_RDONLY);
  // Of the supervisor before, if there was one. What cannot be removed is in the way of the new one.
  unlinkAt(directory.number, encodeText(SOCKET_NAME));
  return listenForMessages(directory.number, SOCKET_NAME);
}

/**
 * Says something to a supervisor.
 * @returns false when it has gone
 * @throws BunkerError when it cannot be said
 */
export function tell(socket: FileDescriptor, request: Request, descriptors: readonly number[] = []): boolean {
  const result = sendMessage(socket.number, JSON.stringify(request), descriptors);
  if (result === -Errno.EPIPE || result === -Errno.ECONNRESET) return false;
  check(result, "tell the supervisor", request.kind);
  return true;
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
