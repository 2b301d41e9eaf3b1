import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { allocate } from "../../../src/sys/memory.ts";
import { check, SystemCall, systemCall } from "../../../src/sys/system-call.ts";
import { UnixListener } from "../../unix-listener.ts";
import { finish } from "../../unprivileged-user.ts";
import { runtimeSuite } from "./suite.ts";

const suite = runtimeSuite();

const SECCOMP_IOCTL_NOTIF_RECV = 0xc0502100;
const SECCOMP_IOCTL_NOTIF_SEND = 0xc0182101;

test("a listener's descriptor goes to the agent, which answers", async () => {
  const path = join(suite.box.path, "agent");
  using agent = new UnixListener(path);
  Bun.spawnSync(["chmod", "777", path]);
  const seccomp = {
    defaultAction: "SCMP_ACT_ALLOW" as const,
    listenerPath: path,
    listenerMetadata: "for the agent",
    syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_NOTIFY" as const }],
  };
  const bundle = suite.box.bundle(["sh", "-c", "mkdir /data/never; echo $?"], { linux: { seccomp } });
  const child = suite.box.start("run", "--bundle", bundle, "test");
  const { text, descriptor } = await agent.receive();
  using listener = descriptor;
  expect(JSON.parse(text)).toMatchObject({
    ociVersion: "1.2.0",
    fds: ["seccompFd"],
    pid: expect.any(Number),
    metadata: "for the agent",
    state: { id: "test", bundle, status: "creating" },
  });
  const request = allocate(80);
  check(systemCall(SystemCall.ioctl, listener.number, SECCOMP_IOCTL_NOTIF_RECV, request.address), "receive");
  const response = allocate(24);
  request.buffer.copy(response.buffer, 0, 0, 8);
  const EXDEV = 18;
  response.view.setInt32(16, -EXDEV, true);
  check(systemCall(SystemCall.ioctl, listener.number, SECCOMP_IOCTL_NOTIF_SEND, response.address), "answer");
  expect(await finish(child)).toMatchObject({
    status: 0,
    output: "1\n",
    errors: "mkdir: can't create directory '/data/never': Invalid cross-device link\n",
  });
  rmSync(path);
});

test("an agent that is not there", () => {
  const seccomp = {
    defaultAction: "SCMP_ACT_ALLOW" as const,
    listenerPath: join(suite.box.path, "nobody"),
    syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_NOTIFY" as const }],
  };
  const { status, errors } = suite.box.run(["true"], { linux: { seccomp } });
  expect({ status, errors }).toEqual({
    status: 1,
    errors: expect.stringMatching(/^bunker: connect to .*nobody: ENOENT/),
  });
});
