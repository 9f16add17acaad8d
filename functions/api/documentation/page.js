// Renders /api/openapi.json. Every text comes in as a text node, never as markup.

const METHODS = ["get", "put", "post", "patch", "delete"];
const LONGEST_SHOWN = 100_000;

/** What the desk knows the caller by; kept as long as the page is open, and nowhere else. */
let key = "";

/** Make an element. Attributes by name; `on…` are listeners; children are elements or text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

/** Everything that reads the document: what a `$ref` points to, and what a schema is called in one line. */
class Reader {
  constructor(api) {
    this.api = api;
  }

  resolve(schema = {}) {
    const name = schema.$ref?.split("/").at(-1);
    return name ? { title: name, ...this.api.components.schemas[name], named: name } : schema;
  }

  type(schema = {}) {
    if (schema.$ref) return schema.$ref.split("/").at(-1);
    const choices = schema.anyOf ?? schema.oneOf;
    if (choices) return choices.map((choice) => this.type(choice)).join(" or ");
    if ("const" in schema) return JSON.stringify(schema.const);
    if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
    if (schema.type === "array") return `list of ${this.type(schema.items ?? schema.prefixItems?.[0])}`;
    if (schema.type === "object" && typeof schema.additionalProperties === "object") {
      return `object of ${this.type(schema.additionalProperties)}`;
    }
    return [schema.type ?? "any", schema.format && `(${schema.format})`, ...this.limits(schema)].filter(Boolean).join(" ");
  }

  limits(schema) {
    const named = [
      ["≥", schema.minimum], [">", schema.exclusiveMinimum], ["≤", schema.maximum], ["<", schema.exclusiveMaximum],
    ];
    return named.filter(([, limit]) => limit !== undefined).map(([sign, limit]) => `${sign} ${limit.toLocaleString("en")}`);
  }

  /** The object schemas inside a schema, through lists, maps and choices. */
  models(schema = {}) {
    const own = this.resolve(schema);
    if (own.properties) return [own];
    const inner = [own.items, own.additionalProperties, ...(own.anyOf ?? []), ...(own.oneOf ?? [])];
    return inner.filter((part) => part && typeof part === "object").flatMap((part) => this.models(part));
  }
}

/** Text whose `quoted` parts are code. */
function prose(text = "") {
  return text.split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part)).filter((part) => part !== "");
}

const once = (models) => [...new Map(models.map((each) => [each.named ?? each.title, each])).values()];

function row(...cells) {
  return make("tr", {}, ...cells.map((cell) => (cell instanceof HTMLTableCellElement ? cell : make("td", {}, cell))));
}

function table(headings, rows) {
  const head = make("thead", {}, make("tr", {}, ...headings.map((heading) => make("th", { scope: "col" }, heading))));
  return make("div", { class: "scroll" }, make("table", {}, head, make("tbody", {}, ...rows)));
}

function nameCell(name, required) {
  return make("td", {}, make("code", {}, name), required ? make("span", { class: "required" }, " required") : "");
}

/** An object schema as a folded table of its fields; what lies deeper is made when it is opened. */
function model(reader, schema, open = false) {
  const nested = make("div", { class: "nested" });
  const fill = () => {
    if (nested.hasChildNodes()) return;
    const fields = Object.entries(schema.properties).map(([name, field]) =>
      row(
        nameCell(name, schema.required?.includes(name)),
        make("td", { class: "type" }, reader.type(field)),
        make("td", {}, ...prose(field.description ?? reader.resolve(field).description)),
      ));
    const deeper = Object.values(schema.properties).flatMap((field) => reader.models(field));
    nested.append(make("p", { class: "quiet" }, ...prose(schema.description)));
    nested.append(table(["Field", "Type", "Meaning"], fields), ...once(deeper).map((inner) => model(reader, inner)));
  };
  const details = make("details", { class: "model", ontoggle: fill }, make("summary", {}, schema.named ?? schema.title ?? "Fields"), nested);
  if (open) { fill(); details.open = true; }
  return details;
}

