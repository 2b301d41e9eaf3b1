import { describe, expect, test } from "bun:test";
import { healthAfter, startupAfter } from "../../../../src/engine/health/check-health.ts";
import { healthCheckOf } from "../../../../src/engine/health/health-check.ts";
import type { Health } from "../../../../src/engine/state/containers.ts";

const check = {
  test: ["CMD", "true"],
  interval: 1000,
  timeout: 1000,
  startPeriod: 0,
  startInterval: 5000,
  retries: 2,
};
const starting: Health = { status: "starting", failingStreak: 0, log: [] };
const result = (exitStatus: number) => ({ start: 1, end: 2, exitStatus, output: "" });

describe("the results of health checks", () => {
  test("one success is health, whatever was before", () => {
    expect(healthAfter(starting, result(0), check, true).status).toBe("healthy");
    const ill: Health = { status: "unhealthy", failingStreak: 7, log: [] };
    expect(healthAfter(ill, result(0), check, false)).toMatchObject({ status: "healthy", failingStreak: 0 });
  });

  test("as many failures in a row as there are retries are illness", () => {
    const once = healthAfter(starting, result(1), check, false);
    expect(once).toMatchObject({ status: "starting", failingStreak: 1 });
    expect(healthAfter(once, result(-1), check, false)).toMatchObject({ status: "unhealthy", failingStreak: 2 });
  });

  test("failures at the beginning do not count", () => {
    expect(healthAfter(starting, result(1), check, true)).toMatchObject({ status: "starting", failingStreak: 0 });
  });

  test("the last five are kept", () => {
    let health = starting;
    for (let status = 1; status <= 7; status++) health = healthAfter(health, result(status), check, false);
    expect(health.log.map(({ exitStatus }) => exitStatus)).toEqual([3, 4, 5, 6, 7]);
  });
});

test("a check that comes first has to succeed so many times in a row", () => {
  const startup = { test: ["CMD-SHELL", "up"], interval: 1, timeout: 1, retries: 0, successes: 2 };
  const first: Health = { ...starting, startupSuccesses: 0 };
  const once = startupAfter(first, result(0), check, startup);
  expect(once).toMatchObject({ status: "starting", startupSuccesses: 1 });
  const failed = startupAfter(once, result(1), check, startup);
  expect(failed).toMatchObject({ status: "starting", startupSuccesses: 0, failingStreak: 1 });
  const again = startupAfter(startupAfter(failed, result(0), check, startup), result(0), check, startup);
  expect(again).toMatchObject({ status: "starting", startupSuccesses: undefined, failingStreak: 0 });
});

test("all results are kept, if that is wanted", () => {
  let health = starting;
  for (let status = 1; status <= 9; status++) {
    health = healthAfter(health, result(status), { ...check, maximumResults: 0 }, false);
  }
  expect(health.log).toHaveLength(9);
});

describe("the health check of a container", () => {
  const none = {
    disabled: false,
    command: undefined,
    interval: undefined,
    timeout: undefined,
    startPeriod: undefined,
    startInterval: undefined,
    retries: undefined,
  };
  const image = { Test: ["CMD", "/check"], Interval: 2e9, Retries: 5 };

  test("is the image's, with Docker's defaults", () => {
    expect(healthCheckOf(none, image, undefined)).toEqual({
      test: ["CMD", "/check"],
      interval: 2000,
      timeout: 30_000,
      startPeriod: 0,
      startInterval: 5000,
      retries: 5,
    });
  });

  test("the user's command and numbers come first", () => {
    expect(healthCheckOf({ ...none, command: "exit 1", interval: 10, retries: 1 }, image, undefined)).toMatchObject({
      test: ["CMD-SHELL", "exit 1"],
      interval: 10,
      retries: 1,
    });
  });

  test("is executed by the image's shell", () => {
    const bash = ["/bin/bash", "-c"];
    expect(healthCheckOf(none, image, bash)?.shell).toEqual(bash);
    expect(healthCheckOf({ ...none, command: "exit 1" }, undefined, bash)?.shell).toEqual(bash);
    for (const nothing of [[], null]) expect(healthCheckOf(none, image, nothing)?.shell).toBeUndefined();
  });

  test("there is none without a test, with NONE, and when the user says so", () => {
    expect(healthCheckOf(none, undefined, undefined)).toBeUndefined();
    expect(healthCheckOf(none, { Test: ["NONE"] }, undefined)).toBeUndefined();
    expect(healthCheckOf({ ...none, disabled: true }, image, undefined)).toBeUndefined();
  });
});
