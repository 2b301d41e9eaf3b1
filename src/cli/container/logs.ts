import { dataDirectory } from "../../engine/data-directory.ts";
import { afterLoss } from "../../engine/lifecycle/after-loss.ts";
import { lookUpContainer } from "../../engine/lifecycle/find-container.ts";
import { supervisorOf } from "../../engine/lifecycle/stop-container.ts";
import { JsonFileReader } from "../../engine/log/json-file-reader.ts";
import { logFile } from "../../engine/log/log-file.ts";
import type { LogQuery, LogReader } from "../../engine/log/log-query.ts";
import { containerDirectory } from "../../engine/state/container-lock.ts";
import { type Container, openContainers } from "../../engine/state/containers.ts";
import { nextAnswer, tell } from "../../engine/supervisor/connect.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { encodeText } from "../../sys/byte-string.ts";
import { DirectoryWatch } from "../../sys/directory-watch.ts";
import { errnoName } from "../../sys/errno.ts";
import { BunkerError } from "../../sys/error.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { endsWithin } from "../../sys/process-identity.ts";
import { Event, Reactor } from "../../sys/reactor.ts";
import { defineCommand } from "../command.ts";
import { parseNanoseconds } from "../filters/point-in-time.ts";
import { shortId } from "../format/short-id.ts";
import { InvalidValue } from "../invalid-value.ts";
import { flag, single } from "../option.ts";
import { namedOrLatest } from "./latest-container.ts";
import { latestOption } from "./latest-option.ts";
import { LogPrinter } from "./log-printer.ts";

/** Of the terminal, by which the names of several containers differ. */
const COLOURS = [37, 31, 32, 33, 34, 35, 36];

/** `bunker logs`. */
export const logs = defineCommand(
  {
    options: {
      latest: latestOption,
      follow: flag({ name: "follow", short: "f", description: "Go on with what comes, until the container ends" }),
      since: single({
        name: "since",
        valueName: "TIME",
        description: "Only from a time on: a date, or so long before now (10m)",
        parse: (text) => parseNanoseconds(text, Date.now()),
      }),
      until: single({
        name: "until",
        valueName: "TIME",
        description: "Only up to a time",
        parse: (text) => parseNanoseconds(text, Date.now()),
      }),
      tail: single({
        name: "tail",
        short: "n",
        valueName: "NUMBER",
        description: "Only so many lines from the end, or all",
        parse: parseTail,
        initial: undefined,
        initialText: "all",
      }),
      timestamps: flag({ name: "timestamps", short: "t", description: "Show when each line was written" }),
      names: flag({ name: "names", description: "Begin each line with its container's name" }),
      color: flag({ name: "color", description: "Show the names of several containers in different colours" }),
      details: flag({ name: "details", description: "Show extra attributes; there are none" }),
    },
    insteadOfFirst: ["latest"],
    required: ["CONTAINER"],
    optional: "[CONTAINER...]",
  },
  async ({ options, operands }) => {
    if (options.latest && operands.length > 1) {
      throw new BunkerError({
        code: "conflicting_options",
        operation: "names of containers and --latest exclude each other",
      });
    }
    const data = dataDirectory();
    using database = openContainers(data);
    using cleanup = new DisposableStack();
    const containers = operands.map((reference) => namedOrLatest(database, data, reference, options));
    const logs = [];
    for (const [index, container] of containers.entries()) {
      const reader = cleanup.use(await readerOf(container, data, options));
      const printer = new LogPrinter(options, headOf(container, index, containers.length > 1, options));
      // Before the first read, so that nothing falls between it and the watches.
      const watched = options.follow ? reader.directories : [];
      const watches = watched.map((directory) => cleanup.use(new DirectoryWatch(encodeText(directory))));
      const found = supervisorOf(database, data, container.id);
      const socket = found === undefined ? undefined : cleanup.use(found);
      logs.push({ container, reader, printer, watches, socket });
    }
    for (const { reader, printer } of logs) {
      await reader.readPresent(options.tail, (record) => printer.add(record));
      printer.flush();
    }
    const followed = logs.flatMap(({ watches, socket, reader, printer }) => {
      if (!options.follow || socket === undefined) return [];
      const read = async () => {
        await reader.readAdded((record) => printer.add(record));
        printer.flush();
        return !reader.isOver;
      };
      return [{ watches, socket, read }];
    });
    await follow(followed);
    for (const { container, socket } of logs) {
      const told = options.follow ? lossAtEnd(database, data, container, socket) : lossUntilNow(container, socket);
      if (told === "") continue;
      const { warning } = await import("../messages.ts");
      warning(`container ${container.name}: ${told}`);
    }
    return 0;
  },
);

