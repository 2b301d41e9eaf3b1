/** What can be said of an image in a list; Podman's options, of which Docker has some. */
import type { Annotation } from "../../image/manifest-list/manifest-list.ts";
import { InvalidValue } from "../invalid-value.ts";
import { list, single } from "../option.ts";
import type { OptionValues } from "../option-table.ts";

const text = (name: string, valueName: string, description: string) =>
  single({ name, valueName, description, parse: notEmpty });

const texts = (name: string, description: string) =>
  list({ name, valueName: "FEATURE[,FEATURE]", description, parse: (value) => notEmpty(value).split(",") });

/**
 * `--annotation`
 * @param whom what is annotated
 */
export const annotationOption = (whom: string) =>
  list({ name: "annotation", valueName: "NAME=VALUE", description: `Annotate ${whom}`, parse: parseAnnotation });

/** The options that describe a member. */
export const memberOptions = {
  annotations: annotationOption("the image"),
  architecture: text("arch", "ARCHITECTURE", "The architecture it is for"),
  features: texts("features", "Features of the processor that it needs"),
  os: text("os", "OS", "The operating system it is for"),
  osFeatures: texts("os-features", "Features of the operating system that it needs"),
  osVersion: text("os-version", "VERSION", "The version of the operating system it is for"),
  variant: text("variant", "VARIANT", "The variant of the architecture it is for"),
} as const;

/** What the options say of a member. */
export function annotationOf(options: OptionValues<typeof memberOptions>): Annotation {
  const { annotations, architecture, features, os, osFeatures, osVersion, variant } = options;
  return {
    architecture,
    os,
    osVersion,
    osFeatures: osFeatures.flat(),
    features: features.flat(),
    variant,
    annotations: Object.fromEntries(annotations),
  };
}

function parseAnnotation(value: string): readonly [name: string, value: string] {
  const equals = value.indexOf("=");
  if (equals < 1) throw new InvalidValue("expected NAME=VALUE");
  return [value.slice(0, equals), value.slice(equals + 1)];
}

function notEmpty(value: string): string {
  if (value === "") throw new InvalidValue("it is empty");
  return value;
}
