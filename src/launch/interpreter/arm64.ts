/*
 * The interpreter of launch programs for arm64; the counterpart of x86-64.ts, part by part.
 *
 *   x19        the slots
 *   x20        the operation being executed
 *   x0 to x5   its arguments, where the kernel wants them
 *   x0         its result
 *   x8         system call number
 *   x9, x10    kind, errno, slot number, distance
 *   sp         untouched but for the record of a failure
 */
import { systemCallNumber } from "../../sys/system-call-number.ts";
import { Arm64Assembler, Condition, STACK_POINTER } from "../assembler/arm64.ts";
import {
  ERROR_DESCRIPTOR_SLOT,
  IGNORE_ANY,
  MAXIMUM_ARGUMENTS,
  OperationField,
  OperationKind,
  SLOTS_SIZE,
} from "../operation.ts";
import type { InterpreterEntry } from "./entry.ts";

const slots = 19;
const operation = 20;
const number = 8;
const scratch = 9;
const errno = 10;

/** Emits the interpreter for arm64. */
export function emitArm64Interpreter(entry: InterpreterEntry): Uint8Array {
  const a = new Arm64Assembler();

  if (entry === "clone") {
    const child = a.label();
    a.movImmediate(number, systemCallNumber("clone3", "arm64"));
    a.svc();
    a.cbz(0, child);
    a.ret();
    a.place(child);
    a.mov(slots, 2);
    a.addImmediate(operation, 2, SLOTS_SIZE);
  } else {
    a.movImmediate(slots, entry.slotsAddress);
    a.movImmediate(operation, entry.operationsAddress);
    a.movImmediate(scratch, entry.stackSlot);
    a.addImmediate(0, STACK_POINTER, 0);
    a.strScaled(0, slots, scratch);
  }

  const execute = a.label();
  a.place(execute);
  a.ldrb(scratch, operation, OperationField.slotMask);
  for (let index = 0; index < MAXIMUM_ARGUMENTS; index++) {
    const isValue = a.label();
    a.ldr(index, operation, OperationField.arguments + 8 * index);
    a.tbz(scratch, index, isValue);
    a.ldrScaled(index, slots, index);
    a.place(isValue);
  }

  const call = a.label();
  const next = a.label();
  const advance = a.label();
  const otherwise = a.label();
  const store = a.label();
  const failure = a.label();
  const kinds = {
    equal: a.label(),
    less: a.label(),
    load32: a.label(),
    load64: a.label(),
    store32: a.label(),
    store64: a.label(),
    add: a.label(),
  };
  a.ldrb(scratch, operation, OperationField.kind);
  a.cmp32Immediate(scratch, OperationKind.fork);
  a.bCondition(Condition.lowerOrSame, call);
  for (const [kind, label] of Object.entries(kinds)) {
    a.cmp32Immediate(scratch, OperationKind[kind as keyof typeof kinds]);
    a.bCondition(Condition.equal, label);
  }
  a.b(failure); // OperationKind.fail, with x0 as the result

  a.place(kinds.equal);
  a.cmp(0, 1);
  a.bCondition(Condition.equal, otherwise);
  a.b(next);
  a.place(kinds.less);
  a.cmp(0, 1);
  a.bCondition(Condition.less, otherwise);
  a.b(next);
  a.place(kinds.load32);
  a.ldrswIndexed(0, 0, 1);
  a.b(store);
  a.place(kinds.load64);
  a.ldrIndexed(0, 0, 1);
  a.b(store);
  a.place(kinds.store32);
  a.str32Indexed(2, 0, 1);
  a.b(next);
  a.place(kinds.store64);
  a.strIndexed(2, 0, 1);
  a.b(next);
  a.place(kinds.add);
  a.lsl(1, 1, 2);
  a.add(0, 0, 1);

  a.place(store);
  a.ldrb(scratch, operation, OperationField.result);
  a.strScaled(0, slots, scratch);
  a.place(next);
  a.ldrsw(scratch, operation, OperationField.next);
  a.place(advance);
  a.add(operation, operation, scratch);
  a.b(execute);
  a.place(otherwise);
  a.ldrsw(scratch, operation, OperationField.otherwise);
  a.b(advance);

  const notForkedChild = a.label();
  const ignored = a.label();
  a.place(call);
  a.ldrh(number, operation, OperationField.systemCall);
  a.svc();
  a.cbnz(0, notForkedChild);
  a.ldrb(scratch, operation, OperationField.kind);
  a.cmp32Immediate(scratch, OperationKind.fork);
  a.bCondition(Condition.equal, otherwise);
  a.place(notForkedChild);
  a.cmnImmediate(0, 4095);
  a.bCondition(Condition.carryClear, store);
  a.neg32(errno, 0);
  a.ldrb(scratch, operation, OperationField.firstIgnored);
  a.cmp32(scratch, errno);
  a.bCondition(Condition.equal, ignored);
  a.cmp32Immediate(scratch, IGNORE_ANY);
  a.bCondition(Condition.equal, ignored);
  a.ldrb(scratch, operation, OperationField.secondIgnored);
  a.cmp32(scratch, errno);
  a.bCondition(Condition.notEqual, failure);
  a.place(ignored);
  a.ldrb(scratch, operation, OperationField.result);
  a.strScaled(0, slots, scratch);
  a.b(otherwise);

  // The record: the negated result in the high word, in the low one the operation's place, counted from
  // the slots in units of OPERATION_SIZE.
  a.place(failure);
  a.neg32(0, 0);
  a.sub32(operation, operation, slots);
  a.lsr32Immediate(operation, operation, 6);
  a.orShifted(0, operation, 0, 32);
  a.push(0);
  a.ldr(0, slots, 8 * ERROR_DESCRIPTOR_SLOT);
  a.addImmediate(1, STACK_POINTER, 0);
  a.movImmediate(2, 8);
  a.movImmediate(number, systemCallNumber("write", "arm64"));
  a.svc();
  a.movImmediate(0, 127);
  a.movImmediate(number, systemCallNumber("exit_group", "arm64"));
  a.svc();
  return a.finish();
}
