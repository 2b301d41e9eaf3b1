/* Many containers of one user at the same time. */
import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { debianImages } from "../../fixtures/images.ts";
import { containerSuite } from "./suite.ts";

const suite = containerSuite();

const times = (count: number) => Array.from({ length: count }, (_, index) => index);

describe("at once", () => {
  test("ten containers run, all together, each with its own files and name", async () => {
    const sessions = times(10).map((index) =>
      suite.user.talkTo([
        "--name",
        `number-${index}`,
        suite.image,
        "sh",
        "-c",
        `echo ${index} >/mine; hostname; read x; cat /mine`,
      ]),
    );
    const names = await Promise.all(sessions.map((session) => session.expect(/[0-9a-f]{12}\n/)));
    expect(new Set(names).size).toBe(10);
    expect(readdirSync(`${suite.user.data}/containers`).length).toBe(10);
    const outcomes = await Promise.all(sessions.map((session) => session.finish()));
    expect(outcomes.map(({ output }) => output)).toEqual(names.map((name, index) => `${name}${index}\n`));
  });

  test("fifty containers come and go", async () => {
    const words = [suite.image, "sh", "-c", "echo $((6 * 7))"];
    for (const _round of times(5)) {
      const outcomes = await Promise.all(times(10).map(() => suite.user.run(words)));
      expect(outcomes).toEqual(times(10).map(() => ({ status: 0, output: "42\n", errors: "" })));
    }
  });

  test("of those who want one name, one gets it", async () => {
    const sessions = times(5).map(() =>
      suite.user.talkTo(["--name", "wanted", suite.image, "sh", "-c", "echo got it; read x"]),
    );
    const winner = await Promise.any(sessions.map((session) => session.expect("got it\n").then(() => session)));
    const losers = sessions.filter((session) => session !== winner);
    for (const loser of losers) {
      const { status, errors } = await loser.finish();
      expect(errors).toMatch(/^bunker: use the container name "wanted": it is in use/);
      expect(status).toBe(125);
    }
    expect((await winner.finish()).status).toBe(1);
  });

  test("first runs of one image unpack it whole, whoever does it", async () => {
    const environment = { XDG_DATA_HOME: suite.user.makeDirectory("empty-data") };
    const words = [debianImages().gzip, "sh", "-c", "dpkg --verify | grep -v ' c '; find / -xdev | wc -l"];
    const outcomes = await Promise.all(times(3).map(() => suite.user.run(words, { environment })));
    expect(outcomes[0]).toMatchObject({ status: 0, errors: "" });
    expect(outcomes).toEqual(times(3).map(() => outcomes[0] ?? expect.anything()));
    expect(readdirSync(`${environment.XDG_DATA_HOME}/bunker/layers`).length).toBe(1);
    expect(readdirSync(`${environment.XDG_DATA_HOME}/bunker/tmp`)).toEqual([]);
  });
});
