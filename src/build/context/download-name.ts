/** What a URL without a name of its own gives. */
const USUAL_NAME = "context";

/** What a download is called: the last component of the URL's path, decoded where that gives a name. */
export function downloadName({ pathname }: URL): string {
  const last = pathname.slice(pathname.lastIndexOf("/") + 1);
  let name = last;
  try {
    name = decodeURIComponent(last);
  } catch {
    // As it stands there.
  }
  return /^\.{0,2}$|[/\0]/.test(name) ? USUAL_NAME : name;
}
