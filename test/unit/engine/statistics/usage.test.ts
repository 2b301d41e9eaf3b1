import { expect, test } from "bun:test";
import { processesOfEach } from "../../../../src/engine/container-processes.ts";
import { type ContainerUsage, processorPercent } from "../../../../src/engine/statistics/container-usage.ts";
import { networkTraffic, trafficIn } from "../../../../src/engine/statistics/network-traffic.ts";
import { processUsage } from "../../../../src/engine/statistics/process-usage.ts";

/** Runs a shell script that says when it has come to where it waits, looks at it there, and ends it. */
async function lookAt<Result>(words: readonly string[], look: (pid: number) => Result): Promise<Result> {
  const child = Bun.spawn([...words], { stdin: "pipe", stdout: "pipe" });
  try {
    const reader = child.stdout.getReader();
    expect((await reader.read()).done).toBe(false);
    return look(child.pid);
  } finally {
    await child.stdin.end();
    await child.exited;
  }
}

test("what a process that was waited for has used is counted with its parent", async () => {
  const burn = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
  const usage = await lookAt(["sh", "-c", `(${burn}); echo; read _`], (pid) => processUsage([pid]));
  expect(usage.processorTime).toBeGreaterThan(0.02);
  expect(usage.memory).toBeGreaterThan(0);
  expect(usage.tasks).toBe(1);
});

test("what one has used that nobody has waited for is counted, but neither as memory nor as a task", async () => {
  const script = "import os, sys\nif os.fork() == 0: os._exit(0)\nos.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)\n";
  const words = ["python3", "-c", `${script}print(flush=True)\nsys.stdin.read()`];
  const { count, usage } = await lookAt(words, (pid) => {
    const processes = processesOfEach([pid]).get(pid) ?? [];
    return { count: processes.length, usage: processUsage(processes) };
  });
  expect(count).toBe(2);
  expect(usage.tasks).toBe(1);
  expect(usage.block).toBeDefined();
});

test("a process that has ended has used nothing", () => {
  const child = Bun.spawnSync(["true"]);
  expect(processUsage([child.pid])).toEqual({
    processorTime: 0,
    memory: 0,
    block: { read: 0, written: 0 },
    tasks: 0,
  });
});

test("containers without a pid namespace have what descends from their first process", async () => {
  const counts = await lookAt(["sh", "-c", "sleep 100 & echo; read _; kill $!"], (pid) => {
    const processes = processesOfEach([pid, process.pid]);
    return { own: processes.get(pid)?.length, isOurs: processes.get(process.pid)?.includes(pid) };
  });
  expect(counts).toEqual({ own: 2, isOurs: false });
});

test("those with one have its members and what descends from these", async () => {
  const words = ["unshare", "-r", "--pid", "--fork", "--kill-child", "sh", "-c"];
  const nested = "unshare -r --pid --fork --kill-child sh -c 'echo; read _'";
  const count = await lookAt([...words, nested], (outside) => {
    const [first = 0] =
      processesOfEach([outside])
        .get(outside)
        ?.filter((pid) => pid !== outside) ?? [];
    return processesOfEach([first]).get(first)?.length;
  });
  // The first shell may have executed the inner unshare in its place.
  expect(count).toBeGreaterThanOrEqual(2);
});

test("traffic is that of all interfaces but the loopback, in a network namespace of its own", async () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:   99       1    0    0    0     0          0         0       99       1    0    0    0     0       0          0
  tap0: 1000       9    0    0    0     0          0         0      200       3    0    0    0     0       0          0
eth1:1234567890123 9    0    0    0     0          0         0      3       3    0    0    0     0       0          0
`;
  expect(trafficIn(text)).toEqual({ received: 1_234_567_891_123, sent: 203 });
  expect(networkTraffic(process.pid)).toBeUndefined();
  const own = ["unshare", "--user", "--net", "sh", "-c", "echo; read _"];
  expect(await lookAt(own, networkTraffic)).toEqual({ received: 0, sent: 0 });
});

test("the share of a processor is that between two looks", () => {
  const at = (time: number, processorTime: number): ContainerUsage => ({
    time,
    processorTime,
    memory: 0,
    memoryLimit: 1,
    block: undefined,
    tasks: 1,
    network: undefined,
    pressure: undefined,
  });
  expect(processorPercent(at(1000, 1), at(3000, 4))).toBe(150);
  expect(processorPercent(at(1000, 4), at(3000, 1))).toBe(0);
  expect(processorPercent(undefined, at(3000, 1))).toBeUndefined();
});
