import { expect, test } from "bun:test";
import { join } from "node:path";

const module = join(import.meta.dir, "../../../src/sys/without-slowest-compiler.ts");
const program = `
  import { withoutSlowestCompiler } from ${JSON.stringify(module)};
  function compiled(value) { let sum = 0; for (let bit = 1; bit < 99; bit++) sum += value ^ bit; return sum; }
  function spared(value) { let sum = 0; for (let bit = 1; bit < 98; bit++) sum += value ^ bit; return sum; }
  class Sparing { sparedMethod(value) { let sum = 0; for (let bit = 1; bit < 97; bit++) sum += value ^ bit; return sum; } }
  const sparing = new Sparing();
  withoutSlowestCompiler(spared, Sparing);
  let total = 0;
  for (let turn = 0; turn < 200000; turn++) total += compiled(turn) + spared(turn) + sparing.sparedMethod(turn);
  console.log(total);
`;

test("functions and methods are kept from it, and no others", () => {
  const { stderr, stdout, success } = Bun.spawnSync([process.execPath, "-e", program], {
    env: { ...process.env, BUN_JSC_reportFTLCompileTimes: "1", BUN_JSC_useConcurrentJIT: "0" },
    stderr: "pipe",
  });
  expect(success).toBe(true);
  const compiled = `${stdout}${stderr}`.split("\n").filter((line) => line.includes("FTL"));
  const names = ["compiled", "spared", "sparedMethod"];
  expect(names.filter((name) => compiled.some((line) => line.includes(` ${name}#`)))).toEqual(["compiled"]);
});
