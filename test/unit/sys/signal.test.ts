import { describe, expect, test } from "bun:test";
import { constants } from "node:os";
import { parseSignal, Signal, signalName } from "../../../src/sys/signal.ts";

describe("Signal", () => {
  test("has the numbers that the C library has", () => {
    const known: Readonly<Record<string, number>> = constants.signals;
    for (const [name, number] of Object.entries(Signal)) expect([name, known[name]]).toEqual([name, number]);
  });
});

describe("parseSignal", () => {
  test.each([
    ["SIGTERM", 15],
    ["TERM", 15],
    ["term", 15],
    ["SigKill", 9],
    ["9", 9],
    ["64", 64],
    ["1", 1],
    ["IOT", 6],
    ["CLD", 17],
    ["SIGPOLL", 29],
    ["SIGRTMIN", 34],
    ["RTMIN+3", 37],
    ["rtmin+30", 64],
    ["SIGRTMAX", 64],
    ["SIGRTMAX-2", 62],
  ])("%s is %d", (text, number) => {
    expect(parseSignal(text)).toBe(number);
  });

  test.each(["", "0", "65", "-9", "9.0", "RTMIN+31", "RTMAX+1", "RTMIN-1", "RTMIN+", "constructor", "SIG", " 9"])(
    "refuses %j",
    (text) => {
      expect(() => parseSignal(text)).toThrow(`read signal "${text}": `);
    },
  );

  test("names the nearest signal", () => {
    expect(() => parseSignal("SIGTREM")).toThrow(expect.objectContaining({ hint: "Did you mean SIGTERM?" }));
  });
});

describe("signalName", () => {
  test("undoes parseSignal for every number but those of the C libraries", () => {
    for (let number = 1; number <= 64; number++) {
      if (number === 32 || number === 33) expect(signalName(number)).toBe(`signal ${number}`);
      else expect(parseSignal(signalName(number))).toBe(number);
    }
  });

  test.each([0, -1, 65])("has no name for %d", (number) => {
    expect(signalName(number)).toBe(`signal ${number}`);
  });
});
