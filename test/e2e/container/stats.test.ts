import { expect, test } from "bun:test";
import { containerSuite } from "../run/suite.ts";

const suite = containerSuite();

async function bunker(...words: string[]): Promise<string> {
  const { status, output, errors } = await suite.user.bunker(words);
  expect({ words, status, errors }).toEqual({ words, status: 0, errors: "" });
  return output;
}

test("stats shows what containers use, of each what is known", async () => {
  await bunker("run", "-d", "--name", "busy", suite.image, "sh", "-c", "while :; do :; done");
  await bunker("run", "-d", "--name", "host", "--network", "host", suite.image, "sleep", "1000");
  await bunker("create", "--name", "idle", suite.image, "true");
  let busy = { CPUPerc: "" };
  while (!(Number.parseFloat(busy.CPUPerc) > 0)) {
    busy = JSON.parse(await bunker("stats", "--no-stream", "--format", "json", "busy"));
  }
  expect(busy).toMatchObject({
    Name: "busy",
    NetIO: expect.stringMatching(/^\S+B \/ \S+B$/),
    MemUsage: expect.stringMatching(/^[1-9]\S*[KM]iB \/ [1-9]\S*GiB$/),
    PIDs: "1",
    Pressure: "--",
  });
  const rows = await bunker("stats", "-a", "--no-stream", "--format", "{{.Name}} {{.NetIO}} {{.PIDs}} {{.MemPerc}}");
  expect(rows).toMatch(/^idle 0B \/ 0B 0 0.00%\nhost -- 1 \d+\.\d\d%\nbusy \S+B \/ \S+B 1 \d+\.\d\d%\n$/);
  const [titles, ...lines] = (await bunker("stats", "--no-stream", "--no-trunc")).split("\n");
  expect(titles).toMatch(/^CONTAINER ID +NAME +CPU % +MEM USAGE \/ LIMIT +MEM % +NET I\/O +BLOCK I\/O +PIDS +PRESSURE/);
  expect(lines.map((line) => line.slice(0, 67).replace(/^\w{64}/, "ID"))).toEqual(["ID   ", "ID   ", ""]);

  // Until the last that was named is gone.
  const stream = suite.user.talk([suite.user.bunkerPath, "stats", "--format", "{{.Name}} {{.PIDs}}", "busy"]);
  await stream.expect("busy 1\nbusy 1\n");
  await bunker("kill", "busy");
  await stream.expect("busy 0\n");
  await bunker("rm", "-f", "busy", "host", "idle");
  expect(await stream.finish()).toMatchObject({ status: 0, errors: "" });

  const missing = await suite.user.bunker(["stats", "--no-stream", "busy"]);
  expect(missing).toMatchObject({ status: 1, errors: "bunker: No such container: busy\n" });
  expect(await bunker("stats", "--no-stream")).toMatch(/^CONTAINER ID .*\n$/);
});

test("stats draws over the list before on a terminal", async () => {
  await bunker("run", "-d", "--name", "shown", suite.image, "sleep", "1000");
  const screen = suite.user.startInTerminal([suite.user.bunkerPath, "stats"]);
  await screen.expect("\x1b[2J");
  await screen.expect("\x1b[HCONTAINER ID");
  await screen.expect(" shown ");
  await screen.expect("\x1b[K\x1b[J");
  await screen.expect("\x1b[HCONTAINER ID");
  screen.type("\x03");
  await screen.process.exited;
  await bunker("rm", "-f", "shown");
});
