/*
 * As much of an arm64 assembler as Bunker's machine code needs (Arm Architecture Reference Manual for A-profile, chapter
 * C6). Every instruction is one 32-bit word, and jumps reach much further than any code here is long. The numbers
 * of registers are plain: n means xn, or wn where only 32 bits are meant.
 */

/** What the number 31 means where a base address is named, or in `addImmediate`. */
export const STACK_POINTER = 31;
/** What the number 31 means elsewhere: a register that is always zero. */
const ZERO_REGISTER = 31;

/** Conditions by their encoding; carry clear after `cmn` means that the sum did not overflow, less is signed. */
export const Condition = { equal: 0, notEqual: 1, carryClear: 3, lowerOrSame: 9, less: 11 } as const;

/** A place in the code that jumps can name before it is known. */
export interface CodeLabel {
  position: number | undefined;
}

interface Fixup {
  readonly label: CodeLabel;
  readonly position: number;
  /** Where the distance, counted in instructions, goes in the word. */
  readonly shift: number;
  readonly bits: number;
}

/** Collects instructions and resolves labels; the methods are named after the mnemonics. */
export class Arm64Assembler {
  readonly #words: number[] = [];
  readonly #fixups: Fixup[] = [];

  label(): CodeLabel {
    return { position: undefined };
  }

  place(label: CodeLabel): void {
    label.position = this.#words.length;
  }

