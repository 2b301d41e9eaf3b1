import { expect, test } from "bun:test";
import { LaunchProgram } from "../../../src/launch/program.ts";
import { DECIMAL_SIZE, writeDecimal } from "../../../src/launch/write-decimal.ts";
import { runProgram, unexpected } from "./run-program.ts";

test.each([1, 9, 10, 4_194_304, 1_000_000_000, 2 ** 32 - 1])("%d is written as text", (number) => {
  using program = new LaunchProgram();
  const value = program.slot("value");
  program.set(value, number);
  const { address, buffer } = program.reserve(DECIMAL_SIZE);
  buffer.fill("x");
  writeDecimal(program, value, address);
  program.call("exit_group", [0], unexpected);
  expect(runProgram(program)).toEqual({ failure: undefined, end: { exitCode: 0 } });
  expect(buffer.toString("latin1", 0, buffer.indexOf(0))).toBe(String(number));
});
