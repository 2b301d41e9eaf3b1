import { mkdirSync } from "node:fs";
import { dataDirectory } from "../engine/data-directory.ts";
import { JournalReader, type RecordedEvent } from "../engine/events/read-journal.ts";
import { encodeText } from "../sys/byte-string.ts";
import { DirectoryWatch } from "../sys/directory-watch.ts";
import { Event, Reactor, Timer } from "../sys/reactor.ts";
import { defineCommand } from "./command.ts";
import { filterOption } from "./filters/filter-option.ts";
import { choiceFilter } from "./filters/filter-value.ts";
import { hasLabels } from "./filters/label-filter.ts";
import { parsePointInTime } from "./filters/point-in-time.ts";
import { localTimestamp } from "./format/local-time.ts";
import { executeTemplate, readTemplate } from "./format/user-template.ts";
import { flag, single, singleOrEmpty } from "./option.ts";
import { print } from "./print.ts";

const timeOption = (name: string, description: string) =>
  single({ name, valueName: "TIME", description, parse: (text) => parsePointInTime(text, Date.now()) });

/** `bunker events`. */
export const events = defineCommand(
  {
    options: {
      filters: filterOption(
        ["container", "event", "id", "image", "label", "name", "network", "scope", "secret", "type", "volume"],
        "f",
      ),
      format: singleOrEmpty({
        name: "format",
        valueName: "FORMAT",
        description: "Show them as json, or by a Go template",
        parse: (text) => text,
      }),
      noTruncation: flag({ name: "no-trunc", description: "Show whole ids; they are never shortened" }),
      stream: flag({ name: "stream", description: "Go on with what happens; false ends now", initial: true }),
      since: timeOption("since", "Begin with what happened at a time: a date, or so long before now (10m)"),
      until: timeOption("until", "End with what happens at a time"),
    },
    required: [],
    failureStatus: 1,
  },
  ({ options: { filters, format, since, stream, until: given } }) => {
    const data = dataDirectory();
    mkdirSync(data, { recursive: true, mode: 0o700 });
    const show = printerOf(format);
    const until = stream ? given : Math.min(given ?? Number.POSITIVE_INFINITY, Date.now());
    const types = choiceFilter("type", filters("type"), ["container", "image", "network", "secret", "volume"]);
    const scopes = choiceFilter("scope", filters("scope"), ["local", "swarm"]);
    const any = (values: readonly string[], fits: (value: string) => boolean) =>
      values.length === 0 || values.some(fits);
    let from = since ?? Number.POSITIVE_INFINITY;
    const onEvent = (event: RecordedEvent) => {
      const { name = "", image = "" } = event.attributes;
      const images = event.type === "image" ? [event.id, name] : [image];
      // As with Docker, the beginning of a name will do.
      const isOf = (type: string) => (wanted: string) =>
        event.type === type && (name.startsWith(wanted) || event.id.startsWith(wanted));
      const isWanted =
        event.time >= from &&
        event.time <= (until ?? Number.POSITIVE_INFINITY) &&
        any(filters("container"), isOf("container")) &&
        any(filters("event"), (wanted) => event.action === wanted || event.action.startsWith(`${wanted}: `)) &&
        any(filters("id"), (wanted) => event.id.startsWith(wanted)) &&
        any(filters("image"), (wanted) => images.some((text) => text === wanted || text.startsWith(`${wanted}:`))) &&
        any(filters("name"), (wanted) => name === wanted) &&
        any(filters("network"), isOf("network")) &&
        any(scopes, (wanted) => wanted === "local") &&
        any(filters("secret"), isOf("secret")) &&
        any(types, (wanted) => event.type === wanted) &&
        any(filters("volume"), isOf("volume")) &&
        hasLabels(event.attributes, filters("label"));
      if (isWanted) show(event);
    };
    const journal = new JournalReader(data);
    // Before the first read, so that nothing falls between it and the watch.
    using watch = new DirectoryWatch(encodeText(data));
    if (since !== undefined) journal.readOlder(onEvent);
    journal.readAdded(onEvent);
    if (until !== undefined && until <= Date.now()) return 0;
    from = Number.NEGATIVE_INFINITY;
    using reactor = new Reactor();
    using end = new Timer();
    if (until !== undefined) end.start(until - Date.now());
    reactor.add(end.descriptor.number, Event.IN, () => reactor.stop());
    reactor.add(watch.descriptor.number, Event.IN, () => {
      watch.acknowledge();
      journal.readAdded(onEvent);
    });
    reactor.run();
    return 0;
  },
);

function printerOf(format: string | undefined): (event: RecordedEvent) => void {
  if (format === "json" || format === "{{json .}}") return ({ line }) => print(line);
  if (format === undefined) {
    return ({ time, type, action, id, attributes }) => {
      const shown = Object.entries(attributes)
        .toSorted(([one], [other]) => (one < other ? -1 : 1))
        .map(([key, value]) => `${key}=${value}`);
      const zoned = localTimestamp(time).replace(/(:\d\d)(Z|[+-]\d\d:\d\d)$/, `$1.${fraction(time)}$2`);
      print(`${zoned} ${type} ${action} ${id} (${shown.join(", ")})`);
    };
  }
  const template = readTemplate(format);
  return ({ time, type, action, id, attributes }) => {
    const actor = { Attributes: new Map(Object.entries(attributes)), ID: id };
    const event = {
      Action: action,
      Actor: actor,
      From: attributes["image"] ?? "",
      ID: id,
      Scope: "local",
      Status: action,
      Time: Math.floor(time / 1000),
      TimeNano: Math.floor(time) * 1e6,
      Type: type,
    };
    print(executeTemplate(template, event));
  };
}

/** The digits behind a time's seconds, in nanoseconds. */
function fraction(time: number): string {
  return `${String(Math.floor(time) % 1000).padStart(3, "0")}000000`;
}
