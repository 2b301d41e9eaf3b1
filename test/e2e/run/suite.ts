import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { busyboxLayout } from "../../fixtures/images.ts";
import { UnprivilegedUser, type UserName } from "../../unprivileged-user.ts";

/** Options of `bunker run`, a shell script, and what it has to print. */
type Row = readonly [options: readonly string[], script: string, expected: string | RegExp];

/** What a file of tests needs to run containers; usable in tests and hooks, not before. */
export interface Suite {
  readonly user: UnprivilegedUser;
  /** The name of the busybox image. */
  readonly image: string;
  /** What a shell script in a container prints; it has to end well and say nothing on standard error. */
  inside(options: readonly string[], script: string, image?: string): Promise<string>;
  /** Registers a test for each row. */
  check(rows: readonly Row[], image?: string): void;
}

/** Registers what belongs before and after the tests of a file; after each test nothing may be left of a container. */
export function containerSuite(name: UserName = "bunker-test"): Suite {
  setDefaultTimeout(60_000);
  let user: UnprivilegedUser | undefined;
  let layout = "";
  beforeAll(() => {
    // Building the executable and the image may take longer than a test.
    user = new UnprivilegedUser(name);
    layout = `oci:${busyboxLayout()}`;
  }, 300_000);
  afterEach(() => suite.user.expectNothingLeft());
  afterAll(() => user?.[Symbol.dispose]());

  const suite: Suite = {
    get user() {
      if (user === undefined) throw new Error("only for use within tests");
      return user;
    },
    get image() {
      return `${layout}:latest`;
    },
    async inside(options, script, image = "latest") {
      const entry = image === "latest" ? [] : ["--entrypoint", ""];
      const words = [...options, ...entry, `${layout}:${image}`, "sh", "-c", script];
      const { status, output, errors } = await suite.user.run(words);
      expect({ status, errors }).toEqual({ status: 0, errors: "" });
      return output;
    },
    check(rows, image) {
      test.each(rows.map((row) => [row[0].join(" ") || "by default", ...row] as const))(
        "%s",
        async (_name, options, script, expected) => {
          const output = await suite.inside(options, script, image);
          if (typeof expected === "string") expect(output).toBe(expected);
          else expect(output).toMatch(expected);
        },
      );
    },
  };
  return suite;
}
