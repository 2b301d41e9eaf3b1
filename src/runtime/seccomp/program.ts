/*
 * An assembler for classic BPF that writes programs from their end to their beginning.
 *
 * Jumps of classic BPF only go forward, and the two of a conditional jump reach at most 255 instructions. Written
 * backwards, the target of every jump already exists when the jump is written, so distances are known at once and
 * nothing is patched afterwards. A target is named by its height: the number of instructions from it to the end of
 * the program. A conditional jump always has two explicit targets, so nothing falls through it, and whatever stands
 * right behind it can be chosen freely: when a target is too far, an unconditional jump with its 32-bit distance (or,
 * if the target is a return, a copy of that return) is put there and becomes the target.
 *
 * Only the opcodes are used that the kernel's own interpreter of constant filters understands (jumps, AND, returns,
 * loads of `nr` and `arch`). It runs each filter once for every call number when the filter is installed; calls that
 * are allowed whatever their arguments then cost a bit test and no longer run the filter (Linux 5.11, SECCOMP_CACHE).
 */
import { BunkerError } from "../../sys/error.ts";

/** A place in a program, counted in instructions from its end. */
export type Label = number;

const LOAD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const AND = 0x54; // BPF_ALU | BPF_AND | BPF_K
const JUMP = 0x05; // BPF_JMP | BPF_JA
const RETURN = 0x06; // BPF_RET | BPF_K
/** Conditional jumps: equal, greater or equal (unsigned). */
const JUMP_EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_GREATER_OR_EQUAL = 0x35; // BPF_JMP | BPF_JGE | BPF_K

const LONGEST_CONDITIONAL_JUMP = 255;

/** BPF_MAXINSNS of linux/bpf_common.h. */
const MAXIMUM_INSTRUCTIONS = 4096;

/** sizeof(struct sock_filter). */
export const INSTRUCTION_SIZE = 8;

/** A piece of the 32-bit numbers: from `start` up to the next range's start, or to the end. */
export interface Range {
  readonly start: number;
  readonly target: Label;
}

export class Program {
  // Two elements for each instruction, the last instruction of the program first: code, jump offsets; constant.
  readonly #words: number[] = [];
  readonly #returns = new Map<number, Label>();

  /** The number of instructions so far, and the label of the newest. */
  get length(): number {
    return this.#words.length / 2;
  }

  #emit(code: number, constant: number, whenTrue = 0, whenFalse = 0): Label {
    this.#words.push(code | (whenTrue << 16) | (whenFalse << 24), constant);
    return this.length;
  }

  /** A place from which an instruction written after `reserve` more can jump to `target` conditionally. */
  #near(target: Label, reserve: number): Label {
    if (this.length + reserve - target <= LONGEST_CONDITIONAL_JUMP) return target;
    const word = (target - 1) * 2;
    if (this.#words[word] === RETURN) return this.return(this.#words[word + 1] ?? 0);
    return this.#emit(JUMP, this.length - target);
  }

  /** Ends the filter with `value`, a `SECCOMP_RET_…` and its data. */
  return(value: number): Label {
    const known = this.#returns.get(value);
    if (known !== undefined && this.length - known < LONGEST_CONDITIONAL_JUMP / 2) return known;
    const label = this.#emit(RETURN, value);
    this.#returns.set(value, label);
    return label;
  }

  /** Loads the 32 bits at `offset` of struct seccomp_data and goes on at `next`. */
  load(offset: number, next: Label): Label {
    return this.#straight(LOAD, offset, next);
  }

  /** Clears the bits of the loaded value that `mask` has not and goes on at `next`. */
  and(mask: number, next: Label): Label {
    return this.#straight(AND, mask, next);
  }

  #straight(code: number, constant: number, next: Label): Label {
    if (next !== this.length) this.#emit(JUMP, this.length - next);
    return this.#emit(code, constant);
  }

  /** Compares the loaded value with `constant`. */
  ifEqual(constant: number, whenTrue: Label, whenFalse: Label): Label {
    return this.#branch(JUMP_EQUAL, constant, whenTrue, whenFalse);
  }

  #branch(code: number, constant: number, whenTrue: Label, whenFalse: Label): Label {
    if (whenTrue === whenFalse) return whenTrue;
    const trueTarget = this.#near(whenTrue, 1);
    const falseTarget = this.#near(whenFalse, 0);
    return this.#emit(code, constant, this.length - trueTarget, this.length - falseTarget);
  }

  /**
   * Goes to the target of the range that holds the loaded value, by binary search: at most ⌈log2(ranges)⌉ comparisons.
   * @param ranges by rising start, the first at 0
   */
  search(ranges: readonly Range[]): Label {
    const merged = ranges.filter((range, index) => range.target !== ranges[index - 1]?.target);
    return this.#search(merged, 0, merged.length);
  }

  #search(ranges: readonly Range[], from: number, to: number): Label {
    const first = ranges[from];
    if (first === undefined) throw new Error("a search needs at least one range");
    if (to - from === 1) return first.target;
    const middle = (from + to) >> 1;
    const { start, target } = ranges[middle] ?? first;
    // A single value inside a range of others needs one comparison, not two.
    const third = ranges[middle + 1];
    if (to - from === 3 && third?.target === first.target && third.start - start === 1) {
      return this.ifEqual(start, target, first.target);
    }
    const right = this.#search(ranges, middle, to);
    return this.#branch(JUMP_GREATER_OR_EQUAL, start, right, this.#search(ranges, from, middle));
  }

  /**
   * The program as an array of struct sock_filter, in the byte order of the hosts, which is little-endian.
   * @throws BunkerError `seccomp_filter_too_long` when it is longer than the kernel takes
   */
  assemble(): Uint8Array<ArrayBuffer> {
    const count = this.length;
    if (count > MAXIMUM_INSTRUCTIONS) {
      throw new BunkerError({
        code: "seccomp_filter_too_long",
        operation: "compile the seccomp filter",
        reason: `it needs ${count} instructions and the kernel takes ${MAXIMUM_INSTRUCTIONS}`,
        hint: "Use fewer rules that compare arguments.",
      });
    }
    const words = new Uint32Array(count * 2);
    for (let index = 0; index < count; index++) {
      const source = (count - 1 - index) * 2;
      words[index * 2] = this.#words[source] ?? 0;
      words[index * 2 + 1] = this.#words[source + 1] ?? 0;
    }
    return new Uint8Array(words.buffer);
  }
}
