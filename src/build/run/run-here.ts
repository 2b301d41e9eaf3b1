/*
 * The process of one RUN: `bunker internal build-run`, a child of the process that builds.
 *
 * A RUN is a container without a record: it is launched as every other is, and is gone with its end. This process is its
 * parent; it serves the container's network in the one loop that can, waits for the end, and says how it ended. The
 * container has the standard output and error of this process, which are pipes that the builder reads, and no input.
 *
 * With limits, or a place for it, the container gets a cgroup as those of `run` do; where there is none to be had this
 * process keeps it to its limits by watching, as a supervisor does.
 *
 * Killing. This process says at first which one the container's is, and in the end how it ended, on a descriptor whose
 * other end the builder closes when it gives up, and the kernel when the builder dies: then this process kills the
 * container. When this process dies the kernel does, with the whole pid namespace, or else the builder, since the kernel
 * does not where the first process has changed its user. So nothing runs on, whoever of the two is killed; what is left is
 * a directory in the cache's `tmp/`, and a cgroup that was made by hand (group-record.ts).
 */
import { openSync, readFileSync, writeSync } from "node:fs";
import * as v from "valibot";
import { removeGroupMadeByHand } from "../../cgroup/group-by-hand.ts";
import { ownLink } from "../../engine/network/container-links.ts";
import { openDevice } from "../../engine/network/network-device.ts";
import { defaultSeccompFilter } from "../../engine/specification/default-seccomp-filter.ts";
import { mountOverlay, overlayProgramSize } from "../../mount/overlay.ts";
import { Stack } from "../../network/stack.ts";
import { type Configuration, parseConfiguration } from "../../runtime/configuration/configuration.ts";
import { launchContainer } from "../../runtime/launch-container.ts";
import { filterOf } from "../../runtime/seccomp/filter-of.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { FileDescriptor as OpenFile } from "../../sys/file-descriptor.ts";
import { waitForExit } from "../../sys/process.ts";
import { identify, sendSignal } from "../../sys/process-identity.ts";
import { Event, Reactor } from "../../sys/reactor.ts";
import { Signal } from "../../sys/signal.ts";
import { recordGroup } from "./group-record.ts";
import { REPORT_DESCRIPTOR, type RunEnd, type RunRequest, type RunStart, runRequestSchema } from "./run-request.ts";

/** Runs what the request on standard input says. */
export async function runHere(): Promise<void> {
  const request = v.parse(runRequestSchema, JSON.parse(readFileSync(0, "utf8")));
  report(await endOf(request));
}

function report(what: RunStart | RunEnd): void {
  try {
    writeSync(REPORT_DESCRIPTOR, `${JSON.stringify(what)}\n`);
  } catch (error) {
    // The builder has given up.
    if (errnoOf(error) !== Errno.EPIPE) throw error;
  }
}

async function endOf(request: RunRequest): Promise<RunEnd> {
  try {
    return await run(request);
  } catch (error) {
    if (!(error instanceof BunkerError)) throw error;
    const { code, message, hint } = error;
    return { failure: { code, message, ...(hint === undefined ? {} : { hint }) } };
  }
}

async function run({
  id,
  data,
  directory,
  lower,
  upper,
  work,
  root,
  network,
  ...request
}: RunRequest): Promise<RunEnd> {
  // Given back last: the network leaves it before.
  using reactor = new Reactor();
  using cleanup = new DisposableStack();
  const nothing = cleanup.use(new OpenFile(openSync("/dev/null", "r")));
  const configuration = parseConfiguration(request.configuration, "of the step");
  const hasUserNamespace = configuration.linux?.uidMappings !== undefined;
  const limits = await limitsOf(id, configuration, request.cgroupParent);
  const group = limits?.groupByHand;
  // Removed when the cgroup is.
  if (group !== undefined) cleanup.use(recordGroup({ data, id, group }, directory));
  let device: FileDescriptor | undefined;
  let settleGroup: (() => string | undefined) | undefined;
  const { pid, pidfd } = cleanup.use(
    launchContainer({
      id,
      configuration: { ...configuration, process: limits?.process ?? configuration.process },
      bundle: directory,
      // A layer of a build needs not survive a crash: what of it has to is brought to the disk at the end of the build.
      mountRoot: (program) =>
        mountOverlay(program, data, { lower, changes: { upper, work, volatile: true }, target: root }),
      mountSize: overlayProgramSize({ lower }),
      standardStreams: [nothing.number, 1, 2],
      seccomp: request.defaultFilter ? defaultSeccompFilter : () => filterOf(configuration, undefined),
      dieWithParent: true,
      onNamespaces: (namespaces, { container }) => {
        settleGroup = limits?.beginGroup?.({ container, supervisor: process.pid });
        if (network !== undefined) {
          const place = { network: namespaces.network, user: hasUserNamespace ? namespaces.user : undefined };
          device = openDevice(ownLink(network, undefined), place);
        }
      },
      beforeGoingOn: () => {
        const group = settleGroup?.();
        if (group !== undefined) cleanup.defer(() => removeGroupMadeByHand(group, id));
      },
      changesCgroup: limits?.beginGroup !== undefined,
    }),
  );
  const startTime = identify(pid)?.startTime;
  if (startTime !== undefined) report({ pid, startTime });
  if (limits?.soft !== undefined) {
    const { SoftLimiter } = await import("../../engine/supervisor/soft-limiter.ts");
    cleanup.use(new SoftLimiter(reactor, limits.soft, { pid, pidNamespace: "own" }, () => undefined));
  }
  if (network !== undefined && device !== undefined) {
    cleanup.use(device);
    // A process that has deleted its device has no network any more, which is its own affair.
    cleanup.use(new Stack(reactor, { device: device.number, configuration: network, onEnd: () => {} }));
  }
  reactor.add(pidfd.number, Event.IN, () => reactor.stop());
  // Nothing is wanted but to learn that nobody listens any more.
  reactor.add(REPORT_DESCRIPTOR, 0, () => {
    reactor.remove(REPORT_DESCRIPTOR);
    sendSignal(pidfd, Signal.SIGKILL);
  });
  reactor.run();
  const end = waitForExit(pid);
  return "exitCode" in end ? { exitStatus: end.exitCode } : { exitStatus: 128 + end.signal, signal: end.signal };
}

/** What keeps the container to its limits; most have none, and need none of that code. */
async function limitsOf(id: string, configuration: Configuration, parent: string | undefined) {
  if (configuration.linux?.resources === undefined && parent === undefined) return undefined;
  const { containerResources } = await import("../../engine/lifecycle/container-resources.ts");
  return containerResources(id, { cgroups: { mode: "enabled", parent } }, configuration, undefined);
}
