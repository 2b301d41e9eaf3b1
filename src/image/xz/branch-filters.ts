/*
 * Filters for machine code ("BCJ"): where an instruction calls or jumps, the packer wrote the absolute address instead of
 * the distance, for calls of one function then look alike. Here addresses become distances again. Section 5.3.2 of the .xz
 * file format; what counts as an instruction of each architecture is what XZ Utils takes for one, as there is no other
 * definition.
 *
 * All arithmetic is of 32 bits: positions and distances go round there.
 */
import { DamagedXz } from "./damaged-xz.ts";
import type { Filter } from "./filter.ts";

/**
 * Converts bytes in place, as far as whole instructions are there.
 * @param position of the first byte in the block
 * @returns how many bytes, from the beginning, are done
 */
type Converter = (bytes: Buffer, position: number) => number;

interface Architecture {
  /** What positions of instructions are multiples of. */
  readonly alignment: number;
  /** A converter for one block; some remember what came before. */
  readonly converter: () => Converter;
}

/** By the number of the filter. */
const architectures: ReadonlyMap<number, Architecture> = new Map([
  [0x04, { alignment: 1, converter: x86Converter }],
  [0x05, { alignment: 4, converter: () => convertPowerPc }],
  [0x06, { alignment: 16, converter: () => convertItanium }],
  [0x07, { alignment: 4, converter: () => convertArm }],
  [0x08, { alignment: 2, converter: () => convertArmThumb }],
  [0x09, { alignment: 4, converter: () => convertSparc }],
  [0x0a, { alignment: 4, converter: () => convertArm64 }],
  [0x0b, { alignment: 2, converter: () => convertRiscV }],
]);

/**
 * The filter of a number, for one block.
 * @param properties what the header of the block says of it
 * @returns undefined for a number that is no such filter's
 * @throws DamagedXz for properties that none may have
 */
export function branchFilter(number: number, properties: Buffer): Filter | undefined {
  const architecture = architectures.get(number);
  if (architecture === undefined) return undefined;
  if (properties.length !== 0 && properties.length !== 4) {
    throw new DamagedXz("a filter for machine code has properties that none may have");
  }
  const start = properties.length === 0 ? 0 : properties.readUInt32LE(0);
  if (start % architecture.alignment !== 0) {
    throw new DamagedXz("a filter for machine code begins in the middle of an instruction");
  }
  return new BranchFilter(architecture.converter(), start);
}

