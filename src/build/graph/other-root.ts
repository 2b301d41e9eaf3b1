/** Root file systems that instructions take files from: other stages, images, and files from outside. */
import { DockerfileError } from "../dockerfile/dockerfile-error.ts";
import type { RunMount, Stage } from "../dockerfile/instruction.ts";
import { findStage } from "../dockerfile/parse-dockerfile.ts";
import type { SourceLocation } from "../dockerfile/source-text.ts";
import { Vertex } from "../progress.ts";
import type { BuildSources } from "../sources.ts";
import { atPlaceLater } from "./at-place.ts";
import { type CopyStep, copyDefinition, copyInputs } from "./copy-step.ts";
import type { PlanContext } from "./plan-stage.ts";
import type { BuildSession } from "./session.ts";
import { imageNode, type RootNode, Step, scratchNode } from "./step.ts";

/**
 * A stage above, a named context or an image, as `--from` names it.
 * @param stage in which it is named
 * @throws DockerfileError for a stage that is not above
 */
export function rootNamed(context: PlanContext, stage: Stage, name: string, location: SourceLocation): RootNode {
  const { dockerfile, sources, session } = context;
  const named = sources.named(name);
  const above = named === undefined ? findStage(dockerfile, name, stage.index) : undefined;
  if (above !== undefined) return lateNode(() => context.plan(above).then(({ node }) => node));
  if (named === undefined) {
    if (/^\d+$/.test(name))
      throw new DockerfileError(location, `invalid stage index ${name}: there is no such stage above`);
    if (name.toLowerCase() === stage.from.stageName) {
      throw new DockerfileError(location, `circular dependency detected on stage: ${name}`);
    }
    if (findStage(dockerfile, name, dockerfile.stages.length) !== undefined) {
      throw new DockerfileError(location, `stage ${JSON.stringify(name)} needs to be defined before the current stage`);
    }
  }
  if (named?.kind === "files") {
    const vertex = new Vertex(session.observer, `[context ${name}] load from ${name}`);
    return rootOfFiles(session, { vertex, location, name, open: named.open });
  }
  const source = named ?? { kind: "image", name };
  const vertex = new Vertex(session.observer, `FROM ${source.name}`);
  return lateNode(() =>
    atPlaceLater(location, () => context.image(source, context.platform)).then((base) => imageNode(base, vertex)),
  );
}

/**
 * What a mount of a RUN is from; undefined for nothing.
 * @param prefix of the names of the stage's vertices
 */
export function rootOfMount(
  context: PlanContext,
  stage: Stage,
  mount: RunMount,
  location: SourceLocation,
  prefix: string,
): RootNode | undefined {
  if (mount.type !== "bind" && mount.type !== "cache") return undefined;
  if (mount.type === "cache" && mount.from === undefined) return undefined;
  if (mount.from !== undefined) return rootNamed(context, stage, mount.from, location);
  const { sources, session } = context;
  const vertex = new Vertex(session.observer, `[${prefix}context] ${mount.source}`);
  return rootOfFiles(session, { vertex, location, name: "context", open: sources.context, path: mount.source });
}

/** Files from outside that become a root file system. */
export interface OutsideFiles {
  readonly vertex: Vertex;
  readonly location: SourceLocation;
  /** Of the context. */
  readonly name: string;
  readonly open: BuildSources["context"];
  /** What of them is taken; everything unless given. */
  readonly path?: string;
}

/** A root file system with files from outside. */
export function rootOfFiles(
  session: BuildSession,
  { vertex, location, name, open, path = "/" }: OutsideFiles,
): RootNode {
  const isRoot = path === "/" || path === "";
  const step: CopyStep = {
    sources: [{ from: { kind: "outside", open }, paths: [path], unpacks: false }],
    destination: isRoot ? "/" : path,
    chown: undefined,
    chmod: undefined,
    excluded: [],
    keepsParents: false,
  };
  const { inputs, stamps } = copyInputs(session, step);
  return new Step(session, {
    ...{ vertex, below: scratchNode(), inputs, isIndependent: false, ignoresCache: false, isContext: true },
    definition: { ...copyDefinition(step), name },
    execute: (work) =>
      atPlaceLater(location, async () => {
        const { executeCopy } = await import("./execute-copy-step.ts");
        await executeCopy(session, step, stamps, false, work);
      }),
  });
}

/** A node that is only known once something else is. */
function lateNode(open: () => Promise<RootNode>): RootNode {
  let node: RootNode | undefined;
  let opening: Promise<RootNode> | undefined;
  const opened = () => {
    opening ??= open().then((found) => {
      node = found;
      return found;
    });
    return opening;
  };
  return {
    keys: async () => (await opened()).keys(),
    make: async () => (await opened()).make(),
    // It is asked for when its keys are there.
    base: () => node?.base(),
    chain: () => node?.chain() ?? [],
    showCached: () => node?.showCached(),
  };
}
