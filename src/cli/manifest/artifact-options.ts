/** Podman's options that add files to a list, as an artifact. */
import type { ArtifactParts } from "../../image/manifest-list/artifact.ts";
import { BunkerError } from "../../sys/error.ts";
import { InvalidValue } from "../invalid-value.ts";
import { flag, single } from "../option.ts";
import type { OptionValues } from "../option-table.ts";
import { notEmpty } from "../values/words.ts";

/** What Podman calls artifacts of which nobody says what they are. */
const UNKNOWN_TYPE = "application/vnd.unknown.artifact.v1";

const mediaType = (name: string, description: string) =>
  single({ name, valueName: "TYPE/SUBTYPE", description, parse: parseMediaType });

export const artifactOptions = {
  isArtifact: flag({ name: "artifact", description: "Add files, as one artifact, instead of images" }),
  artifactConfiguration: single({
    name: "artifact-config",
    valueName: "FILE",
    description: "The artifact's configuration; empty unless given",
    parse: notEmpty("expected a path"),
  }),
  artifactConfigurationType: mediaType("artifact-config-type", "The media type of the artifact's configuration"),
  artifactExcludesTitles: flag({
    name: "artifact-exclude-titles",
    description: "Do not keep the names of the files in the artifact",
  }),
  artifactLayerType: mediaType("artifact-layer-type", "The media type of the files; by their names unless given"),
  artifactSubject: single({
    name: "artifact-subject",
    valueName: "IMAGE",
    description: "The image that the artifact is about",
    parse: notEmpty("expected an image"),
  }),
  artifactType: mediaType("artifact-type", `The media type of the artifact (${UNKNOWN_TYPE})`),
} as const;

/**
 * The artifact that is asked for, without its subject.
 * @param files the operands
 * @param all whether `--all` was given, which is about images
 * @returns undefined when the operands are images
 * @throws BunkerError `conflicting_options`
 */
export function artifactOf(
  options: OptionValues<typeof artifactOptions>,
  files: readonly string[],
  all: boolean,
): Omit<ArtifactParts, "subject"> | undefined {
  const { artifactConfiguration, artifactConfigurationType, artifactExcludesTitles, artifactLayerType } = options;
  const { artifactSubject, artifactType, isArtifact } = options;
  if (isArtifact) {
    if (all) throw conflict("--all and --artifact exclude each other");
    return {
      files,
      type: artifactType ?? UNKNOWN_TYPE,
      layerType: artifactLayerType,
      configuration: artifactConfiguration,
      configurationType: artifactConfigurationType,
      hasTitles: !artifactExcludesTitles,
    };
  }
  const values = [artifactConfiguration, artifactConfigurationType, artifactLayerType, artifactSubject, artifactType];
  if (artifactExcludesTitles || values.some((value) => value !== undefined)) {
    throw conflict("what is said of an artifact needs --artifact");
  }
  return undefined;
}

function conflict(operation: string): BunkerError {
  return new BunkerError({ code: "conflicting_options", operation });
}

/** RFC 6838, section 4.2. */
function parseMediaType(text: string): string {
  if (/^[A-Za-z0-9][\w!#$&^.+-]{0,126}\/[A-Za-z0-9][\w!#$&^.+-]{0,126}$/.test(text)) return text;
  throw new InvalidValue("expected TYPE/SUBTYPE, such as application/json");
}
