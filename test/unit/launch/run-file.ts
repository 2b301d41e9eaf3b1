import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Architecture, hostArchitecture } from "../../../src/sys/architecture.ts";

const emulators = { "x86-64": "qemu-x86_64-static", arm64: "qemu-aarch64-static" } as const;

/** An executable file on disk, and the words that run it: through QEMU unless it is of this machine's architecture. */
export interface ExecutableFile extends Disposable {
  readonly command: readonly string[];
}

/** Writes an executable file to a temporary directory. */
export function executableFile(architecture: Architecture, content: Uint8Array): ExecutableFile {
  const directory = mkdtempSync(join(tmpdir(), "executable-"));
  const file = join(directory, "file");
  writeFileSync(file, content, { mode: 0o755 });
  return {
    command: architecture === hostArchitecture() ? [file] : [emulators[architecture], file],
    [Symbol.dispose]: () => rmSync(directory, { recursive: true }),
  };
}
