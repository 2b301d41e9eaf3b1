/** How long the program itself takes to start. */
import { compileProgram } from "./compile-program.ts";
import { compare } from "./measure.ts";
import type { Workplace } from "./workplace.ts";

export async function measureProgramStart(workplace: Workplace, rounds: number): Promise<string> {
  const { bunker, environment } = workplace;
  const hello = compileProgram(workplace, "hello", 'console.log("Hello, world");\n');
  return compare(
    [
      { name: "hello world", command: [hello], environment },
      { name: "bunker version", command: [bunker, "version"], environment },
      { name: "bunker --help", command: [bunker, "--help"], environment },
    ],
    rounds,
  );
}
