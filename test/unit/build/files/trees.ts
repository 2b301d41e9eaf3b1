/** Trees of files for tests: made of a description, and described again. */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { FileDescriptor } from "../../../../src/sys/file-descriptor.ts";
import { OpenFlag } from "../../../../src/sys/open.ts";

/** Paths with contents; `-> TARGET` makes a symbolic link, a slash at the end a directory. */
export type TreeDescription = Readonly<Record<string, string>>;

export class TemporaryTree implements Disposable {
  readonly path: string;
  readonly #root: FileDescriptor;

  constructor(files: TreeDescription = {}) {
    this.path = mkdtempSync(join(tmpdir(), "bunker-tree-"));
    chmodSync(this.path, 0o755);
    this.add(files);
    this.#root = new FileDescriptor(openSync(this.path, OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY));
  }

  get root(): number {
    return this.#root.number;
  }

  add(files: TreeDescription): void {
    for (const [name, content] of Object.entries(files)) {
      const path = this.at(name);
      mkdirSync(dirname(path), { recursive: true });
      if (name.endsWith("/")) mkdirSync(path, { recursive: true });
      else if (content.startsWith("-> ")) symlinkSync(content.slice(3), path);
      else writeFileSync(path, content);
    }
  }

  at(name: string): string {
    return join(this.path, name);
  }

  /** All that is in it, as it was described. */
  describe(): Record<string, string> {
    const found: Record<string, string> = {};
    const visit = (directory: string) => {
      const names = readdirSync(join(this.path, directory)).sort();
      if (names.length === 0 && directory !== "") found[`${directory}/`] = "";
      for (const name of names) {
        const inside = directory === "" ? name : `${directory}/${name}`;
        const status = lstatSync(this.at(inside));
        if (status.isDirectory()) visit(inside);
        else if (status.isSymbolicLink()) found[inside] = `-> ${readlinkSync(this.at(inside))}`;
        else if (status.isFile()) found[inside] = readFileSync(this.at(inside), "utf8");
        else found[inside] = "special";
      }
    };
    visit("");
    return found;
  }

  [Symbol.dispose](): void {
    this.#root.close();
    rmSync(this.path, { recursive: true, force: true });
  }
}
