import { afterAll, afterEach, beforeAll, expect } from "bun:test";
import { executable } from "../../executable.ts";
import { type BundleChanges, RuntimeSandbox, testUser } from "../../runtime-sandbox.ts";
import type { UserName } from "../../unprivileged-user.ts";

/** What a file of tests needs to call the OCI runtime; usable in tests and hooks, not before. */
export interface Suite {
  readonly box: RuntimeSandbox;
  /** Creates the container `test`, and deletes it whatever `use` does. */
  withCreated(bundle: string, use: () => Promise<void> | void): Promise<void>;
  /** Creates and starts a container that sleeps until it is deleted. */
  withRunning(use: () => Promise<void> | void, changes?: BundleChanges): Promise<void>;
  /** What `state` says. */
  stateOf(id?: string): Record<string, unknown>;
}

/**
 * Registers what belongs before and after the tests of a file; after each test nothing may be left of a container.
 * @param prefix is called before the first test; see `RuntimeSandbox`
 */
export function runtimeSuite(
  name: UserName | "root" = "bunker-test",
  prefix: () => readonly string[] = () => [],
): Suite {
  let box: RuntimeSandbox | undefined;
  beforeAll(() => {
    // Building the executable may take longer than a test.
    executable();
    box = new RuntimeSandbox(testUser(name), prefix());
  }, 120_000);
  afterEach(() => {
    const leftovers = suite.box.leftovers();
    suite.box.cleanUp();
    expect(leftovers).toEqual([]);
  });
  afterAll(() => box?.[Symbol.dispose]());

  const suite: Suite = {
    get box() {
      if (box === undefined) throw new Error("only for use within tests");
      return box;
    },
    async withCreated(bundle, use) {
      const { status, errors } = suite.box.runtime("create", "--bundle", bundle, "test");
      expect({ status, errors }).toEqual({ status: 0, errors: "" });
      try {
        await use();
      } finally {
        suite.box.runtime("delete", "--force", "test");
      }
    },
    async withRunning(use, changes = {}) {
      await suite.withCreated(suite.box.bundle(["sleep", "1000"], changes), async () => {
        expect(suite.box.runtime("start", "test")).toEqual({ status: 0, output: "", errors: "" });
        await use();
      });
    },
    stateOf: (id = "test") => JSON.parse(suite.box.runtime("state", id).output),
  };
  return suite;
}
