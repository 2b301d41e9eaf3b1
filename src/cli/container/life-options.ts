import { labelOption } from "../label-option.ts";
import { flag, list, single, singleOrEmpty } from "../option.ts";
import { parseCheckDuration } from "../values/duration.ts";
import {
  parseAnnotation,
  parseLabel,
  parseLogDriver,
  parseRestartPolicy,
  parseSignalName,
  parseStreamName,
} from "../values/life-values.ts";
import { integerBetween } from "../values/numbers.ts";

const asWritten = (text: string) => text;
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** The options of `run` and `create` about a container's life: its end, its health, its log and what it is called. */
export const lifeOptions = {
  attach: list({
    name: "attach",
    short: "a",
    valueName: "STREAM",
    description: "Attach to stdin, stdout or stderr only",
    parse: parseStreamName,
  }),
  idFile: singleOrEmpty({
    name: "cidfile",
    valueName: "FILE",
    description: "Write the id to a file",
    parse: asWritten,
  }),
  labels: labelOption,
  labelFiles: list({
    name: "label-file",
    valueName: "FILE",
    description: "Read labels from a file, one a line",
    parse: asWritten,
  }),
  annotations: list({
    name: "annotation",
    valueName: "KEY=VALUE",
    description: "Set an annotation of the OCI configuration",
    parse: parseAnnotation,
  }),
  restart: singleOrEmpty({
    name: "restart",
    valueName: "no|always|unless-stopped|on-failure[:COUNT]",
    description: "When to start it again after its end",
    parse: parseRestartPolicy,
    initial: { name: "no", maximumRetryCount: 0 },
    initialText: "no",
  }),
  stopSignal: singleOrEmpty({
    name: "stop-signal",
    valueName: "SIGNAL",
    description: "The signal that asks it to end",
    parse: parseSignalName,
  }),
  stopTimeout: single({
    name: "stop-timeout",
    valueName: "SECONDS",
    description: "How long it has for that before it is killed; -1 for ever",
    parse: integerBetween(-1, LONGEST_TIMEOUT),
  }),
  healthCommand: single({
    name: "health-cmd",
    valueName: "COMMAND",
    description: "Check its health by a shell command in it",
    parse: asWritten,
  }),
  healthInterval: single({
    name: "health-interval",
    valueName: "DURATION",
    description: "Time between checks (30s)",
    parse: parseCheckDuration,
  }),
  healthTimeout: single({
    name: "health-timeout",
    valueName: "DURATION",
    description: "How long a check may take (30s)",
    parse: parseCheckDuration,
  }),
  healthStartPeriod: single({
    name: "health-start-period",
    valueName: "DURATION",
    description: "Time at the beginning during which failures do not count (0s)",
    parse: parseCheckDuration,
  }),
  healthStartInterval: single({
    name: "health-start-interval",
    valueName: "DURATION",
    description: "Time between checks during that (5s)",
    parse: parseCheckDuration,
  }),
  healthRetries: single({
    name: "health-retries",
    valueName: "COUNT",
    description: "Failures in a row that make it unhealthy (3)",
    parse: integerBetween(0, 1_000_000),
  }),
  noHealthCheck: flag({ name: "no-healthcheck", description: "Do not check its health, whatever the image says" }),
  logDriver: single({
    name: "log-driver",
    valueName: "json-file|local|journald|none",
    description: "How its output is logged",
    parse: parseLogDriver,
    initial: "json-file",
    initialText: "json-file",
  }),
  logOptions: list({
    name: "log-opt",
    valueName: "KEY=VALUE",
    description: "max-size, max-file or compress",
    parse: parseLabel,
  }),
} as const;

/** Whether a command that is attached passes on the signals that it gets. */
export const signalProxyOption = flag({
  name: "sig-proxy",
  description: "Pass the signals that this command gets on to it",
  initial: true,
});

/** The option that passes descriptors on. */
export const preservedDescriptorsOption = single({
  name: "preserve-fds",
  valueName: "COUNT",
  description: "Pass so many file descriptors from 3 on to it",
  parse: integerBetween(0, 1024),
  initial: 0,
  initialText: "0",
});

/** The option that sets the keys which detach from a container. */
export const detachKeysOption = single({
  name: "detach-keys",
  valueName: "KEYS",
  description: "The keys that detach from it (ctrl-p,ctrl-q)",
  parse: asWritten,
});
