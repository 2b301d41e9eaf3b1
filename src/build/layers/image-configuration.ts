import * as v from "valibot";
import type { ConfigurationParameters } from "../../image/configuration-parameters.ts";
import { invalidDocument } from "../../image/documents.ts";
import type { BaseImage } from "./base-image.ts";

const texts = v.array(v.string());
const set = v.record(v.string(), v.looseObject({}));

/** Of the configuration of an image all that its successors take over; what is not known goes with it. */
const documentSchema = v.object({
  author: v.nullish(v.string()),
  created: v.nullish(v.string()),
  "os.version": v.nullish(v.string()),
  "os.features": v.nullish(texts),
  config: v.nullish(
    v.looseObject({
      User: v.nullish(v.string()),
      ExposedPorts: v.nullish(set),
      Env: v.nullish(texts),
      Entrypoint: v.nullish(texts),
      Cmd: v.nullish(texts),
      Volumes: v.nullish(set),
      WorkingDir: v.nullish(v.string()),
      Labels: v.nullish(v.record(v.string(), v.string())),
      StopSignal: v.nullish(v.string()),
      OnBuild: v.nullish(texts),
      Shell: v.nullish(texts),
    }),
  ),
  history: v.nullish(v.array(v.looseObject({ empty_layer: v.nullish(v.boolean()) })), []),
});

/** What the configuration of an image says, as JSON has it. */
export interface BaseDocument {
  readonly author: string | undefined;
  readonly created: string | undefined;
  readonly history: readonly { readonly empty_layer?: boolean | null | undefined }[];
  readonly configuration: ConfigurationParameters;
  readonly triggers: readonly string[];
}

/**
 * Reads what an image passes on to those that are built on it; its triggers are done by them, and so not passed on.
 * @throws BunkerError `image_invalid`
 */
export function readBase({ document, shownName }: BaseImage): BaseDocument {
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), documentSchema), document.toString());
  if (!result.success) throw invalidDocument(`configuration of ${shownName}`, result.issues[0].message);
  const { author, created, config, history } = result.output;
  const { OnBuild, ...rest } = config ?? {};
  const configuration = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null));
  return {
    author: author ?? undefined,
    created: created ?? undefined,
    history: history ?? [],
    // The schema has checked the members that are known by name.
    configuration: configuration as ConfigurationParameters,
    triggers: OnBuild ?? [],
  };
}
