/* The options of `bunker build` that podman and buildah have, and docker has not. */

import { InvalidValue } from "../../invalid-value.ts";
import { flag, list, parseBoolean, single } from "../../option.ts";
import { parseEnvironmentOption } from "../../values/environment-option.ts";
import { integerBetween } from "../../values/numbers.ts";
import { notEmpty } from "../../values/words.ts";

export const podmanOptions = {
  environment: list({
    name: "env",
    valueName: "NAME[=VALUE]",
    description: "Set a variable in each stage, as ENV at its beginning; or pass on the caller's",
    parse: parseEnvironmentOption,
  }),
  firstBase: single({
    name: "from",
    valueName: "IMAGE",
    description: "Take this image instead of what the first FROM names",
    parse: notEmpty("expected the name of an image"),
  }),
  passesProxies: flag({ name: "http-proxy", description: "Pass the caller's proxy variables on to commands" }),
  identifies: {
    ...flag({ name: "identity-label", description: "Label the image with the builder's version: it never is" }),
    parse: parseIdentityLabel,
  },
  inheritsLabels: flag({
    name: "inherit-labels",
    initial: true,
    description: "Keep the labels of base images",
  }),
  logFile: single({
    name: "logfile",
    valueName: "FILE",
    description: "Write the progress to a file instead of standard error",
    parse: notEmpty("expected a path"),
  }),
  rewritesTimes: flag({
    name: "rewrite-timestamp",
    initial: true,
    description: "Keep times of files to SOURCE_DATE_EPOCH, too",
  }),
  squashesAll: flag({ name: "squash-all", description: "Make one layer of the whole image, its base included" }),
  timestamp: single({
    name: "timestamp",
    valueName: "SECONDS",
    description: "Every time in the image is this one, in seconds since 1970",
    parse: integerBetween(0, 99_999_999_999),
  }),
  unsetVariables: list({
    name: "unsetenv",
    valueName: "NAME",
    description: "Leave a variable out of the image's environment",
    parse: notEmpty("expected the name of a variable"),
  }),
  unsetLabels: list({
    name: "unsetlabel",
    valueName: "KEY",
    description: "Do not take a label over from base images",
    parse: notEmpty("expected the key of a label"),
  }),
} as const;

function parseIdentityLabel(text: string): false {
  if (!parseBoolean(text)) return false;
  throw new InvalidValue("images do not say which Bunker has built them; write LABEL, or give --label");
}
