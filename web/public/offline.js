// Keeps the dashboard's own files, so that it opens without the desk; what it shows then is what it knew last.
// Answers of the API are not kept here.

const FILES = "finagent-files";
const PAGES = ["/", "/gallery"];

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("fetch", (event) => {
  const { origin, pathname } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== location.origin) return;
  if (pathname.startsWith("/assets/")) event.respondWith(kept(event.request));
  else if (PAGES.includes(pathname)) event.respondWith(fresh(event.request));
});

/** Give a file whose name tells its content. */
async function kept(request) {
  const files = await caches.open(FILES);
  const known = await files.match(request);
  return known ?? keep(files, request);
}

/** Give a page as the desk has it, or as it was when nothing answers. */
async function fresh(request) {
  const files = await caches.open(FILES);
  try {
    return await keep(files, request);
  } catch (error) {
    const known = await files.match(request);
    if (known) return known;
    throw error;
  }
}

async function keep(files, request) {
  const answer = await fetch(request);
  if (answer.ok) await files.put(request, answer.clone());
  return answer;
}
