import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout } from "bun:test";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { busyboxLayout } from "../../fixtures/images.ts";
import { type Outcome, type RunSettings, UnprivilegedUser } from "../../unprivileged-user.ts";

/** What a file of tests needs to build images; usable in tests and hooks, not before. */
export interface BuildSuite {
  readonly user: UnprivilegedUser;
  /** Makes a build context; the names of files lead to their contents. */
  context(files: Readonly<Record<string, string>>): string;
  /** Runs `bunker build` with plain progress. */
  build(context: string, options?: readonly string[], settings?: RunSettings): Promise<Outcome>;
  /** The same, which has to end well; returns the progress. */
  built(context: string, options?: readonly string[], settings?: RunSettings): Promise<string>;
  /** What a shell script prints in a container of an image; it has to end well. */
  inside(image: string, script: string): Promise<string>;
}

/** Registers what belongs before and after the tests of a file; the image `busybox` is there. */
export function buildSuite(): BuildSuite {
  setDefaultTimeout(60_000);
  let user: UnprivilegedUser | undefined;
  beforeAll(async () => {
    // Building the executable and the image may take longer than a test.
    user = new UnprivilegedUser();
    const copied = await user.bunker(["copy", "-q", `oci:${busyboxLayout()}:latest`, "busybox"]);
    expect(copied).toMatchObject({ status: 0 });
  }, 300_000);
  afterEach(() => suite.user.expectNothingLeft());
  afterAll(() => user?.[Symbol.dispose]());
  const suite: BuildSuite = {
    get user() {
      if (user === undefined) throw new Error("only for use within tests");
      return user;
    },
    context(files) {
      const directory = mkdtempSync(join(suite.user.directory, "context-"));
      for (const [name, content] of Object.entries(files)) {
        mkdirSync(dirname(join(directory, name)), { recursive: true });
        writeFileSync(join(directory, name), content);
      }
      suite.user.own(directory);
      return directory;
    },
    build: (context, options = [], settings = {}) =>
      suite.user.bunker(["build", "--progress", "plain", ...options, context], settings),
    async built(context, options, settings) {
      const { status, errors } = await suite.build(context, options, settings);
      if (status !== 0) throw new Error(`the build has failed:\n${errors}`);
      return errors;
    },
    async inside(image, script) {
      const { status, output, errors } = await suite.user.bunker(["run", "--rm", image, "sh", "-c", script]);
      expect({ status, errors }).toEqual({ status: 0, errors: "" });
      return output;
    },
  };
  return suite;
}

/** How each step has ended, by its instruction: `CACHED`, `DONE`, `ERROR`, `CANCELED`. */
export function ends(progress: string): Record<string, string> {
  const names = new Map(
    [...progress.matchAll(/^#(\d+) \[[^\]]*\d+\/\d+\] (.*)$/gm)].map(([, number, name]) => [number, name]),
  );
  return Object.fromEntries(
    [...progress.matchAll(/^#(\d+) (CACHED|DONE|ERROR|CANCELED)/gm)].flatMap(([, number, end = ""]) => {
      const name = names.get(number);
      return name === undefined ? [] : [[name, end]];
    }),
  );
}
