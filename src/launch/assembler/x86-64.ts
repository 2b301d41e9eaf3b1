/*
 * As much of an x86-64 assembler as Bunker's machine code needs (Intel 64 and IA-32 Architectures Software Developer's
 * Manual, volume 2). An instruction is an optional REX prefix, an opcode, and mostly a ModRM byte that names a register
 * and a "place": another register or memory at base + index * scale + displacement. Jumps have 8-bit distances unless
 * they are called long.
 */

/** The general registers by their encoding. */
export const Register = {
  rax: 0,
  rcx: 1,
  rdx: 2,
  rbx: 3,
  rsp: 4,
  rbp: 5,
  rsi: 6,
  rdi: 7,
  r8: 8,
  r9: 9,
  r10: 10,
} as const;

/** Memory at `base + index * scale + displacement` (-128 to 127). */
export interface Address {
  readonly base: number;
  readonly index?: number;
  readonly scale?: 1 | 8;
  readonly displacement?: number;
}

type Width = 32 | 64;

/** Conditions by their encoding; below is unsigned, less is signed. */
export const Condition = { below: 2, equal: 4, notEqual: 5, belowOrEqual: 6, less: 12 } as const;

/** A place in the code that jumps can name before it is known. */
export interface CodeLabel {
  position: number | undefined;
}

interface Fixup {
  readonly label: CodeLabel;
  readonly position: number;
  readonly size: 1 | 4;
}

/** Collects instructions and resolves labels; the methods are named after the mnemonics. */
export class X86Assembler {
  readonly #code: number[] = [];
  readonly #fixups: Fixup[] = [];

  label(): CodeLabel {
    return { position: undefined };
  }

  place(label: CodeLabel): void {
    label.position = this.#code.length;
  }

