import { expandInstruction } from "../dockerfile/expand-instruction.ts";
import type { Dockerfile, Stage } from "../dockerfile/instruction.ts";
import type { SourceLocation } from "../dockerfile/source-text.ts";
import { fromScope, type GlobalArguments } from "../graph/stage-variables.ts";

/** A stage that can be built. */
export interface DescribedTarget {
  /** Undefined for a stage without a name. */
  readonly name: string | undefined;
  readonly isDefault: boolean;
  /** What the comment above its FROM says of it. */
  readonly description: string;
  readonly base: string;
  readonly platform: string | undefined;
  readonly location: SourceLocation;
}

/**
 * Lists the stages of a Dockerfile that `--target` can name, and the last one.
 * @throws DockerfileError for variables of a FROM that are wrong
 */
export function describeTargets({ stages }: Dockerfile, global: GlobalArguments): readonly DescribedTarget[] {
  return stages.flatMap((stage): DescribedTarget[] => {
    const { stageName: name, location } = stage.from;
    const isDefault = stage.index === stages.length - 1;
    if (name === undefined && !isDefault) return [];
    const { base, platform } = expandInstruction(stage.from, fromScope(global));
    return [{ name, isDefault, description: descriptionOf(stage), base, platform: platform || undefined, location }];
  });
}

/** What the comment above a stage's FROM says of it. */
export function descriptionOf({ from }: Stage): string {
  return from.stageName === undefined ? "" : commentOn(from.stageName, from.comments);
}

/** Of the lines of comment above an instruction what is said of a name: that which begins with it. */
export function commentOn(name: string, comments: readonly string[]): string {
  const line = comments.find((comment) => comment.toLowerCase().startsWith(`${name.toLowerCase()} `));
  return line === undefined ? "" : line.slice(name.length + 1).trim();
}
