import { BunkerError } from "../sys/error.ts";
import type { SystemCallName } from "../sys/system-call-number.ts";
import type { FailureTable, OperationDescription } from "./failure.ts";
import {
  type Argument,
  DISCARD_SLOT,
  encodeOperation,
  FIRST_FREE_SLOT,
  IGNORE_ANY,
  MAXIMUM_ARGUMENTS,
  OPERATION_SIZE,
  OperationField,
  type OperationKind,
  SLOT_COUNT,
  SLOTS_SIZE,
  type Slot,
} from "./operation.ts";

/** A place in a table of operations, to jump to. Made by `OperationTable.label`, put somewhere by `place`. */
export interface Label {
  readonly name: string;
}

/** An operation as the builder keeps it, with names instead of numbers. */
export interface Operation {
  readonly kind: OperationKind;
  readonly systemCall?: SystemCallName;
  readonly arguments: readonly Argument[];
  readonly result?: Slot | undefined;
  /** Errnos that do not fail a call. */
  readonly ignore: readonly number[] | "any";
  /** Where to go next, if not to the following operation: also an address outside of the table. */
  readonly next?: Label | number | undefined;
  /** Where a branch, a forked child or an ignored error goes, if not to the following operation. */
  readonly otherwise?: Label | undefined;
  readonly description?: OperationDescription;
}

/** What may be said about a system call besides its arguments. */
export interface CallOptions {
  /** Receives what the call returns, also an ignored error (negative). */
  readonly result?: Slot;
  /** At most two errnos that do not end the program, or all of them. */
  readonly ignore?: readonly number[] | "any";
  /** Where to go after success; default the following operation. */
  readonly onSuccess?: Label;
  /** Where to go after an ignored error; default the following operation. */
  readonly onIgnored?: Label;
}

/** Operations that are gone to from several places; made by `OperationTable.subroutine`. */
export interface Subroutine {
  readonly name: string;
  /** Where those stand that are called from here on. */
  entry: Label;
  /** Holds the number of the place to come back to. */
  readonly caller: Slot;
  /** The places that have called since they were put into the table last. */
  readonly returns: Label[];
  readonly body: () => void;
}

/** How `branch` compares its two values; `less` is signed. */
export type Relation = "equal" | "not equal" | "less";

const lastCalls: ReadonlySet<SystemCallName | undefined> = new Set(["exit_group", "exit", "execve", "execveat"]);

/**
 * A list of operations under construction: what every launch program is made of, without the memory behind it. Slots
 * live at a known address, so an operation may also hand a slot's address to the kernel.
 */
export class OperationTable {
  /** Where the slots are in memory. */
  readonly slotsAddress: number;
  readonly #operations: Operation[] = [];
  /** The newest holder of each place from FIRST_FREE_SLOT on. */
  readonly #slots: Slot[] = [];
  #released: number[] = [];
  readonly #positions = new Map<Label, number>();
  readonly #subroutines: Subroutine[] = [];

  /** @param slotsAddress where the SLOTS_SIZE bytes of the slots are going to be */
  constructor(slotsAddress: number) {
    this.slotsAddress = slotsAddress;
  }

  /** The operations so far. */
  get operations(): readonly Operation[] {
    return this.#operations;
  }

  /** The slots so far, of those that were released only the newest in each place. */
  get slots(): readonly Slot[] {
    return this.#slots;
  }

  /** A new variable; initially 0 unless its place had been released by another. Throws when there are no more. */
  slot(name: string): Slot {
    const index = this.#released.pop() ?? FIRST_FREE_SLOT + this.#slots.length;
    if (index >= SLOT_COUNT) throw new Error(`launch program has no slot left for ${name}`);
    const slot = { name, index };
    this.#slots[index - FIRST_FREE_SLOT] = slot;
    return slot;
  }

  /** Lets a later `slot` have the place of this one, which no operation added from now on may mention. */
  release(slot: Slot): void {
    if (this.#slots[slot.index - FIRST_FREE_SLOT] !== slot || this.#released.includes(slot.index)) {
      throw new Error(`slot ${slot.name} is not this program's or was released before`);
    }
    this.#released.push(slot.index);
  }

  /**
   * Emits what one of two processes executes after a fork while the other goes on with what is emitted later: they share
   * the slots, so no later one gets the place of one that is released here.
   */
  apart(emit: () => void): void {
    const released = this.#released;
    this.#released = [];
    emit();
    this.#released = released;
  }

  /** The address of a slot's 8 bytes (little-endian), for calls that want a pointer. */
  addressOf(slot: Slot): number {
    return this.slotsAddress + 8 * slot.index;
  }

  /** A new label; `place` says where it is, before or after the jumps to it. */
  label(name = "label"): Label {
    return { name };
  }

