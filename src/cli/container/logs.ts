import { writeSync } from "node:fs";
import { containerDirectory } from "../../engine/container-lock.ts";
import { dataDirectory } from "../../engine/data-directory.ts";
import { supervisorOf } from "../../engine/lifecycle/stop-container.ts";
import { logFile } from "../../engine/log/json-file-writer.ts";
import type { LogRecord } from "../../engine/log/log-query.ts";
import { LogReader } from "../../engine/log/read-log.ts";
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
import { InvalidValue } from "../invalid-value.ts";
import { flag, single } from "../option.ts";
import { latestOption, namedOrLatest } from "./meant-containers.ts";

const BATCH_SIZE = 1 << 18;
const STREAM_NUMBER = { stdout: 1, stderr: 2 } as const;

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
      details: flag({ name: "details", description: "Show extra attributes; there are none" }),
    },
    insteadOfFirst: "latest",
    required: ["CONTAINER"],
  },
  async ({ options, operands: [reference] }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const container = namedOrLatest(database, data, reference, options);
    checkReadable(container);
    const directory = containerDirectory(data, container.id);
    using reader = new LogReader(logFile(directory, container.id), options);
    const printer = new LogPrinter(options.timestamps, options.details);
    const print = (record: LogRecord) => printer.add(record);
    // Before the first read, so that nothing falls between it and the watch.
    using watch = options.follow ? new DirectoryWatch(encodeText(directory)) : undefined;
    using socket = supervisorOf(database, data, container.id);
    reader.readPresent(options.tail, print);
    printer.flush();
    if (watch !== undefined && socket !== undefined) {
      follow(watch, socket, () => {
        reader.readAdded(print);
        printer.flush();
        return !reader.isOver;
      });
    }
    const lost = socket === undefined || options.follow ? "" : lostOutput(socket);
    if (lost !== "" || container.error !== "") {
      const { warning } = await import("../messages.ts");
      warning(`container ${container.name}: ${lost || container.error}`);
    }
    return 0;
  },
);

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

/** Calls `read` whenever something was written, until it says that this was all or the container has ended. */
function follow(watch: DirectoryWatch, socket: FileDescriptor, read: () => boolean): void {
  using reactor = new Reactor();
  tell(socket, { kind: "wait" });
  const readOn = () => {
    if (!read()) reactor.stop();
  };
  reactor.add(watch.descriptor.number, Event.IN, () => {
    watch.acknowledge();
    readOn();
  });
  reactor.add(socket.number, Event.IN, () => {
    // The exit, or the supervisor's death: the log is complete.
    readOn();
    reactor.stop();
  });
  readOn();
  reactor.run();
}

/** Writes records to standard output and standard error, many at a time. */
class LogPrinter {
  readonly #withTime: boolean;
  readonly #withDetails: boolean;
  readonly #batch = Buffer.allocUnsafe(BATCH_SIZE);
  #length = 0;
  #stream: LogRecord["stream"] = "stdout";

  constructor(withTime: boolean, withDetails: boolean) {
    this.#withTime = withTime;
    this.#withDetails = withDetails;
  }

  add({ stream, time, bytes }: LogRecord): void {
    const prefix = `${this.#withTime ? `${time} ` : ""}${this.#withDetails ? " " : ""}`;
    if (stream !== this.#stream || this.#length + prefix.length + bytes.length > BATCH_SIZE) this.flush();
    this.#stream = stream;
    if (prefix.length + bytes.length > BATCH_SIZE) {
      writeAll(STREAM_NUMBER[stream], Buffer.concat([Buffer.from(prefix), bytes]));
      return;
    }
    this.#length += this.#batch.write(prefix, this.#length, "latin1");
    this.#length += bytes.copy(this.#batch, this.#length);
  }

  flush(): void {
    writeAll(STREAM_NUMBER[this.#stream], this.#batch.subarray(0, this.#length));
    this.#length = 0;
  }
}

function writeAll(descriptor: number, bytes: Buffer): void {
  for (let start = 0; start < bytes.length; ) start += writeSome(descriptor, bytes, start);
}

/** Somebody may have made our output non-blocking. */
function writeSome(descriptor: number, bytes: Buffer, start: number): number {
  try {
    return writeSync(descriptor, bytes, start);
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || error.code !== "EAGAIN") throw error;
    Bun.sleepSync(1);
    return 0;
  }
}
