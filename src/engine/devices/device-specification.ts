/*
 * The documents of the Container Device Interface (CDI), up to its version 1.1: what a container needs so that it can use a
 * device. They are foreign and they are strict: an unknown member may be what the device does not work without.
 */
import * as v from "valibot";
import { lazily } from "../../lazily.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { nodeFileSystem } from "../../sys/node-modules.ts";

/** Most of it ends up with the kernel, where a NUL would end it early. */
const text = lazily(() =>
  v.pipe(
    v.string(),
    v.check((value) => !value.includes("\0"), "it contains a NUL character"),
  ),
);
const absolutePath = lazily(() => v.pipe(text(), v.startsWith("/", "expected an absolute path")));
const id = lazily(() => v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 32 - 2)));

/** An object without further members; in the words of what is loaded in any case. */
function strictObject<Entries extends v.ObjectEntries>(entries: Entries) {
  const surplus = (value: Readonly<Record<string, unknown>>) =>
    Object.keys(value).find((key) => !Object.hasOwn(entries, key));
  return v.pipe(
    v.record(v.string(), v.unknown()),
    v.check(
      (value) => surplus(value) === undefined,
      ({ input }) => `there is no member ${surplus(input)}`,
    ),
    v.object(entries),
  );
}

const editsSchema = lazily(() =>
  strictObject({
    env: v.nullish(v.array(v.pipe(text(), v.regex(/^[^=]+=/, "expected NAME=VALUE"))), []),
    deviceNodes: v.nullish(
      v.array(
        strictObject({
          path: absolutePath(),
          hostPath: v.nullish(absolutePath()),
          type: v.nullish(v.picklist(["b", "c", "u", "p", ""])),
          major: v.nullish(v.number()),
          minor: v.nullish(v.number()),
          fileMode: v.nullish(v.number()),
          permissions: v.nullish(v.pipe(v.string(), v.regex(/^[rwm]*$/, "expected some of r, w and m"))),
          uid: v.nullish(id()),
          gid: v.nullish(id()),
        }),
      ),
      [],
    ),
    mounts: v.nullish(
      v.array(
        strictObject({
          hostPath: text(),
          containerPath: absolutePath(),
          type: v.nullish(text()),
          options: v.nullish(v.array(text()), []),
        }),
      ),
      [],
    ),
    hooks: v.nullish(
      v.array(
        strictObject({
          hookName: v.picklist([
            "prestart",
            "createRuntime",
            "createContainer",
            "startContainer",
            "poststart",
            "poststop",
          ]),
          path: absolutePath(),
          args: v.nullish(v.array(text())),
          env: v.nullish(v.array(text())),
          timeout: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(0x7fff_ffff))),
        }),
      ),
      [],
    ),
    additionalGids: v.nullish(v.array(id()), []),
    // What these two are is only of interest when a device asks for them: it cannot have it.
    intelRdt: v.nullish(v.looseObject({})),
    netDevices: v.nullish(v.array(v.looseObject({}))),
  }),
);

const annotations = lazily(() => v.nullish(v.record(v.string(), v.string())));

const specificationSchema = lazily(() =>
  strictObject({
    cdiVersion: v.pipe(v.string(), v.regex(/^(0\.[3-8]|1\.[01])\.\d+$/, "expected a version from 0.3 to 1.1")),
    kind: v.pipe(
      v.string(),
      v.regex(/^[A-Za-z]([\w.-]*[A-Za-z0-9])?\/[A-Za-z]([\w.-]*[A-Za-z0-9])?$/, "expected vendor.com/class"),
    ),
    annotations: annotations(),
    devices: v.pipe(
      v.array(
        strictObject({
          name: v.pipe(v.string(), v.regex(/^[A-Za-z0-9]([\w.:-]*[A-Za-z0-9])?$/, "expected a device's name")),
          annotations: annotations(),
          containerEdits: editsSchema(),
        }),
      ),
      v.check((devices) => devices.length > 0, "expected a device"),
      v.check(
        (devices) => new Set(devices.map(({ name }) => name)).size === devices.length,
        "two devices have one name",
      ),
    ),
    containerEdits: v.nullish(editsSchema()),
  }),
);

/** What is done to a container for a device. */
export type ContainerEdits = Readonly<v.InferOutput<ReturnType<typeof editsSchema>>>;
/** A specification of devices of one kind. */
export type DeviceSpecification = Readonly<v.InferOutput<ReturnType<typeof specificationSchema>>>;

/**
 * Reads a specification, which is JSON or YAML by its name.
 * @throws BunkerError `device_specification_invalid`, `device_specification_unreadable`
 */
export function readDeviceSpecification(path: string): DeviceSpecification {
  const operation = "read the specification of devices";
  let content: string;
  try {
    content = nodeFileSystem().readFileSync(path, "utf8");
  } catch (error) {
    throw new BunkerError({ code: "device_specification_unreadable", operation, object: path, errno: errnoOf(error) });
  }
  const invalid = (reason: string) =>
    new BunkerError({ code: "device_specification_invalid", operation, object: path, reason });
  let document: unknown;
  try {
    document = path.endsWith(".json") ? JSON.parse(content) : Bun.YAML.parse(content);
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error));
  }
  const result = v.safeParse(specificationSchema(), document, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw invalid([v.getDotPath(issue) ?? [], issue.message].flat().join(": "));
}