/** What stands before each line of a container: of several their names or ids. */
function headOf(
  { id, name }: Container,
  index: number,
  isOneOfSeveral: boolean,
  { color, names }: { readonly color: boolean; readonly names: boolean },
): string {
  if (!isOneOfSeveral && !names) return "";
  const shown = names ? name : shortId(id);
  return color ? `\x1b[${COLOURS[index % COLOURS.length]}m${shown}\x1b[0m ` : `${shown} `;
}

/** @throws BunkerError `no_log` for a container whose output is nowhere */
async function readerOf({ id, name, definition }: Container, data: string, query: LogQuery): Promise<LogReader> {
  const { driver } = definition.log;
  if (driver === "none") {
    throw new BunkerError({
      code: "no_log",
      operation: "read the log of container",
      object: name,
      reason: "it has the log driver none",
      exitStatus: 1,
    });
  }
  if (driver !== "journald") return new JsonFileReader(logFile(containerDirectory(data, id), id), query);
  const [{ journalDirectories, JournalReader }, { warning }] = await Promise.all([
    import("../../engine/log/journal/journal-reader.ts"),
    import("../messages.ts"),
  ]);
  return new JournalReader({ id, name, directories: journalDirectories() }, query, warning);
}

function parseTail(text: string): number | undefined {
  if (text === "all" || /^-\d+$/.test(text)) return undefined;
  if (!/^\d+$/.test(text)) throw new InvalidValue("expected a number of lines, or all");
  return Number(text);
}

/** What the log of a container lacks, as its supervisor says if it runs, and else the record of its end; "" for nothing. */
function lossUntilNow({ error }: Container, socket: FileDescriptor | undefined): string {
  return (socket === undefined ? "" : lossInAnswer(socket, "status")) || error;
}

/** The same of a log that was followed; one that is over may be a running container's. */
function lossAtEnd(
  database: StateDatabase,
  data: string,
  container: Container,
  socket: FileDescriptor | undefined,
): string {
  if (socket === undefined) return container.error;
  // It was asked to tell of the end.
  if (!endsWithin(socket, 0)) return "";
  const told = lossInAnswer(socket, "exit");
  if (told !== undefined) return told || (lookUpContainer(database, data, container.id)?.error ?? "");
  const left = afterLoss(database, data, container);
  return left?.error ?? "its supervisor has gone without a word of how the container ended";
}

/** What a supervisor says of output that it could not log, in an answer of this kind; undefined without such an answer. */
function lossInAnswer(socket: FileDescriptor, kind: "status" | "exit"): string | undefined {
  if (kind === "status") tell(socket, { kind });
  for (let answer = nextAnswer(socket); answer !== undefined; answer = nextAnswer(socket)) {
    if (answer.kind !== kind) continue;
    const { lostBytes, lostErrno } = answer;
    if (lostBytes === 0) return "";
    const reason = lostErrno === undefined ? "" : `: ${errnoName(lostErrno)}`;
    return `${lostBytes} bytes of the log could not be written${reason}`;
  }
  return undefined;
}

interface FollowedLog {
  readonly watches: readonly DirectoryWatch[];
  /** To the container's supervisor. */
  readonly socket: FileDescriptor;
  /** Reads what has been added; false when that was all. */
  readonly read: () => Promise<boolean>;
}

/** Reads from logs whenever something was written to them, until that was all or the containers have ended. */
async function follow(logs: readonly FollowedLog[]): Promise<void> {
  using reactor = new Reactor();
  /** Those of which there may be more to read. */
  const ready = new Set(logs);
  /** Those whose container goes on. */
  const growing = new Set(logs);
  const forget = ({ watches, socket }: FollowedLog) => {
    for (const { descriptor } of watches) reactor.remove(descriptor.number);
    reactor.remove(socket.number);
  };
  for (const log of logs) {
    const { watches, socket } = log;
    const readSoon = () => {
      ready.add(log);
      // Reading may be asynchronous, which nothing is in the reactor.
      reactor.stop();
    };
    tell(socket, { kind: "wait" });
    for (const watch of watches) {
      reactor.add(watch.descriptor.number, Event.IN, () => {
        watch.acknowledge();
        readSoon();
      });
    }
    reactor.add(socket.number, Event.IN, () => {
      // The exit, or the supervisor's death: the log is complete.
      growing.delete(log);
      forget(log);
      readSoon();
    });
  }
  for (;;) {
    for (const log of ready) {
      if (!(await log.read()) && growing.delete(log)) forget(log);
    }
    ready.clear();
    if (growing.size === 0) return;
    reactor.run();
  }
}
