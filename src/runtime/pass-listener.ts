import type { Slot } from "../launch/operation.ts";
import { BunkerError } from "../sys/error.ts";
import { FileDescriptor } from "../sys/file-descriptor.ts";
import { endsWithin } from "../sys/process-identity.ts";
import { connectUnix, sendDescriptors } from "../sys/socket.ts";
import { SystemCall, systemCall } from "../sys/system-call.ts";
import { type Conversation, failureOf, NOTING_SECONDS } from "./conversation.ts";
import { OCI_VERSION, type State } from "./state.ts";

/**
 * Fetches the seccomp listener from the child and sends it, with the container's state, to its agent.
 * @param slot where the program stores the listener's descriptor, plus one
 * @throws BunkerError
 */
export function passListener(
  conversation: Conversation,
  slot: Slot,
  container: { readonly pid: number; readonly pidfd: FileDescriptor },
  listener: { readonly path: string; readonly metadata: string | undefined },
  state: State,
): void {
  // The child cannot say that the filter is there: it may already wait for the agent's answer in its next call.
  while (conversation.program.read(slot) === 0) {
    if (endsWithin(container.pidfd, NOTING_SECONDS)) throw failureOf(conversation);
  }
  const number = conversation.program.read(slot) - 1;
  const fetched = systemCall(SystemCall.pidfd_getfd, container.pidfd.number, number, 0);
  if (fetched < 0) {
    throw new BunkerError({
      code: "seccomp_listener_refused",
      operation: "take the seccomp listener of",
      object: `process ${container.pid}`,
      errno: -fetched,
      hint: "a kernel.yama.ptrace_scope above 1 forbids it",
    });
  }
  using descriptor = new FileDescriptor(fetched);
  using agent = connectUnix(listener.path);
  const message = {
    ociVersion: OCI_VERSION,
    fds: ["seccompFd"],
    pid: container.pid,
    metadata: listener.metadata ?? "",
    state,
  };
  sendDescriptors(agent.number, Buffer.from(JSON.stringify(message)), [descriptor.number]);
}