  /** The code with all jumps resolved. Throws if a label was never placed or is too far for its jump. */
  finish(): Uint8Array {
    const code = new Uint8Array(this.#code);
    const view = new DataView(code.buffer);
    for (const { label, position, size } of this.#fixups) {
      if (label.position === undefined) throw new Error("jump to a label that was never placed");
      const distance = label.position - (position + size);
      if (size === 4) view.setInt32(position, distance, true);
      else if (distance === (distance << 24) >> 24) view.setInt8(position, distance);
      else throw new Error(`short jump over ${distance} bytes`);
    }
    return code;
  }

  ret(): void {
    this.#code.push(0xc3);
  }

  syscall(): void {
    this.#code.push(0x0f, 0x05);
  }

  push(register: number): void {
    this.#code.push(0x50 + register);
  }

  /** Sets a register to an unsigned 32-bit value. */
  movImmediate(to: number, value: number): void {
    this.#code.push(0xb8 + to);
    this.#immediate32(value);
  }

  mov(to: number, from: number): void {
    this.#instruction([0x89], from, to, 64);
  }

  load(to: number, from: Address): void {
    this.#instruction([0x8b], to, from, 64);
  }

  store(width: Width, to: Address, from: number): void {
    this.#instruction([0x89], from, to, width);
  }

  /** Stores the lowest byte of rax, rcx, rdx or rbx. */
  store8(to: Address, from: number): void {
    this.#instruction([0x88], from, to, 32);
  }

  /** Loads a sign-extended 32-bit value. */
  movsxd(to: number, from: Address): void {
    this.#instruction([0x63], to, from, 64);
  }

  /** Loads an unsigned 8-bit value. */
  movzx8(to: number, from: Address): void {
    this.#instruction([0x0f, 0xb6], to, from, 32);
  }

  /** Loads an unsigned 16-bit value. */
  movzx16(to: number, from: Address): void {
    this.#instruction([0x0f, 0xb7], to, from, 32);
  }

  add(to: number, from: number): void {
    this.#instruction([0x01], from, to, 64);
  }

  /** Adds a value of -128 to 127. */
  addImmediate8(to: number, value: number): void {
    this.#instruction([0x83], 0, to, 64);
    this.#code.push(value & 0xff);
  }

  sub32(to: number, from: number): void {
    this.#instruction([0x29], from, to, 32);
  }

  or(to: number, from: number): void {
    this.#instruction([0x09], from, to, 64);
  }

  neg32(register: number): void {
    this.#instruction([0xf7], 3, register, 32);
  }

  test(left: number, right: number): void {
    this.#instruction([0x85], right, left, 64);
  }

  testByte(at: Address, bits: number): void {
    this.#instruction([0xf6], 0, at, 32);
    this.#code.push(bits);
  }

  cmp(width: Width, left: number, right: number): void {
    this.#instruction([0x39], right, left, width);
  }

  /** Compares the low 32 bits with a value of 0 to 127. */
  cmp32Immediate8(left: number, value: number): void {
    this.#instruction([0x83], 7, left, 32);
    this.#code.push(value);
  }

  /** Compares all 64 bits with a sign-extended 32-bit value. */
  cmpImmediate32(left: number, value: number): void {
    this.#instruction([0x81], 7, left, 64);
    this.#immediate32(value);
  }

  shlByCl(register: number): void {
    this.#instruction([0xd3], 4, register, 64);
  }

  shl(register: number, count: number): void {
    this.#instruction([0xc1], 4, register, 64);
    this.#code.push(count);
  }

  shr(register: number, count: number): void {
    this.#instruction([0xc1], 5, register, 64);
    this.#code.push(count);
  }

  shr32(register: number, count: number): void {
    this.#instruction([0xc1], 5, register, 32);
    this.#code.push(count);
  }

  jmp(label: CodeLabel): void {
    this.#code.push(0xeb);
    this.#distance(label, 1);
  }

  jmpLong(label: CodeLabel): void {
    this.#code.push(0xe9);
    this.#distance(label, 4);
  }

  jcc(condition: number, label: CodeLabel): void {
    this.#code.push(0x70 + condition);
    this.#distance(label, 1);
  }

  jccLong(condition: number, label: CodeLabel): void {
    this.#code.push(0x0f, 0x80 + condition);
    this.#distance(label, 4);
  }

  /** Loads 16 bytes into an xmm register, of any address. */
  movdquLoad(to: number, from: Address): void {
    this.#instruction([0x0f, 0x6f], to, from, 32, 0xf3);
  }

  /** Stores the 16 bytes of an xmm register, at any address. */
  movdquStore(to: Address, from: number): void {
    this.#instruction([0x0f, 0x7f], from, to, 32, 0xf3);
  }

  /** Copies an xmm register. */
  movdqa(to: number, from: number): void {
    this.#instruction([0x0f, 0x6f], to, from, 32, 0x66);
  }

  /** Sets the bytes that are greater, as signed ones, than those at an address that is a multiple of 16; clears the others. */
  pcmpgtb(left: number, right: Address): void {
    this.#instruction([0x0f, 0x64], left, right, 32, 0x66);
  }

  /** Sets the bytes that are equal to those at an address that is a multiple of 16; clears the others. */
  pcmpeqb(left: number, right: Address): void {
    this.#instruction([0x0f, 0x74], left, right, 32, 0x66);
  }

  por(to: number, from: number): void {
    this.#instruction([0x0f, 0xeb], to, from, 32, 0x66);
  }

  /** Keeps of `from` the bits that are not set in `to`, in `to`. */
  pandn(to: number, from: number): void {
    this.#instruction([0x0f, 0xdf], to, from, 32, 0x66);
  }

  /** Collects the highest bits of an xmm register's bytes in a general register. */
  pmovmskb(to: number, from: number): void {
    this.#instruction([0x0f, 0xd7], to, from, 32, 0x66);
  }

  /** The number of the lowest bit that is set. */
  bsf32(to: number, from: number): void {
    this.#instruction([0x0f, 0xbc], to, from, 32);
  }

  #distance(label: CodeLabel, size: 1 | 4): void {
    this.#fixups.push({ label, position: this.#code.length, size });
    for (let byte = 0; byte < size; byte++) this.#code.push(0);
  }

  #immediate32(value: number): void {
    this.#code.push(value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >> 24) & 0xff);
  }

  /** @param prefix that is a part of the opcode, but stands before REX */
  #instruction(
    opcode: readonly number[],
    register: number,
    place: number | Address,
    width: Width,
    prefix?: number,
  ): void {
    const rm = typeof place === "number" ? place : place.base;
    const index = typeof place === "number" ? undefined : place.index;
    const rex = (width === 64 ? 8 : 0) | (register > 7 ? 4 : 0) | ((index ?? 0) > 7 ? 2 : 0) | (rm > 7 ? 1 : 0);
    if (prefix !== undefined) this.#code.push(prefix);
    if (rex !== 0) this.#code.push(0x40 | rex);
    this.#code.push(...opcode);
    const registerBits = (register & 7) << 3;
    if (typeof place === "number") {
      this.#code.push(0xc0 | registerBits | (rm & 7));
      return;
    }
    const displacement = place.displacement ?? 0;
    // The base registers rbp and r13 without a displacement would mean rip-relative addressing.
    const mode = displacement === 0 && (rm & 7) !== Register.rbp ? 0 : 0x40;
    if (index === undefined) {
      if ((rm & 7) === Register.rsp) throw new Error("rsp and r12 as a base need an index byte");
      this.#code.push(mode | registerBits | (rm & 7));
    } else {
      this.#code.push(mode | registerBits | 4, (place.scale === 8 ? 0xc0 : 0) | ((index & 7) << 3) | (rm & 7));
    }
    if (mode !== 0) this.#code.push(displacement & 0xff);
  }
}
