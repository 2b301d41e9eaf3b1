import { existsSync, readSync, rmSync } from "node:fs";
import * as v from "valibot";
import { internalCommand } from "../../engine/internal-command.ts";
import { killFirstProcess } from "../../engine/lifecycle/kill-first-process.ts";
import type { Ownership } from "../../engine/ownership.ts";
import { readLayeredFile } from "../../mount/layered-file.ts";
import { formatConfiguration } from "../../runtime/configuration/configuration.ts";
import { BunkerError } from "../../sys/error.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { makeSharedDirectory, putSharedText } from "../../sys/named-file.ts";
import { removeTree } from "../../sys/remove-tree.ts";
import { removeMountStubs } from "./mount-stubs.ts";
import { planRun, type RunSettings } from "./run-configuration.ts";
import { REPORT_DESCRIPTOR, type RunEnd, type RunRequest, runReportSchema } from "./run-request.ts";

/** Where a RUN happens. */
export interface RunStage {
  /** Bunker's data directory. */
  readonly data: string;
  readonly ownership: Ownership;
  /** A directory of its own; the files that the command changes are in its `diff` afterwards, and nothing else is in it. */
  readonly staging: string;
  /** The directories of the layers, the uppermost first; at least one. */
  readonly lower: readonly string[];
  readonly signal: AbortSignal;
  readonly onOutput: (stream: 1 | 2, bytes: Uint8Array) => void;
}

/**
 * Runs a command in a container over some layers.
 * @throws BunkerError `step_failed` when the command ends with another status than 0, and what keeps it from running
 */
export async function executeRun(settings: RunSettings, stage: RunStage): Promise<void> {
  const { staging, lower, data, signal } = stage;
  const [upper, work, root] = ["diff", "work", "root"].map((name) => `${staging}/${name}`) as [string, string, string];
  for (const path of [upper, work, root]) if (!existsSync(path)) makeSharedDirectory(path, 0o755);
  const { configuration, network, defaultFilter } = planRun(settings, {
    ownership: stage.ownership,
    rootPath: root,
    directory: staging,
    readFile: (path) => readLayeredFile(lower, path),
    writeFile: (name, text) => {
      putSharedText(`${staging}/${name}`, text, 0o644);
      return `${staging}/${name}`;
    },
  });
  const request: RunRequest = {
    ...{ id: settings.id, configuration: formatConfiguration(configuration), directory: staging, data },
    ...{ lower: [...lower], upper, work, root, defaultFilter, network },
    ...(settings.cgroupParent === undefined ? {} : { cgroupParent: settings.cgroupParent }),
  };
  await runInProcess(settings.words, request, stage);
  signal.throwIfAborted();
  removeMountStubs(
    upper,
    lower,
    (configuration.mounts ?? []).map(({ destination }) => destination),
  );
  for (const name of ["work.boot", "hosts", "hostname", "resolv.conf"]) rmSync(`${staging}/${name}`, { force: true });
  for (const path of [work, root]) removeTree(path);
}

async function runInProcess(words: readonly string[], request: RunRequest, stage: RunStage): Promise<void> {
  const { signal, onOutput } = stage;
  signal.throwIfAborted();
  const child = Bun.spawn({
    ...internalCommand(["build-run"]),
    stdio: [Buffer.from(JSON.stringify(request)), "pipe", "pipe", "pipe"],
  });
  using report = new FileDescriptor(child.stdio[REPORT_DESCRIPTOR] ?? -1);
  const giveUp = () => report.close();
  signal.addEventListener("abort", giveUp);
  let end: RunEnd | undefined;
  try {
    [end] = await Promise.all([
      // Before the output is over, which the command may hold.
      child.exited.then(() => (report.isClosed ? undefined : endIn(report))),
      copyOutput(child.stdout, (bytes) => onOutput(1, bytes)),
      copyOutput(child.stderr, (bytes) => onOutput(2, bytes)),
    ]);
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
  signal.throwIfAborted();
  if (end === undefined) {
    throw new BunkerError({
      code: "helper_lost",
      operation: "run",
      object: shown(words),
      reason: "the process that ran it was killed, and the command with it",
      exitStatus: 1,
    });
  }
  if ("failure" in end) {
    const { code, message, hint } = end.failure;
    throw new BunkerError({ code, operation: message, hint, exitStatus: 1 });
  }
  if (end.exitStatus === 0) return;
  throw new BunkerError({
    code: "step_failed",
    operation: `process "${shown(words)}" did not complete successfully: exit code: ${end.exitStatus}`,
    exitStatus: 1,
  });
}

async function copyOutput(stream: ReadableStream<Uint8Array>, take: (bytes: Uint8Array) => void): Promise<void> {
  for await (const bytes of stream) take(bytes);
}

/** How a command has ended; undefined when the process that ran it was killed, and then this kills the command. */
function endIn(report: FileDescriptor): RunEnd | undefined {
  const lines = readWaiting(report.number).split("\n").slice(0, -1);
  const last = lines.map((line) => v.parse(runReportSchema, JSON.parse(line))).at(-1);
  if (last === undefined || !("pid" in last)) return last;
  // The kernel has not if its process has changed its user.
  killFirstProcess(last);
  return undefined;
}

/** What was written to the other end of a pipe whose writer has ended. */
function readWaiting(descriptor: number): string {
  const pieces: Buffer[] = [];
  const buffer = Buffer.alloc(4096);
  for (;;) {
    const length = readSync(descriptor, buffer);
    if (length === 0) return Buffer.concat(pieces).toString();
    pieces.push(Buffer.from(buffer.subarray(0, length)));
  }
}

/** A command in one line, as messages have it. */
function shown(words: readonly string[]): string {
  return words.join(" ");
}
