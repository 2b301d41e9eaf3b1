import { expect, test } from "bun:test";
import { SERVING_SETTINGS, servingEnvironment } from "../../../src/sys/own-command.ts";

test("a process that serves has this one's environment, and the settings once", () => {
  const inherited = process.env["BUN_JSC_useFTLJIT"];
  try {
    process.env["BUN_JSC_useFTLJIT"] = "1";
    const environment = servingEnvironment();
    expect(environment).toContain(`PATH=${process.env["PATH"]}`);
    expect(environment.filter((entry) => /^(BUN_JSC_use|MIMALLOC_)/.test(entry))).toEqual([...SERVING_SETTINGS]);
  } finally {
    if (inherited === undefined) delete process.env["BUN_JSC_useFTLJIT"];
    else process.env["BUN_JSC_useFTLJIT"] = inherited;
  }
});

test("Bun knows the settings", () => {
  const settings = Object.fromEntries(SERVING_SETTINGS.map((setting) => setting.split("=")));
  // What allocates much is what memory would be kept ready for.
  const code = `
    const { readdirSync, readFileSync } = require("node:fs");
    globalThis.kept = Array.from({ length: 1e5 }, (_, index) => ({ index }));
    console.log(readdirSync("/proc/self/task").map((id) => readFileSync(\`/proc/self/task/\${id}/comm\`, "utf8")).join(""));`;
  const { stdout, stderr, exitCode } = Bun.spawnSync([process.execPath, "-e", code], {
    env: { ...process.env, ...settings },
  });
  expect({ exitCode, errors: stderr.toString() }).toEqual({ exitCode: 0, errors: "" });
  expect(stdout.toString()).not.toContain("JSCWarmUp");
});

test("with the first of them a hot loop is not given to the last compiler", () => {
  const loop = "let sum = 0; for (let i = 0; i < 3e7; i++) sum += i % 7; console.log(sum);";
  const [name = "", value = ""] = (SERVING_SETTINGS[0] ?? "").split("=");
  const compiled = (setting: Record<string, string>) => {
    // Compiled at once, not beside the loop, which a busy machine would let end before.
    const settings = { BUN_JSC_reportFTLCompileTimes: "1", BUN_JSC_useConcurrentJIT: "0", ...setting };
    const environment = { ...process.env, ...settings };
    const { stdout, stderr } = Bun.spawnSync([process.execPath, "-e", loop], { env: environment });
    return `${stdout}${stderr}`.includes("using FTL");
  };
  expect(compiled({ [name]: "1" })).toBe(true);
  expect(compiled({ [name]: value })).toBe(false);
});
