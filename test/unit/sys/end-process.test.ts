import { expect, test } from "bun:test";

const END_PROCESS = `${import.meta.dir}/../../../src/sys/end-process.ts`;

/** What is left of a process that writes, ends itself with a status, and had something to do behind that. */
function ended(status: number): { readonly exitCode: number; readonly stdout: string; readonly stderr: string } {
  const program = `
    import { endProcess } from ${JSON.stringify(END_PROCESS)};
    process.on("exit", () => console.log("asked to be called"));
    setTimeout(() => console.log("later"), 1);
    console.log("output");
    process.stderr.write("warning\\n");
    endProcess(${status});
    console.log("behind the end");
  `;
  const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, "-e", program]);
  return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

test("the process ends where it is, and what it has written is out", () => {
  for (const status of [0, 7, 255]) {
    expect(ended(status)).toEqual({ exitCode: status, stdout: "output\n", stderr: "warning\n" });
  }
});
