import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Workplace } from "./workplace.ts";

/**
 * Compiles a small program as Bunker is compiled.
 * @returns the executable's path
 */
export function compileProgram(workplace: Workplace, name: string, text: string): string {
  const program = join(workplace.directory, name);
  const source = `${program}.ts`;
  writeFileSync(source, text);
  const options = [
    "--compile",
    "--bytecode",
    "--minify",
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
  ];
  workplace.run(process.execPath, "build", ...options, source, "--outfile", program);
  return program;
}
