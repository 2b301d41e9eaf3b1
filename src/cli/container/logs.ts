import { dataDirectory } from "../../engine/data-directory.ts";
import { supervisorOf } from "../../engine/lifecycle/stop-container.ts";
import { logFile } from "../../engine/log/json-file-writer.ts";
import { LogReader } from "../../engine/log/read-log.ts";
import { containerDirectory } from "../../engine/state/container-lock.ts";
import { type Container, openContainers } from "../../engine/state/containers.ts";
import { nextAnswer, tell } from "../../engine/supervisor/connect.ts";
import { encodeText } from "../../sys/byte-string.ts";
import { DirectoryWatch } from "../../sys/directory-watch.ts";
import { errnoName } from "../../sys/errno.ts";
import { BunkerError } from "../../sys/error.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { Event, Reactor } from "../../sys/reactor.ts";
import { defineCommand } from "../command.ts";
import { parsePointInTime } from "../filters/point-in-time.ts";
import { shortId } from "../format/short-id.ts";
import { InvalidValue } from "../invalid-value.ts";
import { flag, single } from "../option.ts";
import { latestOption, namedOrLatest } from "./latest-container.ts";
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
        parse: (text) => parsePointInTime(text, Date.now()),
      }),
      until: single({
        name: "until",
        valueName: "TIME",
        description: "Only up to a time",
        parse: (text) => parsePointInTime(text, Date.now()),
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
    containers.forEach(checkReadable);
    const logs = containers.map((container, index) => {
      const directory = containerDirectory(data, container.id);
      const reader = cleanup.use(new LogReader(logFile(directory, container.id), options));
      const printer = new LogPrinter(options, headOf(container, index, containers.length > 1, options));
      // Before the first read, so that nothing falls between it and the watch.
      const watch = options.follow ? cleanup.use(new DirectoryWatch(encodeText(directory))) : undefined;
      const found = supervisorOf(database, data, container.id);
      const socket = found === undefined ? undefined : cleanup.use(found);
      return { container, reader, printer, watch, socket };
    });
    for (const { reader, printer } of logs) {
      reader.readPresent(options.tail, (record) => printer.add(record));
      printer.flush();
    }
    const followed = logs.flatMap(({ watch, socket, reader, printer }) => {
      if (watch === undefined || socket === undefined) return [];
      const read = () => {
        reader.readAdded((record) => printer.add(record));
        printer.flush();
        return !reader.isOver;
      };
      return [{ watch, socket, read }];
    });
    follow(followed);
    for (const { container, socket } of logs) {
      const lost = socket === undefined || options.follow ? "" : lostOutput(socket);
      if (lost === "" && container.error === "") continue;
      const { warning } = await import("../messages.ts");
      warning(`container ${container.name}: ${lost || container.error}`);
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

/** @throws BunkerError `no_log` for a container whose output is not in a file of ours */
function checkReadable({ id, name, definition }: Container): void {
  const { driver } = definition.log;
  if (driver !== "none" && driver !== "journald") return;
  throw new BunkerError({
    code: "no_log",
    operation: "read the log of container",
    object: name,
    reason: driver === "none" ? "it has the log driver none" : "it is in systemd's journal, which Bunker does not read",
    hint: driver === "none" ? undefined : `journalctl CONTAINER_ID_FULL=${id}`,
    exitStatus: 1,
  });
}

function parseTail(text: string): number | undefined {
  if (text === "all" || /^-\d+$/.test(text)) return undefined;
  if (!/^\d+$/.test(text)) throw new InvalidValue("expected a number of lines, or all");
  return Number(text);
}

/** What a supervisor says of output that it could not log. */
function lostOutput(socket: FileDescriptor): string {
  tell(socket, { kind: "status" });
  for (let answer = nextAnswer(socket); answer !== undefined; answer = nextAnswer(socket)) {
    if (answer.kind !== "status") continue;
    const { lostBytes, lostErrno } = answer;
    if (lostBytes === 0) return "";
    const reason = lostErrno === undefined ? "" : `: ${errnoName(lostErrno)}`;
    return `${lostBytes} bytes of the log could not be written${reason}`;
  }
  return "";
}

interface FollowedLog {
  readonly watch: DirectoryWatch;
  /** To the container's supervisor. */
  readonly socket: FileDescriptor;
  /** Reads what has been added; false when that was all. */
  readonly read: () => boolean;
}

/** Reads from logs whenever something was written to them, until that was all or the containers have ended. */
function follow(logs: readonly FollowedLog[]): void {
  if (logs.length === 0) return;
  using reactor = new Reactor();
  const open = new Set(logs);
  for (const log of logs) {
    const { watch, socket, read } = log;
    tell(socket, { kind: "wait" });
    const end = () => {
      if (!open.delete(log)) return;
      reactor.remove(watch.descriptor.number);
      reactor.remove(socket.number);
      if (open.size === 0) reactor.stop();
    };
    const readOn = () => {
      if (!read()) end();
    };
    reactor.add(watch.descriptor.number, Event.IN, () => {
      watch.acknowledge();
      readOn();
    });
    reactor.add(socket.number, Event.IN, () => {
      // The exit, or the supervisor's death: the log is complete.
      read();
      end();
    });
    readOn();
  }
  if (open.size > 0) reactor.run();
}
