import { expect, test } from "bun:test";
import { join } from "node:path";

const module = join(import.meta.dir, "../../../src/sys/just-in-time.ts");
const program = `
  import { compileReadily, compileReluctantly } from ${JSON.stringify(module)};
  function first(value) { return (value * 7 + 1) | 0; }
  function second(value) { return (value * 5 + 2) | 0; }
  let total = 0;
  const call = async (subject) => {
    // Compiled code is put in place between turns.
    for (let turn = 0; turn < 500; turn++) {
      for (let count = 0; count < 20; count++) total += subject(count);
      await null;
    }
  };
  compileReadily();
  await call(first);
  compileReluctantly();
  await call(second);
  console.log(total);
`;

test("functions are compiled once they have been called some thousand times, or are not", () => {
  const { stderr, stdout, success } = Bun.spawnSync([process.execPath, "-e", program], {
    env: { ...process.env, BUN_JSC_reportDFGCompileTimes: "1", BUN_JSC_useConcurrentJIT: "0" },
    stderr: "pipe",
  });
  expect(success).toBe(true);
  const compiled = `${stdout}${stderr}`.split("\n").filter((line) => line.includes("DFG"));
  const names = ["first", "second"];
  expect(names.filter((name) => compiled.some((line) => line.includes(` ${name}#`)))).toEqual(["first"]);
});
