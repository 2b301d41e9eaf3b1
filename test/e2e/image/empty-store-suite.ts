import { afterAll, afterEach, beforeAll, beforeEach, expect, setDefaultTimeout } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { busyboxLayout } from "../../fixtures/images.ts";
import { type Outcome, output, UnprivilegedUser } from "../../unprivileged-user.ts";

/** What a file needs of tests that each begin with an empty store; usable in tests and hooks, not before. */
export interface EmptyStoreSuite {
  readonly user: UnprivilegedUser;
  /** A directory of the user's for each test. */
  readonly directory: string;
  /** Runs `bunker` to its end. */
  bunker(...words: readonly string[]): Promise<Outcome>;
}

/** Registers what belongs before and after tests: each has an empty store, and has to leave nothing beside images. */
export function emptyStoreSuite(): EmptyStoreSuite {
  setDefaultTimeout(120_000);
  let user: UnprivilegedUser | undefined;
  let directory = "";
  beforeAll(() => {
    // Building the executable may take longer than a test.
    user = new UnprivilegedUser();
  }, 300_000);
  afterAll(() => user?.[Symbol.dispose]());
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "bunker-store-"));
    suite.user.own(directory);
  });
  afterEach(async () => {
    const { data } = suite.user;
    const staged = existsSync(`${data}/tmp`) ? readdirSync(`${data}/tmp`) : [];
    rmSync(directory, { recursive: true });
    output(["rm", "-rf", data]);
    await suite.user.expectNothingLeft();
    expect(staged).toEqual([]);
  });

  const suite: EmptyStoreSuite = {
    get user() {
      if (user === undefined) throw new Error("only for use within tests");
      return user;
    },
    get directory() {
      return directory;
    },
    bunker: (...words) => suite.user.bunker(words),
  };
  return suite;
}

/** The name of the busybox image. */
export function busybox(): string {
  return `oci:${busyboxLayout()}:latest`;
}

/** The digest of the manifest or index that an image's name, as skopeo has it, leads to. */
export function rawDigest(image: string): string {
  const raw = output(["skopeo", "inspect", "--raw", "--tls-verify=false", image]);
  return `sha256:${new Bun.CryptoHasher("sha256").update(raw).digest("hex")}`;
}
