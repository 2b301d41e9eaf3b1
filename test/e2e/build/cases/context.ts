import { chmodSync, lutimesSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { archive } from "../../../unit/image/tar-builder.ts";

/** Files of the context of all cases. */
export const FILES_OF_CONTEXT: Readonly<Record<string, string>> = {
  "a.txt": "a\n",
  "b.txt": "b\n",
  "with blank": "blank\n",
  "dir/inner/deep": "deep\n",
  "dir/one": "1\n",
  "dir/two": "2\n",
  "script.sh": "#!/bin/sh\necho script\n",
  "ignored.log": "log\n",
  "kept.log": "kept\n",
  ".dockerignore": "# comment\n*.log\n!kept.log\n.dockerignore\nsecret\n",
  secret: "s3cret\n",
};

/** When everything in the context was changed last, in seconds since 1970. */
const TIME_OF_CONTEXT = 1_234_567_890;

/** With files of other owners. */
export const ARCHIVE = archive([
  { name: "packed/", type: "5", mode: 0o700, uid: 7, gid: 8, modified: 1_000_000_000 },
  { name: "packed/file", content: "packed\n", mode: 0o640, uid: 7, gid: 8, modified: 1_000_000_000 },
  { name: "packed/link", type: "2", linkName: "file", uid: 7, gid: 8, modified: 1_000_000_000 },
]);

/** Gives the files their modes and times, and adds links and archives to them. */
export function completeContext(directory: string): void {
  chmodSync(`${directory}/script.sh`, 0o755);
  chmodSync(`${directory}/dir/two`, 0o600);
  chmodSync(`${directory}/dir/inner`, 0o750);
  symlinkSync("one", `${directory}/dir/link`);
  symlinkSync("dir/inner", `${directory}/to-inner`);
  mkdirSync(`${directory}/empty`);
  writeFileSync(`${directory}/archive.tar`, ARCHIVE);
  writeFileSync(`${directory}/archive.tar.gz`, gzipSync(ARCHIVE));
  for (const [program, ending] of [["bzip2", "bz2"] as const, ["xz", "xz"] as const]) {
    const { stdout, exitCode } = Bun.spawnSync([program, "-c"], { stdin: ARCHIVE });
    if (exitCode !== 0) throw new Error(`${program} has failed`);
    writeFileSync(`${directory}/archive.tar.${ending}`, stdout);
  }
  for (const name of [...readdirSync(directory, { recursive: true }), "."])
    lutimesSync(`${directory}/${name}`, TIME_OF_CONTEXT, TIME_OF_CONTEXT);
}
