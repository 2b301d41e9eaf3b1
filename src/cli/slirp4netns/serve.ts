/*
 * The process that serves: the stack in its loop. It is loaded into a process of its own, service.ts, so it imports
 * nothing that is needed only before, and what few need is loaded when they ask for it.
 *
 * It runs until its exit descriptor says so, its device is deleted, or a signal kills it; there is nothing to clean up that
 * the kernel does not.
 */
import { Stack } from "../../network/stack.ts";
import { Errno, errnoName } from "../../sys/errno.ts";
import { allocate } from "../../sys/memory.ts";
import { Prctl } from "../../sys/prctl.ts";
import { Event, Reactor } from "../../sys/reactor.ts";
import { SystemCall, systemCall } from "../../sys/system-call.ts";
import { reportingErrors } from "./reporting-errors.ts";
import { enterRoot } from "./sandbox-root.ts";
import { readService, type Service } from "./service.ts";
import { SlirpError } from "./slirp-error.ts";

/** Bytes of a process's name with the NUL behind it; prctl(2). */
const NAME_SIZE = 16;

/**
 * Serves the network of a namespace.
 * @param text what `servingWords` has said
 * @returns the exit status
 */
export async function serveNetwork(text: string): Promise<number> {
  setName("slirp4netns");
  return reportingErrors(() => serve(readService(text)));
}

async function serve(service: Service): Promise<void> {
  using reactor = new Reactor();
  using stack = new Stack(reactor, {
    device: service.device,
    configuration: service.network,
    onEnd: (errno) => {
      console.error(`the device ${service.name} is gone: ${errnoName(errno)}`);
      reactor.stop();
    },
  });
  const { apiListener, exitDescriptor, readyDescriptor, sandbox } = service;
  if (apiListener !== undefined) {
    const { ApiSocket } = await import("./api-socket.ts");
    const socket = new ApiSocket(reactor, apiListener, stack, service.network);
    reactor.add(apiListener, Event.IN, () => socket.accept());
  }
  if (exitDescriptor !== undefined && !reactor.add(exitDescriptor, Event.IN | Event.HUP, () => reactor.stop())) {
    throw new SlirpError("exit-fd cannot be waited for");
  }
  const confinement = service.seccomp ? await import("./seccomp.ts") : undefined;
  if (sandbox !== undefined) enterRoot(sandbox);
  confinement?.limitSystemCalls();
  if (readyDescriptor !== undefined) tellReady(readyDescriptor);
  reactor.run();
}

/** Names the process as those expect it who have started it; without this it has the executable's name. */
function setName(name: string): void {
  const memory = allocate(NAME_SIZE);
  memory.buffer.write(name, "latin1");
  systemCall(SystemCall.prctl, Prctl.PR_SET_NAME, memory.address);
}

function tellReady(descriptor: number): void {
  const byte = allocate(1);
  byte.buffer.write("1", "latin1");
  const result = systemCall(SystemCall.write, descriptor, byte.address, 1);
  if (result !== 1) throw new SlirpError(`cannot write to ready-fd: ${errnoName(result < 0 ? -result : Errno.EIO)}`);
  systemCall(SystemCall.close, descriptor);
}
