import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Architecture } from "../../../src/sys/architecture.ts";

const commands = {
  "x86-64": ["objdump", "-m", "i386:x86-64", "-M", "intel"],
  arm64: ["aarch64-linux-gnu-objdump", "-m", "aarch64"],
} as const;

/** Disassembles with binutils: one line an instruction, `address: mnemonic operands`, single spaces, no comments. */
export function disassemble(architecture: Architecture, code: Uint8Array): string[] {
  const directory = mkdtempSync(join(tmpdir(), "disassemble-"));
  try {
    const file = join(directory, "code");
    writeFileSync(file, code);
    const command = [...commands[architecture], "--no-show-raw-insn", "-D", "-b", "binary", file];
    const { stdout, stderr, success } = Bun.spawnSync(command);
    if (!success) throw new Error(stderr.toString());
    return stdout
      .toString()
      .split("\n")
      .filter((line) => /^\s*[0-9a-f]+:\s/.test(line))
      .map((line) =>
        line
          .replace(/\/\/.*/, "")
          .replace(/\s+/g, " ")
          .trim(),
      );
  } finally {
    rmSync(directory, { recursive: true });
  }
}