class BranchFilter implements Filter {
  readonly #convert: Converter;
  #position: number;
  /** The beginning of an instruction whose end has not come. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(convert: Converter, start: number) {
    this.#convert = convert;
    this.#position = start;
  }

  update(bytes: Buffer): Buffer {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const done = this.#convert(all, this.#position);
    this.#position = (this.#position + done) >>> 0;
    this.#rest = all.subarray(done);
    return all.subarray(0, done);
  }

  finish(): Buffer {
    return this.#rest;
  }
}

/** CALL and JMP, with 32 bits of distance. */
function x86Converter(): Converter {
  /** Which of the last bytes were opcodes, one bit each, the latest lowest; 16 where the byte of its sign was one. */
  let opcodes = 0;
  let lastOpcode = -5;
  const isSign = (byte: number) => byte === 0 || byte === 0xff;
  return (bytes, position) => {
    // Positions are counted from the beginning of these bytes.
    if (lastOpcode < -5) lastOpcode = -5;
    let at = 0;
    while (at + 5 <= bytes.length) {
      const opcode = bytes[at];
      if (opcode !== 0xe8 && opcode !== 0xe9) {
        at++;
        continue;
      }
      const distance = at - lastOpcode;
      lastOpcode = at;
      opcodes = distance > 5 ? 0 : shiftedOpcodes(opcodes, distance);
      const sign = bytes[at + 4] ?? 0;
      const before = opcodes >> 1;
      if (isSign(sign) && before <= 4 && before !== 3) {
        bytes.writeUInt32LE(x86Distance(bytes.readUInt32LE(at + 1), position + at + 5, opcodes), at + 1);
        at += 5;
        opcodes = 0;
      } else {
        at++;
        opcodes |= isSign(sign) ? 0x11 : 1;
      }
    }
    lastOpcode -= at;
    return at;
  };

  function shiftedOpcodes(mask: number, count: number): number {
    let shifted = mask;
    for (let step = 0; step < count; step++) shifted = (shifted & 0x77) << 1;
    return shifted;
  }

  /** An address whose bytes another opcode before it may have been taken to reach into, and so was written otherwise. */
  function x86Distance(address: number, next: number, mask: number): number {
    let distance = (address - next) | 0;
    const before = mask >> 1;
    if (before !== 0) {
      const shift = before === 4 ? 24 : 8 * before;
      const flipped = 2 ** (32 - shift) - 1;
      // Once is enough: the byte is the complement of what it was in the address then, and that was no sign.
      if (isSign((distance >>> (24 - shift)) & 0xff)) distance = ((distance ^ flipped) - next) | 0;
    }
    // The uppermost byte is the sign of 25 bits.
    return ((distance << 7) >> 7) >>> 0;
  }
}

/** BL, with 24 bits of distance and two that mean other things. */
function convertPowerPc(bytes: Buffer, position: number): number {
  return eachWord(bytes, (at) => {
    const instruction = bytes.readUInt32BE(at);
    if ((instruction & 0xfc000003) >>> 0 !== 0x48000001) return;
    const distance = ((instruction & 0x03fffffc) - (position + at)) & 0x03fffffc;
    bytes.writeUInt32BE((0x48000001 | distance) >>> 0, at);
  });
}

/** BL, with 24 bits of distance in instructions. */
function convertArm(bytes: Buffer, position: number): number {
  return eachWord(bytes, (at) => {
    if (bytes[at + 3] !== 0xeb) return;
    const distance = (bytes.readUIntLE(at, 3) * 4 - (position + at + 8)) >>> 2;
    bytes.writeUIntLE(distance & 0xffffff, at, 3);
  });
}

/** BL, a pair of halves with 11 bits of distance in each. */
function convertArmThumb(bytes: Buffer, position: number): number {
  let at = 0;
  for (; at + 4 <= bytes.length; at += 2) {
    const [first, second] = [bytes.readUInt16LE(at), bytes.readUInt16LE(at + 2)];
    if ((first & 0xf800) !== 0xf000 || (second & 0xf800) !== 0xf800) continue;
    const address = ((first & 0x7ff) << 12) | ((second & 0x7ff) << 1);
    const distance = (address - (position + at + 4)) >>> 1;
    bytes.writeUInt16LE(0xf000 | ((distance >>> 11) & 0x7ff), at);
    bytes.writeUInt16LE(0xf800 | (distance & 0x7ff), at + 2);
    at += 2;
  }
  return at;
}

/** BL, with 26 bits of distance in instructions, and ADRP, with 21 bits in pages, of which near ones count. */
function convertArm64(bytes: Buffer, position: number): number {
  return eachWord(bytes, (at) => {
    const instruction = bytes.readUInt32LE(at);
    const own = (position + at) >>> 0;
    if (instruction >>> 26 === 0x25) {
      bytes.writeUInt32LE((0x94000000 | ((instruction - (own >>> 2)) & 0x03ffffff)) >>> 0, at);
    } else if ((instruction & 0x9f000000) >>> 0 === 0x90000000) {
      const address = ((instruction >>> 29) & 3) | ((instruction >>> 3) & 0x1ffffc);
      if (((address + 0x20000) & 0x1c0000) !== 0) return;
      const distance = address - (own >>> 12);
      const sign = (distance & 0x20000) === 0 ? 0 : 0xe00000;
      const fields = ((distance & 3) << 29) | ((distance & 0x3fffc) << 3) | sign;
      bytes.writeUInt32LE(((instruction & 0x9000001f) | fields) >>> 0, at);
    }
  });
}

/** CALL, with 30 bits of distance in instructions, of which near ones count. */
function convertSparc(bytes: Buffer, position: number): number {
  return eachWord(bytes, (at) => {
    const instruction = bytes.readUInt32BE(at);
    const start = instruction >>> 22;
    if (start !== 0x100 && start !== 0x1ff) return;
    const distance = ((instruction << 2) - (position + at)) >>> 2;
    // The sign of 23 bits, in all that is above them.
    bytes.writeUInt32BE((((distance << 9) >> 9) & 0x3fffffff) | 0x40000000, at);
  });
}

/** Which of the three instructions of a bundle may be branches, a bit each, by the bundle's template. */
const ITANIUM_BRANCHES = [
  ...[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  ...[4, 4, 6, 6, 0, 0, 7, 7, 4, 4, 0, 0, 4, 4, 0, 0],
] as const;

/** br.call, with 21 bits of distance in bundles; an instruction has 41 bits, a bundle three and a template of 5. */
function convertItanium(bytes: Buffer, position: number): number {
  let at = 0;
  for (; at + 16 <= bytes.length; at += 16) {
    const branches = ITANIUM_BRANCHES[(bytes[at] ?? 0) & 0x1f] ?? 0;
    for (let slot = 0; slot < 3; slot++) {
      if (((branches >> slot) & 1) === 0) continue;
      const bit = 5 + slot * 41;
      const byte = at + (bit >> 3);
      const shift = BigInt(bit & 7);
      const around = BigInt(bytes.readUIntLE(byte, 6));
      const instruction = around >> shift;
      if (((instruction >> 37n) & 0xfn) !== 5n || ((instruction >> 9n) & 7n) !== 0n) continue;
      const address = Number(((instruction >> 13n) & 0xfffffn) | ((instruction >> 16n) & 0x100000n)) * 16;
      const distance = BigInt((address - (position + at)) >>> 4);
      const field = ((distance & 0xfffffn) << 13n) | ((distance & 0x100000n) << 16n);
      const converted = (instruction & ~(0x8fffffn << 13n)) | field;
      bytes.writeUIntLE(Number((around & ((1n << shift) - 1n)) | (converted << shift)), byte, 6);
    }
  }
  return at;
}

/**
 * JAL, with 20 bits of distance; AUIPC with the instruction behind it, whose 32 bits of distance lie in both. The packer
 * wrote such a pair as an AUIPC to x2, and what looks like one but is none as a pair.
 */
function convertRiscV(bytes: Buffer, position: number): number {
  let at = 0;
  for (; at + 8 <= bytes.length; at += 2) {
    const opcode = bytes[at] ?? 0;
    if (opcode === 0xef) {
      // Of registers for the way back, x1 and x5 alone.
      if (((bytes[at + 1] ?? 0) & 0x0d) !== 0) continue;
      convertJal(bytes, at, position);
      at += 2;
    } else if ((opcode & 0x7f) === 0x17) at += convertAuipc(bytes, at, position) - 2;
  }
  return at;
}

function convertJal(bytes: Buffer, at: number, position: number): void {
  const [low = 0, middle = 0, high = 0] = bytes.subarray(at + 1, at + 4);
  const distance = (((low & 0xf0) << 13) | (middle << 9) | (high << 1)) - (position + at);
  bytes[at + 1] = (low & 0x0f) | ((distance >> 8) & 0xf0);
  bytes[at + 2] = ((distance >> 16) & 0x0f) | ((distance >> 7) & 0x10) | ((distance << 4) & 0xe0);
  bytes[at + 3] = ((distance >> 4) & 0x7f) | ((distance >> 13) & 0x80);
}

/** Returns how many bytes are done. */
function convertAuipc(bytes: Buffer, at: number, position: number): number {
  const first = bytes.readUInt32LE(at);
  const write = (one: number, other: number) => {
    bytes.writeUInt32LE(one >>> 0, at);
    bytes.writeUInt32LE(other >>> 0, at + 4);
    return 8;
  };
  if ((first & 0xe80) !== 0) {
    // To another register than x0 or x2: where the second one uses it, the two were made to look like a pair.
    const second = bytes.readUInt32LE(at + 4);
    if ((((first << 8) ^ (second - 3)) & 0xf8003) !== 0) return 6;
    return write(0x117 | (second << 12), (first & 0xfffff000) + (second >>> 20));
  }
  const register = first >>> 27;
  if (((first - 0x3117) << 18) >>> 0 >= (register & 0x1d)) return 4;
  const distance = bytes.readUInt32BE(at + 4) - (position + at);
  // The second one adds its 12 bits with their sign.
  return write(0x17 | (register << 7) | ((distance + 0x800) & 0xfffff000), (first >>> 12) | (distance << 20));
}

function eachWord(bytes: Buffer, convert: (at: number) => void): number {
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) convert(at);
  return at;
}