  /** The code with all jumps resolved. Throws if a label was never placed. */
  finish(): Uint8Array {
    const code = new Uint8Array(4 * this.#words.length);
    const view = new DataView(code.buffer);
    for (const [index, word] of this.#words.entries()) view.setUint32(4 * index, word, true);
    for (const { label, position, shift, bits } of this.#fixups) {
      if (label.position === undefined) throw new Error("jump to a label that was never placed");
      const distance = (label.position - position) & (2 ** bits - 1);
      view.setUint32(4 * position, view.getUint32(4 * position, true) | (distance << shift), true);
    }
    return code;
  }

  ret(): void {
    this.#words.push(0xd65f03c0);
  }

  svc(): void {
    this.#words.push(0xd4000001);
  }

  /** Sets a register to an unsigned value of up to 32 bits, in one or two instructions. */
  movImmediate(to: number, value: number): void {
    this.#words.push(0xd2800000 | ((value & 0xffff) << 5) | to);
    const high = value >>> 16;
    if (high !== 0) this.#words.push(0xf2a00000 | (high << 5) | to);
  }

  mov(to: number, from: number): void {
    this.#threeRegisters(0xaa000000, to, ZERO_REGISTER, from);
  }

  /** to = from + value (0 to 4095); here 31 means the stack pointer. */
  addImmediate(to: number, from: number, value: number): void {
    this.#words.push(0x91000000 | (value << 10) | (from << 5) | to);
  }

  /** to = from - value (0 to 4095); here 31 means the stack pointer. */
  subImmediate(to: number, from: number, value: number): void {
    this.#words.push(0xd1000000 | (value << 10) | (from << 5) | to);
  }

  add(to: number, left: number, right: number): void {
    this.#threeRegisters(0x8b000000, to, left, right);
  }

  sub32(to: number, left: number, right: number): void {
    this.#threeRegisters(0x4b000000, to, left, right);
  }

  neg32(to: number, from: number): void {
    this.#threeRegisters(0x4b000000, to, ZERO_REGISTER, from);
  }

  /** to = left | (right << count) */
  orShifted(to: number, left: number, right: number, count: number): void {
    this.#threeRegisters(0xaa000000 | (count << 10), to, left, right);
  }

  lsl(to: number, value: number, count: number): void {
    this.#threeRegisters(0x9ac02000, to, value, count);
  }

  lsrImmediate(to: number, from: number, count: number): void {
    this.#words.push(0xd340fc00 | (count << 16) | (from << 5) | to);
  }

  lsr32Immediate(to: number, from: number, count: number): void {
    this.#words.push(0x53007c00 | (count << 16) | (from << 5) | to);
  }

  cmp(left: number, right: number): void {
    this.#threeRegisters(0xeb000000, ZERO_REGISTER, left, right);
  }

  cmp32(left: number, right: number): void {
    this.#threeRegisters(0x6b000000, ZERO_REGISTER, left, right);
  }

  /** Compares the low 32 bits with a value of 0 to 4095. */
  cmp32Immediate(left: number, value: number): void {
    this.#words.push(0x71000000 | (value << 10) | (left << 5) | ZERO_REGISTER);
  }

  /** Compares with the negated value of 0 to 4095. */
  cmnImmediate(left: number, value: number): void {
    this.#words.push(0xb1000000 | (value << 10) | (left << 5) | ZERO_REGISTER);
  }

  /** Loads 64 bits at base + offset, a multiple of 8. */
  ldr(to: number, base: number, offset: number): void {
    this.#words.push(0xf9400000 | ((offset / 8) << 10) | (base << 5) | to);
  }

  /** Stores 64 bits at base + offset, a multiple of 8. */
  str(from: number, base: number, offset: number): void {
    this.#words.push(0xf9000000 | ((offset / 8) << 10) | (base << 5) | from);
  }

  /** Stores the lowest byte at base + offset. */
  strb(from: number, base: number, offset: number): void {
    this.#words.push(0x39000000 | (offset << 10) | (base << 5) | from);
  }

  /** Loads a sign-extended 32-bit value at base + offset, a multiple of 4. */
  ldrsw(to: number, base: number, offset: number): void {
    this.#words.push(0xb9800000 | ((offset / 4) << 10) | (base << 5) | to);
  }

  /** Loads an unsigned 16-bit value at base + offset, a multiple of 2. */
  ldrh(to: number, base: number, offset: number): void {
    this.#words.push(0x79400000 | ((offset / 2) << 10) | (base << 5) | to);
  }

  /** Loads an unsigned 8-bit value at base + offset. */
  ldrb(to: number, base: number, offset: number): void {
    this.#words.push(0x39400000 | (offset << 10) | (base << 5) | to);
  }

  /** Loads 64 bits at base + index * 8. */
  ldrScaled(to: number, base: number, index: number): void {
    this.#threeRegisters(0xf8607800, to, base, index);
  }

  /** Stores 64 bits at base + index * 8. */
  strScaled(from: number, base: number, index: number): void {
    this.#threeRegisters(0xf8207800, from, base, index);
  }

  /** Loads 64 bits at base + index. */
  ldrIndexed(to: number, base: number, index: number): void {
    this.#threeRegisters(0xf8606800, to, base, index);
  }

  /** Loads a sign-extended 32-bit value at base + index. */
  ldrswIndexed(to: number, base: number, index: number): void {
    this.#threeRegisters(0xb8a06800, to, base, index);
  }

  /** Stores 64 bits at base + index. */
  strIndexed(from: number, base: number, index: number): void {
    this.#threeRegisters(0xf8206800, from, base, index);
  }

  /** Stores the low 32 bits at base + index. */
  str32Indexed(from: number, base: number, index: number): void {
    this.#threeRegisters(0xb8206800, from, base, index);
  }

  /** Lowers the stack pointer by 16 and stores 64 bits there. */
  push(from: number): void {
    this.#words.push(0xf81f0fe0 | from);
  }

  b(label: CodeLabel): void {
    this.#jump(0x14000000, label, 0, 26);
  }

  bCondition(condition: number, label: CodeLabel): void {
    this.#jump(0x54000000 | condition, label, 5, 19);
  }

  cbz(register: number, label: CodeLabel): void {
    this.#jump(0xb4000000 | register, label, 5, 19);
  }

  cbnz(register: number, label: CodeLabel): void {
    this.#jump(0xb5000000 | register, label, 5, 19);
  }

  /** Jumps if bit `bit` (0 to 31) is zero. */
  tbz(register: number, bit: number, label: CodeLabel): void {
    this.#jump(0x36000000 | (bit << 19) | register, label, 5, 14);
  }

  #jump(word: number, label: CodeLabel, shift: number, bits: number): void {
    this.#fixups.push({ label, position: this.#words.length, shift, bits });
    this.#words.push(word);
  }

  #threeRegisters(word: number, d: number, n: number, m: number): void {
    this.#words.push(word | (m << 16) | (n << 5) | d);
  }
}
