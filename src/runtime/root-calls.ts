/*
 * System calls as root of the user's own user namespace, made from outside of it.
 *
 * No running JavaScript process can enter a user namespace: it has more than one thread. A child that shares its memory
 * and its descriptors (launch/call-queue.ts) can, and a call that it makes there is as good as one of our own: addresses
 * and descriptors mean the same to both. So what is refused to us while files are read (EACCES, EPERM) is done once more
 * by such a child, and only that: most calls are not refused, and a call that crosses over takes as long as two processes
 * need to wake each other.
 *
 * The child keeps the caller's ids and has all capabilities of the namespace. That is as good as being its root for
 * whoever reads. What is made here belongs to the caller, so this is not for making files. Owners of files are told as
 * the namespace's root sees them. Not so those in attributes: access control lists, and the capabilities of programs.
 */
import { CallQueue } from "../launch/call-queue.ts";
import type { Slot } from "../launch/operation.ts";
import { Errno } from "../sys/errno.ts";
import { BunkerError } from "../sys/error.ts";
import { FileDescriptor } from "../sys/file-descriptor.ts";
import type { Memory } from "../sys/memory.ts";
import { memoryAt } from "../sys/memory-at.ts";
import { redirectingCalls } from "../sys/redirected-calls.ts";
import { STATUS_GID, STATUS_SIZE, STATUS_UID } from "../sys/stat.ts";
import { SystemCall, systemCall } from "../sys/system-call.ts";
import { openIdMapNamespace } from "./id-map/id-map-namespace.ts";
import type { IdMap } from "./id-map/id-mapping.ts";
import { innerId } from "./id-map/inner-id.ts";
import { isPrivileged } from "./id-map/write-id-map.ts";

/** See the head of this file. */
export class RootCalls implements Disposable {
  readonly #map: IdMap;
  readonly #queue: CallQueue<undefined>;
  readonly #result: Slot;
  /** The memory of statuses that were told outside, by its address. */
  readonly #statuses = new Map<number, Memory>();

  /**
   * @param map of the user namespace
   * @throws BunkerError `no_user_namespace`, `id_map_refused`, `launch_failed`
   */
  constructor(map: IdMap) {
    this.#map = map;
    using namespace = new FileDescriptor(openIdMapNamespace(map, isPrivileged()));
    using cleanup = new DisposableStack();
    this.#queue = cleanup.use(new CallQueue<undefined>(refused, namespace.number));
    this.#result = this.#queue.slot("result", 0);
    // Once the child has executed something it has entered the namespace.
    this.#queue.set(this.#result, 0);
    this.#queue.drain();
    cleanup.move();
  }

  /**
   * Reads files as root of the namespace.
   * @param work what it does is over when it returns: it must not be asynchronous. Only calls through `systemCall` are
   *   made as root
   * @throws what `work` throws, and BunkerError `no_user_namespace`, `id_map_refused`, `launch_failed`, `helper_lost`
   */
  read<Result>(work: () => Result): Result {
    return redirectingCalls((number, words) => this.#call(number, words), work);
  }

  /** The same for what reads on with each thing that it is asked for. */
  *readEach<Item>(items: Iterable<Item>): Generator<Item, void, undefined> {
    const iterator = items[Symbol.iterator]();
    try {
      for (;;) {
        const next = this.read(() => iterator.next());
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      iterator.return?.();
    }
  }

  /** Ends the child. */
  [Symbol.dispose](): void {
    this.#queue[Symbol.dispose]();
  }

  #call(number: number, words: readonly number[]): number {
    const outside = systemCall(number, ...words);
    if (outside !== -Errno.EPERM && outside !== -Errno.EACCES) {
      if (number === SystemCall.statx && outside === 0) this.#tellAsInside(words[4] ?? 0);
      return outside;
    }
    this.#queue.call(number, words, undefined, { result: this.#result, ignoresErrors: true });
    this.#queue.drain();
    return this.#queue.read(this.#result);
  }

  /** Puts the owners into a status that the namespace's root would have been told. */
  #tellAsInside(address: number): void {
    const known = this.#statuses.get(address);
    const status = known ?? memoryAt(address, STATUS_SIZE);
    if (known === undefined) this.#statuses.set(address, status);
    const { view } = status;
    view.setUint32(STATUS_UID, innerId(this.#map.uidMappings, view.getUint32(STATUS_UID, true)), true);
    view.setUint32(STATUS_GID, innerId(this.#map.gidMappings, view.getUint32(STATUS_GID, true)), true);
  }
}

/** The error of a call that ends the child; those of this file do not, whatever they result in. */
function refused(_subject: undefined, result: number): BunkerError {
  return new BunkerError({ code: "system_call_failed", operation: "make a system call as root", errno: -result });
}
