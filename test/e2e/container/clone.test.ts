import { expect, test } from "bun:test";
import { containerSuite } from "../run/suite.ts";

const suite = containerSuite();

async function bunker(...words: string[]): Promise<string> {
  const { status, output, errors } = await suite.user.bunker(words);
  expect({ words, status, errors }).toEqual({ words, status: 0, errors: "" });
  return output;
}

const script = "echo $A $(ulimit -n) $(cat /vol/f) $(hostname | wc -c); ls /written 2>/dev/null; touch /written /vol/g";

test("a clone is made as the other one was, from its image, and not from its files", async () => {
  const shared = suite.user.makeDirectory("shared");
  await suite.user.execute(["sh", "-c", `echo shared >${shared}/f`]);
  const options = ["-e", "A=1", "--ulimit", "nofile=333", "--ulimit", "core=-1", "--label", "l=m"];
  // The source is named from the directory of the command.
  const created = await suite.user.bunker(
    ["create", "--name", "first", ...options, "-v", "./shared:/vol", suite.image, "sh", "-c", script],
    { directory: suite.user.directory },
  );
  expect(created).toMatchObject({ status: 0, errors: "" });
  expect(await bunker("start", "-a", "first")).toBe("1 333 shared 13\n");
  expect(await bunker("start", "-a", "first")).toBe("1 333 shared 13\n/written\n");

  const id = (await bunker("container", "clone", "first")).trim();
  expect(await bunker("inspect", "--format", "{{.Name}} {{.State.Status}} {{.Config.Labels.l}}", id)).toBe(
    "/first-clone created m\n",
  );
  expect(await bunker("start", "-a", "first-clone")).toBe("1 333 shared 13\n");
  await bunker("container", "clone", "first");
  const running = (await bunker("container", "clone", "--run", "first-clone", "third")).trim();
  expect(await bunker("wait", "third")).toBe("0\n");
  expect(await bunker("logs", running)).toBe("1 333 shared 13\n");
  expect(await bunker("ps", "-a", "--format", "{{.Names}}")).toBe("third\nfirst-clone1\nfirst-clone\nfirst\n");
  await bunker("rm", "-a");
});

test("a clone may take the other one's place", async () => {
  await bunker("run", "-d", "--name", "old", suite.image, "sleep", "1000");
  const refused = await suite.user.bunker(["container", "clone", "--destroy", "old"]);
  expect(refused.errors).toBe(
    "bunker: remove container old: it is running\nhint: Stop it first, or say --force too.\n",
  );
  expect(await bunker("ps", "-a", "--format", "{{.Names}}")).toBe("old\n");
  await bunker("container", "clone", "--destroy", "--force", "--name", "new", "old");
  expect(await bunker("ps", "-a", "--format", "{{.Names}} {{.State}}")).toBe("new created\n");
  for (const [words, message] of [
    [["new", "a b"], /use the container name "a b"/],
    [["new", "new"], /the container name "new": it is in use/],
    [["none"], /No such container: none/],
  ] as const) {
    const { status, errors } = await suite.user.bunker(["container", "clone", ...words]);
    expect(errors).toMatch(message);
    expect(status).not.toBe(0);
  }
  await suite.user.execute([
    "sh",
    "-c",
    `for f in ${suite.user.data}/containers/*/request.json; do echo rubbish >"$f"; done`,
  ]);
  expect((await suite.user.bunker(["container", "clone", "new"])).errors).toMatch(
    /written by another version of Bunker/,
  );
  await bunker("rm", "new");
});
