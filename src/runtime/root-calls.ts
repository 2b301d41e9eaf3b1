/*
 * System calls as root of the user's own user namespace, made from outside of it.
 *
 * No running JavaScript process can enter a user namespace: it has more than one thread. A child that shares its memory
 * and its descriptors (launch/call-queue.ts) can, and a call that it makes there is as good as one of our own: addresses
 * and descriptors mean the same to both. So what is refused to us (EACCES, EPERM) is done once more by such a child, and
 * only that: most calls are not refused, and a call that crosses over takes as long as two processes need to wake each
 * other. Whoever makes thousands of them queues them, in a queue of his own in the namespace. The child starts when
 * something is refused for the first time.
 *
 * The child keeps the caller's ids and has all capabilities of the namespace. That is as good as being its root for
 * whoever reads; owners of files are told as the namespace's root sees them, but not those in attributes: access control
 * lists, and the capabilities of programs. Whoever makes files (`perform`) may be root that way only when root is the
 * caller (`isRootOutside`), since they belong to the caller; then these cross over straight away:
 *
 * - calls that take ids, or tell those in attributes: they mean something else in the namespace
 * - chmod(2), which would quietly forget the set-group-id bit where a group is not the caller's
 */
import { CallQueue } from "../launch/call-queue.ts";
import type { Slot } from "../launch/operation.ts";
import { Errno } from "../sys/errno.ts";
import { BunkerError } from "../sys/error.ts";
import type { Memory } from "../sys/memory.ts";
import { memoryAt } from "../sys/memory-at.ts";
import { redirectingCalls } from "../sys/redirected-calls.ts";
import { STATUS_GID, STATUS_SIZE, STATUS_UID } from "../sys/stat.ts";
import { SystemCall, systemCall } from "../sys/system-call.ts";
import { innerId } from "./id-map/inner-id.ts";
import type { RootNamespace } from "./root-namespace.ts";

/** Calls that are not tried outside first, of those that make files. */
const INSIDE: ReadonlySet<number> = new Set([
  SystemCall.fchmod,
  SystemCall.fchmodat,
  SystemCall.fchown,
  SystemCall.fchownat,
  SystemCall.fgetxattr,
  SystemCall.fsetxattr,
  SystemCall.lsetxattr,
]);

/** See the head of this file. */
export class RootCalls implements Disposable {
  readonly namespace: RootNamespace;
  #child: { readonly queue: CallQueue<undefined>; readonly result: Slot } | undefined;
  /** The memory of statuses that were told outside, by its address. */
  readonly #statuses = new Map<number, Memory>();

  constructor(namespace: RootNamespace) {
    this.namespace = namespace;
  }

  /**
   * Reads files as root of the namespace.
   * @param work what it does is over when it returns: it must not be asynchronous. Only calls through `systemCall` are
   *   made as root
   * @throws what `work` throws, and BunkerError `launch_failed`, `helper_lost`
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

  /**
   * The same for work that makes and changes files, as root of a namespace of which `isRootOutside` is true.
   * @throws as `read`
   */
  perform<Result>(work: () => Result): Result {
    const call = (number: number, words: readonly number[]) =>
      INSIDE.has(number) ? this.#callInside(number, words) : this.#call(number, words);
    return redirectingCalls(call, work);
  }

  /** Ends the child; a call that needs one afterwards starts another. */
  [Symbol.dispose](): void {
    this.#child?.queue[Symbol.dispose]();
    this.#child = undefined;
  }

  #call(number: number, words: readonly number[]): number {
    const outside = systemCall(number, ...words);
    if (outside !== -Errno.EPERM && outside !== -Errno.EACCES) {
      if (number === SystemCall.statx && outside === 0) this.#tellAsInside(words[4] ?? 0);
      return outside;
    }
    return this.#callInside(number, words);
  }

  #callInside(number: number, words: readonly number[]): number {
    this.#child ??= startChild(this.namespace);
    const { queue, result } = this.#child;
    queue.call(number, words, undefined, { result, ignoresErrors: true });
    queue.drain();
    return queue.read(result);
  }

  /** Puts the owners into a status that the namespace's root would have been told. */
  #tellAsInside(address: number): void {
    const known = this.#statuses.get(address);
    const status = known ?? memoryAt(address, STATUS_SIZE);
    if (known === undefined) this.#statuses.set(address, status);
    const { view } = status;
    const { uidMappings, gidMappings } = this.namespace.map;
    view.setUint32(STATUS_UID, innerId(uidMappings, view.getUint32(STATUS_UID, true)), true);
    view.setUint32(STATUS_GID, innerId(gidMappings, view.getUint32(STATUS_GID, true)), true);
  }
}

/** Does some work as root: by `RootCalls.perform`, or straight away when there is no `root` because the caller is that. */
export function asRoot<Result>(root: RootCalls | undefined, work: () => Result): Result {
  return root === undefined ? work() : root.perform(work);
}

function startChild({ descriptor }: RootNamespace) {
  const queue = new CallQueue<undefined>(refused, descriptor);
  return { queue, result: queue.slot("result", 0) };
}

/** The error of a call that ends the child; those of this file do not, whatever they result in. */
function refused(_subject: undefined, result: number): BunkerError {
  return new BunkerError({ code: "system_call_failed", operation: "make a system call as root", errno: -result });
}