function parameters(reader, operation) {
  const shown = operation.parameters ?? [];
  if (!shown.length) return [];
  const rows = shown.map(({ name, in: place, required, schema, description }) => {
    const fallback = schema.default === undefined || schema.default === "" || schema.default === null ? "" : `; ${schema.default} unless given`;
    return row(nameCell(name, required), place, make("td", { class: "type" }, reader.type(schema) + fallback), make("td", {}, ...prose(description)));
  });
  return [make("h3", {}, "Parameters"), table(["Name", "In", "Type", "Meaning"], rows)];
}

function body(reader, operation) {
  const content = operation.requestBody?.content?.["application/json"];
  if (!content) return [];
  return [make("h3", {}, "Body, JSON"), ...reader.models(content.schema).map((schema) => model(reader, schema, true))];
}

function responses(reader, operation) {
  const rows = Object.entries(operation.responses).map(([status, response]) => {
    const contents = Object.entries(response.content ?? {});
    const what = contents.map(([media, { schema }]) => (schema ? `${media}: ${reader.type(schema)}` : media)).join(", ");
    return row(make("td", {}, make("code", {}, status)), response.description ?? "", make("td", { class: "type" }, what));
  });
  const schemas = Object.values(operation.responses).flatMap((response) => Object.values(response.content ?? {}));
  const models = once(schemas.flatMap(({ schema }) => reader.models(schema)));
  return [make("h3", {}, "Responses"), table(["Status", "Meaning", "Content"], rows), ...models.map((each) => model(reader, each))];
}

function example(schema) {
  return schema?.examples?.[0] ?? schema?.default ?? "";
}

/** The address of an operation with values filled in; query parameters that are empty are left out. */
function address(path, operation, values) {
  const filled = path.replace(/\{(\w+)\}/g, (_, name) => (values[name] ? encodeURIComponent(values[name]) : `{${name}}`));
  const query = new URLSearchParams();
  for (const { name, in: place } of operation.parameters ?? []) {
    if (place === "query" && values[name]) query.set(name, values[name]);
  }
  return filled + (query.size ? `?${query}` : "");
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curl(reader, method, path, operation, values) {
  const parts = ["curl", quoted(location.origin + address(path, operation, values))];
  if (operation.security?.some((way) => "key" in way)) parts.push("-H", '"Authorization: Bearer $FINAGENT_KEY"');
  if (method !== "get") parts.push("-X", method.toUpperCase());
  const content = operation.requestBody?.content?.["application/json"];
  if (content) {
    parts.push("-H", quoted("Content-Type: application/json"), "-d", quoted(JSON.stringify(example(reader.resolve(content.schema)))));
  }
  return parts.join(" ");
}

function copying(line) {
  const said = make("span", { role: "status", class: "quiet" });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(line.textContent);
      said.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(line);
      said.textContent = "Selected; press Ctrl+C";
    }
    setTimeout(() => { said.textContent = ""; }, 3000);
  };
  return make("div", {}, make("div", { class: "copying" }, line, make("button", { type: "button", onclick: copy }, "Copy")), said);
}

function readable(text, media) {
  const shown = /json/.test(media) ? JSON.stringify(JSON.parse(text), null, 2) : text;
  return shown.length > LONGEST_SHOWN ? `${shown.slice(0, LONGEST_SHOWN)}\n… ${shown.length - LONGEST_SHOWN} more characters` : shown;
}

async function ask(url, answer) {
  answer.replaceChildren(make("p", { class: "quiet" }, "Waiting…"));
  const begun = performance.now();
  try {
    const response = await fetch(url, key ? { headers: { Authorization: `Bearer ${key}` } } : {});
    const text = await response.text();
    const media = response.headers.get("content-type") ?? "";
    const head = `${response.status} ${response.statusText} · ${media} · ${Math.round(performance.now() - begun)} ms`;
    answer.replaceChildren(make("p", { class: response.ok ? "quiet" : "bad" }, head), make("pre", { tabindex: "0" }, readable(text, media)));
  } catch (error) {
    answer.replaceChildren(make("p", { class: "bad" }, `No answer: ${error.message}`));
  }
}