  /** Puts a label before the next operation. */
  place(label: Label): void {
    if (this.#positions.has(label)) throw new Error(`label ${label.name} placed twice`);
    this.#positions.set(label, this.#operations.length);
  }

  /**
   * A system call. Unless its errno is ignored, an error ends the program: it is written to the error descriptor and
   * the process exits with status 127.
   * @param args of the call; those left out are 0
   * @param what names the operation and its object in the error
   */
  call(name: SystemCallName, args: readonly Argument[], what: OperationDescription, options: CallOptions = {}): void {
    this.#append({
      kind: "systemCall",
      systemCall: name,
      arguments: args,
      result: options.result,
      ignore: options.ignore ?? [],
      next: options.onSuccess,
      otherwise: options.onIgnored,
      description: what,
    });
  }

  /**
   * Forks: the child continues at `child`, the parent with the following operation. They share the slots and all
   * other memory of the program, so each must use slots of its own while both run.
   * @param flags of clone(2), the exit signal in the low byte; CLONE_PIDFD stores to `pidfdAddress`
   * @param stackEnd where the child's stack grows down from; without it the child has the parent's, or a copy of it
   * @param result receives the child's pid in the parent
   */
  fork(
    what: OperationDescription,
    options: { child: Label; flags: number; result?: Slot; pidfdAddress?: number; stackEnd?: number },
  ): void {
    this.#append({
      kind: "fork",
      systemCall: "clone",
      arguments: [options.flags, options.stackEnd ?? 0, options.pidfdAddress ?? 0],
      result: options.result,
      ignore: [],
      otherwise: options.child,
      description: what,
    });
  }

  /**
   * Goes to a label; or to operations at an address, which the table knows nothing of and which are at their own distance
   * from it in memory, so that only a table of operations of fixed size can hold such a jump.
   */
  jump(target: Label | number): void {
    this.#append({ kind: "add", arguments: [], ignore: [], next: target });
  }

  /** Goes to `label` if `left` has this relation to `right`, else to the following operation. */
  branch(left: Argument, relation: Relation, right: Argument, label: Label): void {
    const arguments_ = [left, right];
    if (relation === "less") this.#append({ kind: "less", arguments: arguments_, ignore: [], otherwise: label });
    else if (relation === "equal") this.#append({ kind: "equal", arguments: arguments_, ignore: [], otherwise: label });
    else this.#append({ kind: "equal", arguments: arguments_, ignore: [], next: label });
  }

  /** result = the sign-extended 32-bit value at address + offset. */
  load32(result: Slot, address: Argument, offset: Argument = 0): void {
    this.#append({ kind: "load32", arguments: [address, offset], result, ignore: [] });
  }

  /** result = the 64-bit value at address + offset. */
  load64(result: Slot, address: Argument, offset: Argument = 0): void {
    this.#append({ kind: "load64", arguments: [address, offset], result, ignore: [] });
  }

  /** Stores the low 32 bits of `value` at address + offset. */
  store32(value: Argument, address: Argument, offset: Argument = 0): void {
    this.#append({ kind: "store32", arguments: [address, offset, value], ignore: [] });
  }

  /** Stores `value` at address + offset. */
  store64(value: Argument, address: Argument, offset: Argument = 0): void {
    this.#append({ kind: "store64", arguments: [address, offset, value], ignore: [] });
  }

  /** result = left + (right << shift). */
  add(result: Slot, left: Argument, right: Argument, shift = 0): void {
    this.#append({ kind: "add", arguments: [left, right, shift], result, ignore: [] });
  }

  /** result = value. */
  set(result: Slot, value: Argument): void {
    this.add(result, value, 0);
  }

  /**
   * Sets operations aside that `callSubroutine` goes to; `placeSubroutines` puts them into the table.
   * @param body emits them. What it uses of slots has to be made before the first call and never released, since the
   * operations run between others that come earlier in the table.
   */
  subroutine(name: string, body: () => void): Subroutine {
    const subroutine = { name, entry: this.label(name), caller: this.slot(`caller of ${name}`), returns: [], body };
    this.#subroutines.push(subroutine);
    return subroutine;
  }

  /** Executes a subroutine, and then what follows. Subroutines do not call themselves. */
  callSubroutine({ entry, caller, returns }: Subroutine): void {
    const back = this.label("back");
    this.set(caller, returns.length);
    this.jump(entry);
    this.place(back);
    returns.push(back);
  }

  /**
   * Emits the subroutines that were called since the last time, past which execution goes on: to be called after the last
   * call, and before what is executed while later operations are still to come.
   */
  placeSubroutines(): void {
    const called = this.#subroutines.filter(({ returns }) => returns.length > 0);
    if (called.length === 0) return;
    const behind = this.label("behind the subroutines");
    this.jump(behind);
    for (const subroutine of called) {
      this.place(subroutine.entry);
      subroutine.body();
      const returns = subroutine.returns.splice(0);
      const last = returns.pop();
      for (const [number, back] of returns.entries()) this.branch(subroutine.caller, "equal", number, back);
      if (last !== undefined) this.jump(last);
      subroutine.entry = this.label(subroutine.name);
    }
    this.place(behind);
  }

  /**
   * Ends the program with an error.
   * @param cause an errno; or a slot that holds a negative kernel result, which is taken as errno, or a positive
   *   status, which the message names; 0 for neither
   */
  fail(what: OperationDescription, cause: Argument = 0): void {
    const result = typeof cause === "number" ? -cause : cause;
    this.#append({ kind: "fail", arguments: [result], ignore: [], description: what });
  }

  /**
   * What each operation that can fail is about, for `errorFromFailureRecord`.
   * @param first the index of the first operation to tell of
   */
  failureTable(first = 0): FailureTable {
    return this.#operations
      .slice(first)
      .flatMap(({ description }, index) =>
        description === undefined ? [] : [{ index: first + index, ...description }],
      );
  }

  /** The labels that stand before the operation of this index. */
  labelsAt(index: number): Label[] {
    return [...this.#positions].filter(([, position]) => position === index).map(([label]) => label);
  }

  /** The index of the operation that a label stands before. Throws if it was never placed. */
  positionOf(label: Label): number {
    const position = this.#positions.get(label);
    if (position === undefined) throw new Error(`label ${label.name} was never placed`);
    return position;
  }

  /**
   * The operations as the interpreter reads them.
   * @param numberOf says the system call numbers of the architecture that executes them
   * @param size `fixed` gives every operation OPERATION_SIZE bytes, which failure records and short argument lists
   *   rely on; `compact` leaves out the arguments that an operation does not name
   * @param end `open` when more operations are to follow before any after the last one is executed
   * @param first the index of the first operation that is wanted
   * @throws Error when a label is missing or execution could run past the last operation
   */
  encode(
    numberOf: (name: SystemCallName) => number,
    size: "fixed" | "compact",
    end: "open" | "closed" = "closed",
    first = 0,
  ): Uint8Array {
    if (end === "closed") this.#checkEnd();
    const offsets = [0];
    let total = 0;
    for (const {
      arguments: { length },
    } of this.#operations) {
      total += size === "fixed" ? OPERATION_SIZE : OperationField.arguments + 8 * length;
      offsets.push(total);
    }
    const offsetOf = (target: Label | number | undefined, index: number) => {
      if (typeof target === "number") return target - this.slotsAddress - SLOTS_SIZE;
      return offsets[target === undefined ? index + 1 : this.positionOf(target)] ?? total;
    };
    const begin = offsets[first] ?? total;
    const encoded = new ArrayBuffer(total - begin);
    const words = new Int32Array(encoded);
    let index = first;
    for (const operation of this.#operations.slice(first)) {
      const offset = offsets[index] ?? total;
      const { ignore } = operation;
      encodeOperation(words, (offset - begin) / 4, {
        kind: operation.kind,
        systemCall: operation.systemCall === undefined ? 0 : numberOf(operation.systemCall),
        arguments: operation.arguments,
        result: operation.result?.index ?? DISCARD_SLOT,
        firstIgnored: ignore === "any" ? IGNORE_ANY : (ignore[0] ?? 0),
        secondIgnored: ignore === "any" ? 0 : (ignore[1] ?? 0),
        next: offsetOf(operation.next, index) - offset,
        otherwise: offsetOf(operation.otherwise, index) - offset,
      });
      index++;
    }
    return new Uint8Array(encoded);
  }

  /** Takes an operation into the table. */
  #append(operation: Operation): void {
    if (operation.arguments.length > MAXIMUM_ARGUMENTS) throw new Error(`${operation.systemCall}: too many arguments`);
    if (operation.ignore !== "any" && operation.ignore.length > 2) {
      throw new Error(`${operation.systemCall}: at most two errnos can be ignored`);
    }
    for (const argument of operation.arguments) {
      if (typeof argument === "number" && !Number.isSafeInteger(argument)) {
        throw new BunkerError({
          code: "bad_launch_argument",
          operation: operation.description?.operation ?? operation.kind,
          object: operation.description?.object,
          reason: `${argument} is not an integer that 53 bits can hold`,
        });
      }
    }
    this.checkRoom(this.#operations.length + 1);
    this.#operations.push(operation);
  }

  /** Throws if there is no room for so many operations. */
  protected checkRoom(_operationCount: number): void {}

  #checkEnd(): void {
    const last = this.#operations.at(-1);
    const isEnd = last !== undefined && !fallsThrough(last);
    if (!isEnd) throw new Error("the last operation of a launch program must not fall through");
    for (const [label, position] of this.#positions) {
      if (position === this.#operations.length) throw new Error(`label ${label.name} stands after the last operation`);
    }
  }
}

/** Whether the operation that follows this one may be executed after it. */
function fallsThrough({ kind, systemCall, ignore, next, otherwise }: Operation): boolean {
  switch (kind) {
    case "fail":
      return false;
    case "equal":
    case "less":
    case "fork":
      return next === undefined || otherwise === undefined;
    case "systemCall":
      return (next === undefined && !lastCalls.has(systemCall)) || (ignore.length > 0 && otherwise === undefined);
    default:
      return next === undefined;
  }
}
