/**
 * How long the program itself takes to start: as it was built, and where the kernel had to read it again, as after a
 * restart of the machine.
 */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { compileProgram } from "./compile-program.ts";
import { compare } from "./measure.ts";
import type { Workplace } from "./workplace.ts";

export async function measureProgramStart(workplace: Workplace, rounds: number): Promise<string> {
  const { bunker, environment } = workplace;
  const hello = compileProgram(workplace, "hello", 'console.log("Hello, world");\n');
  return compare(
    [
      { name: "hello world", command: [hello], environment },
      { name: "hello world, read again", command: [readAgain(workplace, hello, "hello-again")], environment },
      { name: "bunker version", command: [bunker, "version"], environment },
      {
        name: "bunker version, read again",
        command: [readAgain(workplace, bunker, "bunker-again"), "version"],
        environment,
      },
      { name: "bunker --help", command: [bunker, "--help"], environment },
    ],
    rounds,
  );
}

/**
 * Copies a program and has the kernel drop the copy from memory.
 * @returns the copy's path
 */
function readAgain(workplace: Workplace, program: string, name: string): string {
  const copy = join(workplace.directory, name);
  copyFileSync(program, copy);
  workplace.run("dd", `of=${copy}`, "oflag=nocache", "conv=notrunc,fdatasync", "count=0", "status=none");
  return copy;
}
