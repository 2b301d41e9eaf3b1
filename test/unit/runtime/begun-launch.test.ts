import { afterEach, expect, test } from "bun:test";
import type { LaunchProgram } from "../../../src/launch/program.ts";
import { type BegunLaunch, beginLaunch, type LaunchBeginning } from "../../../src/runtime/begun-launch.ts";
import { abandon, awaitFirst } from "../../../src/runtime/conversation.ts";
import type { IdMap } from "../../../src/runtime/id-map/id-mapping.ts";
import { planNamespaces } from "../../../src/runtime/steps/namespaces.ts";
import { descriptorsLeftBy } from "../../open-descriptors.ts";

const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
const idMap: IdMap = {
  uidMappings: [{ containerID: 0, hostID: uid, size: 1 }],
  gidMappings: [{ containerID: 0, hostID: gid, size: 1 }],
};
const namespaces = [{ type: "user" }, { type: "pid" }, { type: "mount" }] as const;

/** Waits for ever, as a supervisor does: it is killed. */
function supervisor(program: LaunchProgram): void {
  const again = program.label("wait");
  program.place(again);
  program.call("ppoll", [0, 0, 0, 0, 0], { operation: "wait" }, { ignore: "any" });
  program.jump(again);
}

const guess = {
  namespaces,
  idMap,
  oomScoreAdj: undefined,
  preservedDescriptors: 0,
  supervisor: { size: 0, emit: supervisor },
};
const wanted: LaunchBeginning = {
  namespaces: planNamespaces(namespaces, undefined, () => -1),
  idMap,
  oomScoreAdj: undefined,
  mounts: [],
  preservedDescriptors: 0,
  size: 1000,
  supervisor: guess.supervisor,
};

let begun: BegunLaunch | undefined;

afterEach(() => {
  begun?.[Symbol.dispose]();
});

/** The children of this process that have not been waited for. */
async function children(): Promise<string> {
  return (await Bun.file("/proc/thread-self/children").text()).trim();
}

test("a launch that was begun is taken over with its process", () => {
  begun = beginLaunch(guess);
  const taken = begun?.takeFor(wanted, false);
  if (taken === undefined) throw new Error("it was not taken");
  const { child, prepared } = taken;
  using _prepared = prepared;
  const { built, ours } = prepared;
  const container = awaitFirst({ child, program: built.program, socket: ours }, built.first);
  expect(container.pid).not.toBe(child.pid);
  // Whoever has it decides on its end.
  begun?.[Symbol.dispose]();
  expect(() => process.kill(container.pid, 0)).not.toThrow();
  abandon(child, container);
  built.program[Symbol.dispose]();
});

test.each<[what: string, others: Partial<LaunchBeginning>, inherits: boolean]>([
  ["other namespaces", { namespaces: planNamespaces([{ type: "user" }], undefined, () => -1) }, false],
  ["a score for lack of memory", { oomScoreAdj: 500 }, false],
  ["other descriptors", { preservedDescriptors: 1 }, false],
  ["a longer program", { size: 2 ** 20 }, false],
  ["other ids", { idMap: { ...idMap, uidMappings: [{ containerID: 1, hostID: uid, size: 1 }] } }, false],
  ["what was opened since", {}, true],
])("a launch is given up when %s is wanted, and nothing of it is left", async (_, others, inherits) => {
  const before = await children();
  const left = descriptorsLeftBy(() => {
    begun = beginLaunch(guess);
    expect(begun?.takeFor({ ...wanted, ...others }, inherits)).toBeUndefined();
  });
  expect(left).toBe(0);
  expect(await children()).toBe(before);
});

test.each([
  ["without a user namespace", [{ type: "mount" }]],
  ["with a time namespace, which needs a process in between", [{ type: "user" }, { type: "time" }]],
] as const)("a launch %s is not begun", (_, others) => {
  begun = beginLaunch({ ...guess, namespaces: others });
  expect(begun).toBeUndefined();
});
