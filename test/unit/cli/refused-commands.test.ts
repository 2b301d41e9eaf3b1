import { expect, test } from "bun:test";
import { bunker } from "../../../src/cli/bunker.ts";
import { container } from "../../../src/cli/container/container.ts";
import { image } from "../../../src/cli/image/image.ts";
import { network } from "../../../src/cli/network/network.ts";
import { refusedCommand } from "../../../src/cli/refused-commands.ts";

const call = (group: typeof bunker, name: string, ...words: string[]) =>
  group.run({ rawArgs: words, data: { name, summary: "", globals: {} } });

test("a command that only others have is refused with the reason", async () => {
  const refused = { code: "command_refused", message: expect.stringContaining("has no command") };
  await expect(call(bunker, "bunker", "pod", "ls")).rejects.toMatchObject(refused);
  await expect(call(bunker, "bunker", "help", "swarm")).rejects.toMatchObject(refused);
  await expect(call(container, "bunker container", "checkpoint", "--all", "web")).rejects.toMatchObject({
    ...refused,
    hint: "bunker commit keeps a container's files.",
  });
  await expect(call(image, "bunker image", "scp", "app", "host::")).rejects.toMatchObject({
    ...refused,
    hint: "bunker save NAME | ssh HOST bunker load brings an image there.",
  });
  await expect(call(network, "bunker network", "reload", "--all")).rejects.toMatchObject({
    ...refused,
    hint: "Leave it out; what changes on the host holds at once.",
  });
});

test.each(["constructor", "toString", "nonsense", "run"])("%s is not refused", (name) => {
  expect(refusedCommand("bunker", name)).toBeUndefined();
});
