/*
 * How one operation of a launch program looks in memory: a header of 16 bytes and up to six arguments of 8 bytes.
 *
 *   offset  0  u8   kind
 *           1  u8   bit n set: argument n is the number of a slot, whose value is taken
 *           2  u8   the slot that receives the result
 *           3  u8   unused
 *           4  u16  system call number
 *           6  u8   first errno to ignore, 0 for none, 255 for any
 *           7  u8   second errno to ignore, 0 for none
 *           8  i32  where to go next, in bytes from this operation's start
 *          12  i32  where to go otherwise, the same way
 *          16  i64  arguments
 *
 * The interpreter always loads six arguments; those that an operation does not have are whatever follows it, and no
 * kind looks at them. Because "next" is always spelled out, an operation may therefore be cut after its last argument.
 *
 * What each kind does with its arguments a, b, c:
 *
 *   systemCall  result = the call; an error goes to "otherwise" if it is ignored, or else fails
 *   fork        the same, but the result 0 goes to "otherwise" and is not stored: parent and child share the slots
 *   equal, less go to "otherwise" if a == b, a < b (signed)
 *   load32/64   result = the (sign-extended) value at address a + b
 *   store32/64  the value at address a + b = c
 *   add         result = a + (b << c)
 *   fail        fails with a as if a system call had returned it
 */
/** What an operation is, and its number in the encoding. */
export const OperationKind = {
  systemCall: 0,
  fork: 1,
  equal: 2,
  less: 3,
  load32: 4,
  load64: 5,
  store32: 6,
  store64: 7,
  add: 8,
  fail: 9,
} as const;
export type OperationKind = keyof typeof OperationKind;

/** Offsets of the fields of an operation's encoding. */
export const OperationField = {
  kind: 0,
  slotMask: 1,
  result: 2,
  systemCall: 4,
  firstIgnored: 6,
  secondIgnored: 7,
  next: 8,
  otherwise: 12,
  arguments: 16,
} as const;

export const MAXIMUM_ARGUMENTS = 6;
/** Bytes of an operation with all its arguments. */
export const OPERATION_SIZE = OperationField.arguments + 8 * MAXIMUM_ARGUMENTS;
/** The value of the first ignored errno that means every errno. */
export const IGNORE_ANY = 255;

/** The slots: 64-bit variables, in memory before the operations. */
export const SLOT_COUNT = 64;
export const SLOTS_SIZE = 8 * SLOT_COUNT;
/** Takes the results that nobody wants. */
export const DISCARD_SLOT = 0;
/** Holds the number of the file descriptor to which a failure is written. */
export const ERROR_DESCRIPTOR_SLOT = 1;
/** The first slot that a program may use as it likes. */
export const FIRST_FREE_SLOT = 2;

/** A variable of a launch program. */
export interface Slot {
  readonly name: string;
  readonly index: number;
}

/** A number, or the value that a slot has when the operation is executed. */
export type Argument = number | Slot;

/** An operation ready for encoding: the system call is a number and the jumps are distances. */
export interface EncodableOperation {
  readonly kind: OperationKind;
  readonly systemCall: number;
  readonly arguments: readonly Argument[];
  readonly result: number;
  readonly firstIgnored: number;
  readonly secondIgnored: number;
  readonly next: number;
  readonly otherwise: number;
}

const TWO_TO_THE_32 = 2 ** 32;

/**
 * Writes one operation; as many arguments as it names. This runs some hundred times in every launch and before the
 * compiler knows it: it counts by hand, since `entries()` costs ten times as much then, and writes whole words into an
 * array, since each call of a DataView's method costs as much as all the rest.
 * @param words little-endian, as both architectures are
 * @param start the operation's first word
 */
export function encodeOperation(words: Int32Array, start: number, operation: EncodableOperation): void {
  let slotMask = 0;
  let index = 0;
  let word = start + OperationField.arguments / 4;
  for (const argument of operation.arguments) {
    let value: number;
    if (typeof argument === "number") value = argument;
    else {
      value = argument.index;
      slotMask |= 1 << index;
    }
    words[word] = value;
    // As setInteger64 does, which says why not by Math.
    words[word + 1] = (value - (value >>> 0)) / TWO_TO_THE_32;
    word += 2;
    index++;
  }
  words[start] = OperationKind[operation.kind] | (slotMask << 8) | (operation.result << 16);
  words[start + 1] = operation.systemCall | (operation.firstIgnored << 16) | (operation.secondIgnored << 24);
  words[start + 2] = operation.next;
  words[start + 3] = operation.otherwise;
}
