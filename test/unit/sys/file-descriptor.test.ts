import { expect, test } from "bun:test";
import { closeSync, fstatSync, openSync } from "node:fs";
import { FileDescriptor } from "../../../src/sys/file-descriptor.ts";

const open = () => openSync("/dev/null", "r");

test("closes at the end of its block", () => {
  const number = open();
  {
    using descriptor = new FileDescriptor(number);
    expect(descriptor.number).toBe(number);
    fstatSync(number);
  }
  expect(() => fstatSync(number)).toThrow("EBADF");
});

test("closes once only: the number may be somebody else's by then", () => {
  const descriptor = new FileDescriptor(open());
  const { number } = descriptor;
  descriptor.close();
  // The lowest free number is given out, so this is the same one.
  const other = open();
  try {
    expect(other).toBe(number);
    descriptor.close();
    descriptor[Symbol.dispose]();
    fstatSync(other);
  } finally {
    closeSync(other);
  }
});

test("a released descriptor stays open", () => {
  const descriptor = new FileDescriptor(open());
  const number = descriptor.release();
  try {
    descriptor.close();
    fstatSync(number);
    expect(() => descriptor.release()).toThrow("closed");
  } finally {
    closeSync(number);
  }
});

test("its number cannot be had once it is closed", () => {
  const descriptor = new FileDescriptor(open());
  descriptor.close();
  expect(() => descriptor.number).toThrow("file descriptor used after it was closed");
});
