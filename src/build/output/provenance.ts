/*
 * The provenance of a built image: a statement of in-toto about it, with SLSA's predicate for builds in the form of
 * BuildKit (slsa.dev/provenance/v0.2), as `--provenance` asks for. `min` names what was built from; `max` adds the
 * Dockerfile and the arguments, which may tell more than everybody should know.
 */
import { type Digest, digestOf, splitDigest } from "../../image/digest.ts";
import { formatPlatform, type Platform } from "../../image/platform.ts";
import type { BuildOptions } from "../build-options.ts";
import type { Dockerfile } from "../dockerfile/instruction.ts";
import type { FoundBase } from "../lint/check-build.ts";

/** The type of the predicate, by which the statement is found. */
export const PROVENANCE_PREDICATE = "https://slsa.dev/provenance/v0.2";

const STATEMENT_TYPE = "https://in-toto.io/Statement/v0.1";
const BUILD_TYPE = "https://mobyproject.org/buildkit@v1";

/** What is told of a build. */
export interface ProvenanceFacts {
  readonly mode: "min" | "max";
  readonly options: BuildOptions;
  readonly dockerfile: Dockerfile;
  /** The images of stages. */
  readonly bases: ReadonlyMap<number, FoundBase>;
  readonly platform: Platform;
  /** Full names of the image. */
  readonly names: readonly string[];
  /** Milliseconds since 1970. */
  readonly started: number;
  readonly finished: number;
}

/** Writes the statement about an image. */
export function provenanceStatement(facts: ProvenanceFacts, manifest: Digest): Buffer {
  const { mode, options, dockerfile, bases, platform, names, started, finished } = facts;
  const { algorithm, hex } = splitDigest(manifest);
  const digest = { [algorithm]: hex };
  const subject = (names.length === 0 ? ["_"] : names).map((name) => ({
    name: name === "_" ? name : purl(name, platform),
    digest,
  }));
  const images = new Map([...bases.values()].map(({ image }) => [image.shownName, image]));
  const materials = [...images].map(([name, { stored }]) => {
    const target = splitDigest(stored.manifest.digest);
    return { uri: purl(name, stored.platform), digest: { [target.algorithm]: target.hex } };
  });
  const args = {
    ...(options.target === undefined ? {} : { target: options.target }),
    ...(mode === "max"
      ? Object.fromEntries([...options.buildArguments].map(([name, value]) => [`build-arg:${name}`, value]))
      : {}),
  };
  const source = dockerfile.source.lines.join("\n");
  return Buffer.from(
    JSON.stringify({
      _type: STATEMENT_TYPE,
      predicateType: PROVENANCE_PREDICATE,
      subject,
      predicate: {
        builder: { id: "" },
        buildType: BUILD_TYPE,
        materials,
        invocation: {
          configSource: { entryPoint: dockerfile.source.name },
          parameters: { frontend: "dockerfile.v0", args, locals: [{ name: "context" }, { name: "dockerfile" }] },
          environment: { platform: formatPlatform(platform) },
        },
        metadata: {
          buildInvocationID: hexOf(digestOf(`${manifest} ${started}`)).slice(0, 25),
          buildStartedOn: new Date(started).toISOString(),
          buildFinishedOn: new Date(finished).toISOString(),
          completeness: { parameters: mode === "max", environment: true, materials: false },
          reproducible: false,
          ...(mode === "max"
            ? {
                "https://mobyproject.org/buildkit@v1#metadata": {
                  source: {
                    infos: [
                      {
                        filename: dockerfile.source.name,
                        language: "Dockerfile",
                        data: Buffer.from(source).toString("base64"),
                      },
                    ],
                  },
                },
              }
            : {}),
        },
      },
    }),
  );
}

/** The package URL of an image, as BuildKit writes it. */
function purl(name: string, platform: Platform): string {
  const [reference = "", digest] = name.split("@");
  const colon = reference.lastIndexOf(":");
  const hasTag = colon > reference.lastIndexOf("/");
  const repository = (hasTag ? reference.slice(0, colon) : reference).replace(/^docker\.io\/(?:library\/)?/, "");
  const tag = hasTag ? `@${reference.slice(colon + 1)}` : "";
  const qualifiers = [
    ...(digest === undefined ? [] : [`digest=${digest}`]),
    `platform=${encodeURIComponent(formatPlatform(platform))}`,
  ];
  return `pkg:docker/${repository}${tag}?${qualifiers.join("&")}`;
}

function hexOf(digest: Digest): string {
  return splitDigest(digest).hex;
}
