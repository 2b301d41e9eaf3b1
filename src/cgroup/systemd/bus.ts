/*
 * A connection to a D-Bus daemon over its unix socket. It blocks: whoever speaks with systemd has nothing to do until the
 * answer is there. An answer that does not come within some seconds is an error.
 *
 * Authentication is EXTERNAL: the daemon sees by the socket who we are, and only wants to hear the same user id.
 */
import { readSync, writeSync } from "node:fs";
import { Errno } from "../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { allocate } from "../../sys/memory.ts";
import { connectUnix } from "../../sys/socket.ts";
import { check, SystemCall, systemCall } from "../../sys/system-call.ts";
import { type Call, formatCall, type Message, MessageType, messageLength, parseMessage } from "./message.ts";

const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const PATIENCE_SECONDS = 10;

/** A connection that has been given a name by the daemon. */
export class Bus implements Disposable {
  readonly #socket: FileDescriptor;
  readonly #path: string;
  #pending = Buffer.alloc(0);
  #serial = 0;

  private constructor(socket: FileDescriptor, path: string) {
    this.#socket = socket;
    this.#path = path;
  }

  /**
   * Connects to the daemon at a socket.
   * @throws BunkerError `system_call_failed` when there is none, `bus_failed` when it refuses us or does not answer
   */
  static connect(path: string): Bus {
    const socket = connectUnix(path);
    const bus = new Bus(socket, path);
    try {
      const patience = allocate(16);
      patience.view.setBigInt64(0, BigInt(PATIENCE_SECONDS), true);
      check(
        systemCall(SystemCall.setsockopt, socket.number, SOL_SOCKET, SO_RCVTIMEO, patience.address, 16),
        "set the time to wait for answers",
      );
      bus.#authenticate();
      bus.call({
        destination: "org.freedesktop.DBus",
        path: "/org/freedesktop/DBus",
        interface: "org.freedesktop.DBus",
        member: "Hello",
      });
      return bus;
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  #authenticate(): void {
    const uid = Buffer.from(String(process.geteuid?.() ?? 0)).toString("hex");
    this.#write(Buffer.from(`\0AUTH EXTERNAL ${uid}\r\n`));
    while (!this.#pending.includes("\r\n")) this.#read();
    const end = this.#pending.indexOf("\r\n");
    const answer = this.#pending.toString("latin1", 0, end);
    if (!answer.startsWith("OK ")) throw this.#failure(`it does not let us in: ${answer}`);
    this.#pending = this.#pending.subarray(end + 2);
    this.#write(Buffer.from("BEGIN\r\n"));
  }

  #write(bytes: Buffer): void {
    try {
      for (let written = 0; written < bytes.length; ) {
        written += writeSync(this.#socket.number, bytes, written, bytes.length - written);
      }
    } catch (error) {
      throw this.#failure("it hung up", errnoOf(error));
    }
  }

  #read(): void {
    const chunk = Buffer.alloc(8192);
    let count = 0;
    try {
      count = readSync(this.#socket.number, chunk);
    } catch (error) {
      const errno = errnoOf(error);
      throw errno === Errno.EAGAIN
        ? this.#failure(`no answer within ${PATIENCE_SECONDS} s`)
        : this.#failure("it hung up", errno);
    }
    if (count === 0) throw this.#failure("it hung up");
    this.#pending = Buffer.concat([this.#pending, chunk.subarray(0, count)]);
  }

  #failure(reason: string, errno?: number): BunkerError {
    return new BunkerError({
      code: "bus_failed",
      operation: "talk to the D-Bus daemon at",
      object: this.#path,
      reason,
      errno,
    });
  }

  /** The next message, whatever it is. */
  #next(): Message {
    for (;;) {
      const length = messageLength(this.#pending);
      if (length !== undefined && this.#pending.length >= length) {
        const message = parseMessage(this.#pending.subarray(0, length));
        this.#pending = this.#pending.subarray(length);
        return message;
      }
      this.#read();
    }
  }

  /**
   * Calls a method and waits for its answer.
   * @param onSignal sees the signals that come before the answer
   * @returns the answer's arguments
   * @throws BunkerError `bus_call_failed` with what the other side says, `bus_failed`
   */
  call(call: Call, onSignal: (signal: Message) => void = () => {}): Message["body"] {
    const serial = ++this.#serial;
    this.#write(formatCall(call, serial));
    for (;;) {
      const message = this.#next();
      if (message.type === MessageType.signal) onSignal(message);
      if (message.replySerial !== serial) continue;
      if (message.type === MessageType.reply) return message.body;
      throw new BunkerError({
        code: "bus_call_failed",
        operation: `call ${call.interface}.${call.member}`,
        reason: [message.errorName, message.body[0]].filter((part) => part !== undefined).join(": "),
      });
    }
  }

  /** Waits for the next signal. */
  nextSignal(): Message {
    for (;;) {
      const message = this.#next();
      if (message.type === MessageType.signal) return message;
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
