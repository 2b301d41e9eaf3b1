/* Images of containers: what is in them, what they say of themselves, and what happens while others work on both. */
import { describe, expect, test } from "bun:test";
import { containerSuite } from "../run/suite.ts";
import { succeed } from "./files.ts";

for (const name of ["bunker-test", "bunker-bare"] as const) {
  describe(name, () => {
    const suite = containerSuite(name);
    const bunker = (...words: string[]) => succeed(suite.user, ...words);
    const idle = "echo ready; while :; do sleep 0.05; done";

    /** Brings the image into the store, where a commit needs it. */
    async function load(): Promise<void> {
      await bunker("load", "-i", suite.image.slice("oci:".length, -":latest".length));
    }

    async function inspect(image: string, format: string): Promise<unknown> {
      return JSON.parse(await bunker("image", "inspect", "--format", `{{json ${format}}}`, image));
    }

    async function images(): Promise<string[]> {
      return (await bunker("images", "-q", "--no-trunc")).split("\n").filter((line) => line !== "");
    }

    async function removeImages(): Promise<void> {
      const all = await images();
      if (all.length > 0) await bunker("rmi", "-f", ...new Set(all));
    }

    test("an image of a container that has ended", async () => {
      await load();
      const [base = ""] = await images();
      const script = "mkdir /d && echo one >/d/file && chmod 4711 /d/file && ln /d/file /d/link && rm /bin/vi; true";
      await bunker("run", "--name", "box", "-e", "A=1", "-l", "from=run", base, "sh", "-c", script);
      const words = ["-a", "Ada", "-m", "a message", "-c", 'CMD ["cat", "/d/link"]', "-c", "ENV B=2"];
      const id = (await bunker("commit", ...words, "box", "made:1")).trim();
      expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect(await bunker("run", "--rm", "made:1")).toBe("one\n");
      expect(await bunker("run", "--rm", "made:1", "stat", "-c", "%a %h %u", "/d/file")).toBe("4711 2 0\n");
      expect((await suite.user.bunker(["run", "--rm", "made:1", "test", "-e", "/bin/vi"])).status).toBe(1);
      expect(await bunker("run", "--rm", "made:1", "sh", "-c", "echo $A$B")).toBe("12\n");
      expect(await inspect("made:1", ".Config.Labels")).toMatchObject({ from: "run" });
      expect(await inspect("made:1", ".Author")).toBe("Ada");
      expect(await inspect("made:1", ".Id")).toBe(id);
      const history = await bunker("history", "--no-trunc", "--format", "{{.Comment}}|{{.CreatedBy}}", "made:1");
      expect(history).toStartWith("a message|");
      const below = (await inspect(base, ".RootFS.Layers")) as string[];
      expect(await inspect("made:1", ".RootFS.Layers")).toEqual([...below, expect.stringMatching(/^sha256:/)]);
      await bunker("rm", "box");
      await removeImages();
    });

    test("nothing changed makes no layer; squash makes one; docker's media types", async () => {
      await load();
      const [base = ""] = await images();
      await bunker("create", "--rm", "--name", "box", "-v", "/data", "--expose", "80", base, "true");
      await bunker("commit", "--no-pause", "box", "same");
      expect(await inspect("same", ".Config.ExposedPorts")).toEqual({ "80/tcp": {} });
      expect(await inspect("same", ".Config.Volumes")).toBeNull();
      await bunker("commit", "--include-volumes", "box", "volumes");
      expect(await inspect("volumes", ".Config.Volumes")).toEqual({ "/data": {} });
      expect(await inspect("same", ".RootFS.Layers")).toEqual(await inspect(base, ".RootFS.Layers"));
      await bunker("commit", "--squash", "-f", "docker", "box", "flat");
      expect(await inspect("flat", ".RootFS.Layers")).toHaveLength(1);
      expect(await bunker("run", "--rm", "flat", "sh", "-c", "echo flat")).toBe("flat\n");
      expect(await bunker("save", "--format", "oci-archive", "-o", "/dev/null", "flat")).toBe("");
      await bunker("rm", "-v", "box");
      await removeImages();
    });

    test("a container that runs goes on, and two commits at once make two images", async () => {
      await load();
      const [base = ""] = await images();
      await bunker("run", "-d", "--name", "box", base, "sh", "-c", `echo x >/changed; ${idle}`);
      for (let log = ""; log !== "ready\n"; ) log = await bunker("logs", "box");
      const [one, other] = await Promise.all([
        suite.user.bunker(["commit", "box", "one"]),
        suite.user.bunker(["commit", "-q", "-m", "other", "box", "other"]),
      ]);
      expect(one.errors).toMatch(/^(?:warning: container box has no cgroup of its own[^\n]*\n)?$/);
      expect({ status: one.status, other }).toMatchObject({ status: 0, other: { status: 0, errors: "" } });
      expect(one.output).not.toBe(other.output);
      for (const image of ["one", "other"]) {
        expect(await bunker("run", "--rm", image, "cat", "/changed")).toBe("x\n");
      }
      expect(await bunker("inspect", "--format", "{{.State.Status}}", "box")).toBe("running\n");
      await bunker("rm", "-f", "box");
      await removeImages();
    });

    test("what cannot be committed", async () => {
      await bunker("create", "--name", "box", suite.image, "true");
      const { status, errors } = await suite.user.bunker(["commit", "box", "x"]);
      expect(status).toBe(1);
      expect(errors).toMatch(/^bunker: find the image of the container .*: it is not in the store/);
      const refused = await suite.user.bunker(["commit", "--squash", "-c", "FROM x", "box"]);
      expect({ status: refused.status, output: refused.output }).toEqual({ status: 1, output: "" });
      const misnamed = await suite.user.bunker(["commit", "--squash", "box", "UPPER"]);
      expect({ status: misnamed.status, output: misnamed.output }).toEqual({ status: 1, output: "" });
      expect(await images()).toEqual([]);
      await bunker("commit", "--squash", "box", "all");
      expect(await bunker("run", "--rm", "all", "sh", "-c", "echo all")).toBe("all\n");
      await bunker("rm", "box");
      await removeImages();
    });
  });
}