function trial(path, operation, values, onchange) {
  const answer = make("div", { class: "answer", role: "status" });
  const fields = (operation.parameters ?? []).filter(({ in: place }) => place !== "header").flatMap(({ name, in: place, required, schema }) => {
    const id = `${operation.operationId}.${name}`;
    const attributes = { id, name, autocomplete: "off", placeholder: String(schema.default ?? "") };
    if (required) attributes.required = "";
    const input = make("input", { ...attributes, oninput: () => { values[name] = input.value.trim(); onchange(); } });
    input.value = values[name] ?? "";
    return [make("label", { for: id }, place === "path" ? `{${name}}` : name), input];
  });
  const submit = (event) => {
    event.preventDefault();
    ask(address(path, operation, values), answer);
  };
  return [make("h3", {}, "Try it"), make("form", { onsubmit: submit }, ...fields, make("button", {}, "Send")), answer];
}

function operationCard(reader, method, path, operation) {
  const values = {};
  for (const { name, in: place, schema } of operation.parameters ?? []) {
    if (place === "path") values[name] = String(example(schema));
  }
  const content = make("div", { class: "content" });
  const fill = () => {
    if (content.hasChildNodes()) return;
    const line = make("code", { class: "curl" });
    const refresh = () => { line.textContent = curl(reader, method, path, operation, values); };
    refresh();
    content.append(
      make("p", {}, ...prose(operation.description)),
      copying(line),
      ...parameters(reader, operation),
      ...body(reader, operation),
      ...responses(reader, operation),
      ...(method === "get" ? trial(path, operation, values, refresh) : []),
    );
  };
  const summary = make(
    "summary", {},
    make("span", { class: `method ${method}` }, method.toUpperCase()),
    make("span", { class: "path" }, path),
    make("span", { class: "quiet" }, operation.summary ?? ""),
  );
  const card = make("details", { class: "operation", id: operation.operationId, ontoggle: fill }, summary, content);
  card.dataset.words = `${method} ${path} ${operation.summary} ${operation.description}`.toLowerCase();
  return card;
}

function render(api) {
  const reader = new Reader(api);
  document.getElementById("title").textContent = `${api.info.title} API ${api.info.version}`;
  document.getElementById("about").textContent = api.info.description;
  const all = Object.entries(api.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ path, method, operation: item[method] })));
  if (api.components.securitySchemes?.key) {
    const input = make("input", { type: "password", autocomplete: "off", oninput: () => { key = input.value.trim(); } });
    document.querySelector(".links").after(make("label", { class: "filter" }, "Key ", input));
  }
  const sections = api.tags.map((tag) => make(
    "section", { "aria-labelledby": `tag-${tag.name}` },
    make("h2", { id: `tag-${tag.name}` }, tag.name),
    make("p", { class: "quiet" }, tag.description),
    ...all.filter(({ operation }) => operation.tags.includes(tag.name))
      .map(({ path, method, operation }) => operationCard(reader, method, path, operation)),
  ));
  document.getElementById("operations").replaceChildren(...sections);
}

/** Show only the operations that have every word of the filter. */
function filter(text) {
  const words = text.toLowerCase().split(/\s+/);
  for (const card of document.querySelectorAll(".operation")) {
    card.hidden = !words.every((word) => card.dataset.words.includes(word));
  }
  for (const section of document.querySelectorAll("section")) {
    section.hidden = !section.querySelector(".operation:not([hidden])");
  }
}

function openNamed() {
  const card = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (card instanceof HTMLDetailsElement) {
    card.open = true;
    card.scrollIntoView();
  }
}

async function start() {
  const status = document.getElementById("status");
  try {
    const response = await fetch("/api/openapi.json");
    if (!response.ok) throw new Error(`status ${response.status}`);
    render(await response.json());
    status.textContent = "";
  } catch (error) {
    status.textContent = `The OpenAPI document cannot be shown: ${error.message}`;
  }
  document.getElementById("operations").removeAttribute("aria-busy");
  document.getElementById("filter").addEventListener("input", (event) => filter(event.target.value));
  addEventListener("hashchange", openNamed);
  openNamed();
}

start();
