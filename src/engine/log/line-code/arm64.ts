/*
 * What makes records of lines, for arm64: a function of the address of the structure in line-work.ts.
 *
 *   x0             the structure
 *   x1 x3 x5       the next byte, the end of all bytes, the end of what may be one line
 *   x2             where the next byte of the record goes
 *   x4             the table
 *   x6 x7          a byte and what becomes of it; whatever else
 */
import { Arm64Assembler, Condition } from "../../../launch/assembler/arm64.ts";
import { ByteKind, Digit, LONGEST_LINE, WorkField } from "./line-work.ts";

const [work, source, destination, sourceEnd, table, lineEnd, byte, other] = [0, 1, 2, 3, 4, 5, 6, 7] as const;

/**
 * Emits the function for arm64.
 * @param betweenLength how many bytes stand between the texts of two lines; they are copied in eights
 */
export function emitArm64LineCode(betweenLength: number): Uint8Array {
  const a = new Arm64Assembler();
  const beginLine = a.label();
  const bounded = a.label();
  const next = a.label();
  const special = a.label();
  const newline = a.label();
  const count = a.label();
  const increment = a.label();
  const done = a.label();

  a.ldr(source, work, WorkField.source);
  a.ldr(sourceEnd, work, WorkField.sourceEnd);
  a.ldr(destination, work, WorkField.destination);
  a.ldr(table, work, WorkField.table);

  a.place(beginLine);
  a.str(source, work, WorkField.source);
  a.str(destination, work, WorkField.destination);
  a.ldr(other, work, WorkField.destinationLimit);
  a.cmp(other, destination);
  a.bCondition(Condition.carryClear, done);
  a.movImmediate(other, LONGEST_LINE);
  a.add(lineEnd, source, other);
  a.cmp(lineEnd, sourceEnd);
  a.bCondition(Condition.lowerOrSame, bounded);
  a.mov(lineEnd, sourceEnd);
  a.place(bounded);

  a.place(next);
  a.cmp(source, lineEnd);
  a.bCondition(Condition.equal, done);
  a.ldrb(byte, source, 0);
  a.addImmediate(source, source, 1);
  a.ldrScaled(other, table, byte);
  a.cbnz(other, special);
  a.strb(byte, destination, 0);
  a.addImmediate(destination, destination, 1);
  a.b(next);

  a.place(special);
  a.lsrImmediate(byte, other, 56);
  a.cmp32Immediate(byte, ByteKind.newline);
  a.bCondition(Condition.equal, newline);
  a.cmp32Immediate(byte, ByteKind.stop);
  a.bCondition(Condition.equal, done);
  a.str(other, destination, 0);
  a.add(destination, destination, byte);
  a.b(next);

  a.place(newline);
  a.ldr(byte, work, WorkField.between);
  for (let offset = 0; offset < betweenLength; offset += 8) {
    a.ldr(other, byte, offset);
    a.str(other, destination, offset);
  }
  a.addImmediate(destination, destination, betweenLength);
  a.ldr(other, work, WorkField.lastDigit);
  a.place(count);
  a.ldrb(byte, other, 0);
  a.cmp32Immediate(byte, Digit.nine);
  a.bCondition(Condition.carryClear, increment);
  a.movImmediate(byte, Digit.zero);
  a.strb(byte, other, 0);
  a.subImmediate(other, other, 1);
  a.ldr(byte, work, WorkField.firstDigit);
  a.cmp(byte, other);
  a.bCondition(Condition.lowerOrSame, count);
  a.b(beginLine);
  a.place(increment);
  a.addImmediate(byte, byte, 1);
  a.strb(byte, other, 0);
  a.b(beginLine);

  a.place(done);
  a.ret();
  return a.finish();
}
