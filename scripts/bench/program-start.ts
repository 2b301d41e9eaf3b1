/** How long the program itself takes to start. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { compare } from "./measure.ts";
import type { Workplace } from "./workplace.ts";

export async function measureProgramStart(workplace: Workplace, rounds: number): Promise<string> {
  const { bunker, directory, environment } = workplace;
  const source = join(directory, "hello.ts");
  const hello = join(directory, "hello");
  writeFileSync(source, 'console.log("Hello, world");\n');
  const options = [
    "--compile",
    "--bytecode",
    "--minify",
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
  ];
  workplace.run(process.execPath, "build", ...options, source, "--outfile", hello);
  return compare(
    [
      { name: "hello world", command: [hello], environment },
      { name: "bunker version", command: [bunker, "version"], environment },
      { name: "bunker --help", command: [bunker, "--help"], environment },
    ],
    rounds,
  );
}
