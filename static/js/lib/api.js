// Calls to the JSON API. A refusal becomes a Problem that carries the server's stable code and its
// sentence, which is in the page's language already.
import { t } from "./words.js";

export class Problem extends Error {
  constructor(status, body, retryAfterS) {
    super(body.title ?? t("The server gave no reason."));
    this.status = status;
    this.code = body.code ?? "unknown";
    this.retry = body.retry ?? status >= 500;
    this.retryAfterMs = retryAfterS ? retryAfterS * 1000 : null;
    this.facts = body;
  }
}

const NO_ANSWER = { code: "no_answer", title: t("The server can't be reached right now."), retry: true };
const TIMEOUT_MS = 15_000;

// The reply's JSON, with `version` of its ETag beside it; {} for an empty reply.
// Throws Problem, also when nothing answered: code `no_answer`.
export async function call(method, path, { body, headers = {}, timeoutMs = TIMEOUT_MS } = {}) {
  let reply;
  try {
    reply = await fetch(path, {
      method,
      headers: body === undefined ? headers : { "content-type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch {
    throw new Problem(0, NO_ANSWER);
  }
  const text = await reply.text().catch(() => "");
  const document = parsed(text);
  if (!reply.ok) throw new Problem(reply.status, document ?? {}, Number(reply.headers.get("retry-after")));
  return document ?? {};
}

function parsed(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}
