import { single } from "../option.ts";
import { parsePlatform } from "../values/words.ts";

/** `--platform`, for images that are there for several. */
export const platformOption = single({
  name: "platform",
  valueName: "PLATFORM",
  description: "Which image, where a name stands for several, such as linux/arm64",
  parse: parsePlatform,
});
