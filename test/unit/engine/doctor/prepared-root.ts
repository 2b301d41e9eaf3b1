import { afterEach, beforeEach } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Caller } from "../../../../src/engine/doctor/finding.ts";

export const alice: Caller = { uid: 1000, gids: [1000, 20], name: "alice", isPrivileged: false };
export const root: Caller = { uid: 0, gids: [0], name: "root", isPrivileged: true };

/** A directory in the place of the host's `/`; usable in tests and hooks, not before. */
export interface PreparedRoot {
  readonly path: string;
  /** Makes files, by their paths; a path that ends with a slash is a directory, a text that begins with `-> ` a link. */
  prepare(files: Readonly<Record<string, string>>): void;
}

/** A fresh one for each test of a file. */
export function preparedRoot(): PreparedRoot {
  let path = "";
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), "doctor-"));
  });
  afterEach(() => rmSync(path, { recursive: true }));
  return {
    get path() {
      return path;
    },
    prepare(files) {
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(name.endsWith("/") ? path + name : dirname(path + name), { recursive: true });
        if (text.startsWith("-> ")) symlinkSync(text.slice(3), path + name);
        else if (!name.endsWith("/")) writeFileSync(path + name, text);
      }
    },
  };
}
