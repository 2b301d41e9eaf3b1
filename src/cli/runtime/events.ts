import { readAccounts } from "../../cgroup/accounting.ts";
import { MemoryWatch } from "../../cgroup/memory-watch.ts";
import { formatExactJson } from "../../runtime/configuration/configuration.ts";
import { containerCgroup } from "../../runtime/lifecycle/container-cgroup.ts";
import { openContainerProcess } from "../../runtime/lifecycle/container-processes.ts";
import { ContainerDirectory } from "../../runtime/lifecycle/container-record.ts";
import { stateRoot } from "../../runtime/lifecycle/state-root.ts";
import { Event, Reactor, Timer } from "../../sys/reactor.ts";
import { defineCommand } from "../command.ts";
import { flag, single } from "../option.ts";
import { print } from "../print.ts";
import { parseDuration } from "../values/duration.ts";
import type { RuntimeGlobals } from "./globals.ts";
import { usageReport } from "./usage-report.ts";

/** `bunker runtime events`: one JSON object a line, in runc's form. */
export const events = defineCommand(
  {
    options: {
      interval: single({
        name: "interval",
        valueName: "DURATION",
        description: "How often usage is shown",
        parse: parseDuration,
        initial: 5000,
        initialText: "5s",
      }),
      stats: flag({ name: "stats", description: "Show the usage once" }),
    },
    required: ["ID"],
  },
  ({ options, operands: [id] }, globals: RuntimeGlobals) => {
    using directory = ContainerDirectory.open(stateRoot(globals.root), id);
    const { path } = containerCgroup(directory, "measure");
    const show = (type: string, data?: object) => print(formatExactJson({ type, id, data }));
    const showUsage = () => {
      const usage = readAccounts(path);
      if (usage !== undefined) show("stats", usageReport(usage));
    };
    if (options.stats) {
      showUsage();
      return 0;
    }
    using cleanup = new DisposableStack();
    const reactor = cleanup.use(new Reactor());
    const container = cleanup.use(openContainerProcess(directory, "measure"));
    const memory = cleanup.use(new MemoryWatch(path));
    const timer = cleanup.use(new Timer());
    reactor.add(container.number, Event.IN, () => reactor.stop());
    reactor.add(memory.descriptor.number, Event.IN, () => {
      if (memory.take().some(({ event }) => event === "oom_kill")) show("oom");
    });
    reactor.add(timer.descriptor.number, Event.IN, () => {
      timer.acknowledge();
      showUsage();
    });
    timer.start(options.interval || 1, options.interval || 1);
    reactor.run();
    // What the container has died of.
    if (memory.take().some(({ event }) => event === "oom_kill")) show("oom");
    return 0;
  },
);
