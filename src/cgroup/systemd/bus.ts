/*
 * A connection to systemd: over the socket of a D-Bus daemon, or over the one that systemd itself listens at for its own
 * tools (`direct`), which spares a hop and needs no daemon. It blocks: whoever speaks with systemd has nothing to do until
 * the answer is there. An answer that does not come within some seconds is an error.
 *
 * Authentication is EXTERNAL: the other side sees by the socket who we are, and only wants to hear the same user id. It is
 * not waited for: what is to be said follows at once, so that one round trip is enough for all of it. A user id in a user
 * namespace is another one outside, which is the one that the other side knows.
 */
import { readSync, writeSync } from "node:fs";
import { Errno } from "../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { allocate } from "../../sys/memory.ts";
import { outerUserId } from "../../sys/outer-user-id.ts";
import { connectUnix } from "../../sys/socket.ts";
import { check, SystemCall, systemCall } from "../../sys/system-call.ts";
import type { BusAddress } from "./address.ts";
import { type Call, formatCall, type Message, MessageType, messageLength, parseMessage } from "./message.ts";

const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const PATIENCE_SECONDS = 10;

/** The daemon's own methods. */
export const DAEMON = {
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
} as const;

/** A connection over which messages go. */
export class Bus implements Disposable {
  readonly #socket: FileDescriptor;
  readonly #path: string;
  readonly #patience: number;
  #pending = Buffer.alloc(0);
  #serial = 0;
  #isLetIn = false;

  private constructor(socket: FileDescriptor, path: string, patience: number) {
    this.#patience = patience;
    this.#socket = socket;
    this.#path = path;
  }

  /**
   * Connects to a daemon, or to systemd itself.
   * @param patience seconds that an answer may take
   * @throws BunkerError `system_call_failed` when nobody listens there
   */
  static connect({ path, isDirect }: BusAddress, patience = PATIENCE_SECONDS): Bus {
    const socket = connectUnix(path);
    const bus = new Bus(socket, path, patience);
    try {
      const time = allocate(16);
      time.view.setBigInt64(0, BigInt(patience), true);
      check(
        systemCall(SystemCall.setsockopt, socket.number, SOL_SOCKET, SO_RCVTIMEO, time.address, 16),
        "set the time to wait for answers",
      );
      const uid = Buffer.from(String(outerUserId())).toString("hex");
      bus.#write(Buffer.from(`\0AUTH EXTERNAL ${uid}\r\nBEGIN\r\n`));
      if (!isDirect) bus.send({ ...DAEMON, member: "Hello" });
      return bus;
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  /** The answer to the authentication comes before all messages. */
  #awaitWelcome(): void {
    while (!this.#pending.includes("\r\n")) this.#read();
    const end = this.#pending.indexOf("\r\n");
    const answer = this.#pending.toString("latin1", 0, end);
    if (!answer.startsWith("OK ")) throw this.#failure(`it does not let us in: ${answer}`);
    this.#pending = this.#pending.subarray(end + 2);
    this.#isLetIn = true;
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
        ? this.#failure(`no answer within ${this.#patience} s`)
        : this.#failure("it hung up", errno);
    }
    if (count === 0) throw this.#failure("it hung up");
    this.#pending = Buffer.concat([this.#pending, chunk.subarray(0, count)]);
  }

  #failure(reason: string, errno?: number): BunkerError {
    return new BunkerError({
      code: "bus_failed",
      operation: "talk to systemd at",
      object: this.#path,
      reason,
      errno,
      hint: "systemctl status, with --user for a user's own, says how it is",
    });
  }

  /**
   * The next message, whatever it is.
   * @throws BunkerError `bus_failed` when the other side refuses us, hangs up or does not answer
   */
  next(): Message {
    if (!this.#isLetIn) this.#awaitWelcome();
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
   * Calls a method without waiting for the answer.
   * @returns the serial number, by which answers refer to the call
   */
  send(call: Call): number {
    const serial = ++this.#serial;
    this.#write(formatCall(call, serial));
    return serial;
  }

  /**
   * Calls a method and waits for its answer.
   * @returns the answer's arguments
   * @throws BunkerError `bus_call_failed` with what the other side says, `bus_failed`
   */
  call(call: Call): Message["body"] {
    const serial = this.send(call);
    for (;;) {
      const message = this.next();
      if (message.replySerial !== serial) continue;
      if (message.type === MessageType.reply) return message.body;
      throw callFailed(call, message);
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** What the other side has against a call. */
export function callFailed(call: Call, { errorName, body }: Message): BunkerError {
  return new BunkerError({
    code: "bus_call_failed",
    operation: `call ${call.interface}.${call.member}`,
    reason: [errorName, body[0]].filter((part) => part !== undefined).join(": "),
  });
}
