/*
 * `stats`: what containers use, again and again. The share of the processors is that of the time between two looks, so
 * that the first list comes after a second. On a terminal each list takes the place of the one before; elsewhere they
 * follow each other. Which containers there are is asked anew for each list.
 */

import { guestProcesses } from "../../engine/container-processes.ts";
import { dataDirectory } from "../../engine/data-directory.ts";
import { findContainer, listContainers } from "../../engine/lifecycle/find-container.ts";
import { type Container, openContainers } from "../../engine/state/containers.ts";
import { type ContainerUsage, containersUsage, processorPercent } from "../../engine/statistics/container-usage.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { defineCommand } from "../command.ts";
import { listFormatOption } from "../format/format-option.ts";
import { binarySize, humanSize } from "../format/human-size.ts";
import { formatList, type ListDescription } from "../format/list-output.ts";
import { liveList, liveListOptions } from "../format/live-list.ts";
import { shortId } from "../format/short-id.ts";
import type { Structure } from "../format/template/value.ts";
import { flag } from "../option.ts";
import { latestOption } from "./latest-option.ts";
import { meantContainers } from "./meant-containers.ts";
import { isAlive } from "./status-text.ts";

const FIRST_INTERVAL = 1000;
const UNKNOWN = "--";

const statisticsList: ListDescription = {
  titles: {
    BlockIO: "BLOCK I/O",
    CPUPerc: "CPU %",
    Container: "CONTAINER",
    ID: "CONTAINER ID",
    MemPerc: "MEM %",
    MemUsage: "MEM USAGE / LIMIT",
    Name: "NAME",
    NetIO: "NET I/O",
    PIDs: "PIDS",
    Pressure: "PRESSURE CPU / MEM / IO",
  },
  columns: ["ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs", "Pressure"],
};

/** `bunker stats`. */
export const stats = defineCommand(
  {
    options: {
      all: flag({ name: "all", short: "a", description: "Show all containers, not only those that run" }),
      latest: latestOption,
      format: listFormatOption,
      ...liveListOptions,
      whole: flag({ name: "no-trunc", description: "Do not shorten ids" }),
    },
    required: [],
    optional: "[CONTAINER...]",
    failureStatus: 1,
  },
  async ({ options: { all, format, interval, latest, noReset, noStream, whole }, operands }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const names = latest ? await meantContainers("bunker stats", operands, { latest, all })(database, data) : operands;
    const look = lookAt(database, data, names, all);
    const show = liveList({ noReset, noStream });
    let before = look();
    for (let wait = FIRST_INTERVAL; ; wait = interval * 1000) {
      if (before.usage.size > 0 || !noStream) await Bun.sleep(wait);
      const now = look();
      if (names.length > 0 && now.containers.length === 0) return 0;
      const rows = now.containers.map((container) =>
        row(container, before.usage.get(container.id), now.usage.get(container.id), whole),
      );
      const text = await formatList(statisticsList, format, rows);
      show(text);
      if (noStream) return 0;
      before = now;
    }
  },
);

/**
 * Makes what looks at the containers that are meant, and at what they use.
 * @throws BunkerError `no_such_container`: at the first look, those that are named have to be there
 */
function lookAt(database: StateDatabase, data: string, references: readonly string[], all: boolean) {
  const named = references.map((reference) => findContainer(database, data, reference).id);
  return () => {
    const everybody = listContainers(database, data);
    const containers =
      named.length > 0
        ? [...new Set(named)].flatMap((id) => everybody.find((container) => container.id === id) ?? [])
        : everybody.filter((container) => all || isAlive(container));
    return { containers, usage: containersUsage(containers, guestProcesses(everybody)) };
  };
}

/** A container that does not run uses nothing, as Docker has it. */
function row(
  { id, name }: Container,
  before: ContainerUsage | undefined,
  usage: ContainerUsage | undefined,
  isWhole: boolean,
): Structure {
  const shown = isWhole ? id : shortId(id);
  const texts = usage === undefined ? NOTHING : textsOf(before, usage);
  return {
    BlockIO: texts.block,
    CPUPerc: texts.processor,
    Container: shown,
    ID: shown,
    MemPerc: texts.memoryShare,
    MemUsage: texts.memory,
    Name: name,
    NetIO: texts.network,
    PIDs: texts.tasks,
    Pressure: texts.pressure,
  };
}

const NOTHING: ReturnType<typeof textsOf> = {
  block: "0B / 0B",
  processor: percent(0),
  memoryShare: percent(0),
  memory: "0B / 0B",
  network: "0B / 0B",
  tasks: "0",
  pressure: UNKNOWN,
};

function textsOf(before: ContainerUsage | undefined, usage: ContainerUsage) {
  const { block, memory, memoryLimit, network, pressure, tasks } = usage;
  return {
    block: block === undefined ? UNKNOWN : `${humanSize(block.read)} / ${humanSize(block.written)}`,
    processor: percent(processorPercent(before, usage)),
    memoryShare: percent((100 * memory) / memoryLimit),
    memory: `${binarySize(memory)} / ${binarySize(memoryLimit)}`,
    network: network === undefined ? UNKNOWN : `${humanSize(network.received)} / ${humanSize(network.sent)}`,
    tasks: String(tasks),
    pressure:
      pressure === undefined
        ? UNKNOWN
        : [pressure.cpu, pressure.memory, pressure.io].map((value) => percent(value)).join(" / "),
  };
}

function percent(value: number | undefined): string {
  return value === undefined ? UNKNOWN : `${value.toFixed(2)}%`;
}
