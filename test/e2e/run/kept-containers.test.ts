/* Containers that are run without `--rm`: `bunker ps` and `bunker rm`. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { containerSuite } from "./suite.ts";

const suite = containerSuite();

async function keep(name: string, ...command: string[]): Promise<void> {
  await suite.user.bunker(["run", "--name", name, suite.image, ...command]);
}

describe("a container without --rm", () => {
  test("stays when it has ended, is listed with its status, and can be removed", async () => {
    await keep("kept", "sh", "-c", "exit 3");
    const { user } = suite;
    expect((await user.bunker(["ps"])).output).toBe(
      "CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES\n",
    );
    const listed = (await user.bunker(["ps", "-a"])).output.split("\n");
    expect(listed[1]).toMatch(/^[0-9a-f]{12} {3}oci:\S+ +"sh -c 'exit 3'" +.* ago +Exited \(3\) .* ago +kept$/);
    expect(await user.bunker(["rm", "kept"])).toEqual({ status: 0, output: "kept\n", errors: "" });
    expect((await user.bunker(["ps", "-aq"])).output).toBe("");
    expect(readdirSync(`${user.data}/containers`)).toEqual([]);
  });

  test("leaves its configuration", async () => {
    await keep("kept", "true");
    const id = (await suite.user.bunker(["ps", "-aq", "--no-trunc"])).output.trim();
    const configuration = await Bun.file(`${suite.user.data}/containers/${id}/config.json`).json();
    expect(configuration).toMatchObject({ process: { args: ["true"] }, hostname: id.slice(0, 12) });
    expect((await suite.user.bunker(["rm", id.slice(0, 6)])).status).toBe(0);
  });

  test("is removed also with files of other users", async () => {
    await keep("kept", "sh", "-c", "mkdir -m 700 /d && touch /d/f && chown -R 1000:1000 /d");
    const id = (await suite.user.bunker(["ps", "-aq", "--no-trunc"])).output.trim();
    expect((await suite.user.bunker(["rm", "kept"])).errors).toBe("");
    expect(existsSync(`${suite.user.data}/containers/${id}`)).toBe(false);
  });

  test("keeps its name from others, until it is removed", async () => {
    await keep("kept", "true");
    const { status, errors } = await suite.user.bunker(["run", "--name", "kept", suite.image, "true"]);
    expect({ status, errors }).toEqual({
      status: 125,
      errors: expect.stringMatching(
        /^bunker: use the container name "kept": it is in use by container [0-9a-f]{12}\nhint: /,
      ),
    });
    await suite.user.bunker(["rm", "kept"]);
    expect((await suite.user.run(["--name", "kept", suite.image, "true"])).status).toBe(0);
  });
});

describe("bunker rm", () => {
  test("tries each, and ends with 1 if one is missing", async () => {
    await keep("kept", "true");
    expect(await suite.user.bunker(["rm", "missing", "kept"])).toEqual({
      status: 1,
      output: "kept\n",
      errors: "bunker: No such container: missing\n",
    });
  });

  test("refuses a running container", async () => {
    const session = suite.user.talkTo(["--name", "busy", suite.image, "sh", "-c", "echo ready; read line"]);
    await session.expect("ready");
    const { status, errors } = await suite.user.bunker(["rm", "busy"]);
    expect((await suite.user.bunker(["ps"])).output).toMatch(/Up .* busy\n$/);
    session.type("\n");
    await session.finish();
    expect({ status, errors }).toEqual({
      status: 1,
      errors: expect.stringMatching(/^bunker: remove container busy: it is running\nhint: /),
    });
  });
});
