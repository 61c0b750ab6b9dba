// Sends events with the CloudEvents SDK in all three modes, and reads with it
// what the node has kept of them. Ends with status 0 if all was as it should be.
//
//   node events.mjs http://127.0.0.1:8700
//
// The node has a rule that keeps whole events of the type "sdk.keep" by their id,
// and one that counts those of the type "sdk.count" for their subject.

import assert from "node:assert/strict";
import { CloudEvent, HTTP, Mode, emitterFor } from "cloudevents";

const url = process.argv[2];
const structuredType = "application/cloudevents+json";
const batchType = "application/cloudevents-batch+json";

async function post(message) {
  const answer = await fetch(`${url}/events`, {
    method: "POST",
    headers: message.headers,
    body: message.body,
  });
  return { status: answer.status, body: await answer.text() };
}

const send = {
  binary: emitterFor(post, { mode: Mode.BINARY }),
  structured: emitterFor(post, { mode: Mode.STRUCTURED }),
  batch: (...events) =>
    post({
      headers: { "content-type": batchType },
      body: JSON.stringify(events.map((x) => x.toJSON())),
    }),
};

async function expectAccepted(answer, what) {
  const { status, body } = await answer;
  assert.deepEqual({ status, body }, { status: 202, body: "" }, what);
}

async function call(service, key, method) {
  const path = `${service}/${encodeURIComponent(key)}/${method}`;
  const answer = await fetch(`${url}/services/${path}`, { method: "POST" });
  assert.equal(answer.status, 200);
  return answer.text();
}

/// Asks until `isDone` says so, for so long as nothing takes.
async function eventually(ask, isDone) {
  const end = Date.now() + 20_000;
  for (;;) {
    const last = await ask();
    if (isDone(last)) return last;
    assert.ok(Date.now() < end, `it stays ${last}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

// -- what is kept is what was sent ------------------------------------------

const common = { source: "/sdk", type: "sdk.keep" };
const events = {
  plain: { data: { a: [1, "zwei", null], b: 1.5 } },
  text: { datacontenttype: "text/plain", data: "5 °C, \"warm\"\n" },
  bytes: {
    datacontenttype: "image/png",
    data: new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0, 255]),
  },
  xml: { datacontenttype: "application/xml", data: "<a b=\"c\"/>" },
  full: {
    subject: "line/7",
    time: "2026-03-29T01:02:03.456Z",
    dataschema: "https://example.com/schema#1",
    data: { text: "in JSON" },
    comexamplea: "text",
    comexampleb: 7,
    comexamplec: true,
  },
};

/// In headers all values are text.
const asText = (x, mode) => (mode === "binary" ? String(x) : x);

function expectSame(kept, sent, mode) {
  for (const name of ["id", "source", "type", "subject", "dataschema", "time"])
    assert.equal(kept[name], sent[name], `${name} of ${sent.id}`);
  for (const name of Object.keys(sent).filter((x) => x.startsWith("com")))
    assert.equal(kept[name], asText(sent[name], mode), `${name} of ${sent.id}`);
  if (sent.data instanceof Uint8Array)
    assert.deepEqual(Buffer.from(kept.data_base64, "base64"),
      Buffer.from(sent.data), `data of ${sent.id}`);
  else
    assert.deepEqual(kept.data, sent.data, `data of ${sent.id}`);
}

for (const mode of ["binary", "structured", "batch"]) {
  for (const [name, attributes] of Object.entries(events)) {
    const id = `${mode} ${name}`.replace(" ", "-");
    const sent = new CloudEvent({ ...common, id, ...attributes });
    await expectAccepted(send[mode](sent), id);
    const body = await eventually(
      () => call("data_service", id, "get_data"), (x) => x !== "null");
    const kept = HTTP.toEvent({
      headers: { "content-type": structuredType }, body });
    expectSame(kept, sent, mode);
  }
}

// -- what is sent again counts once -----------------------------------------

const counted = (id, subject, by) =>
  new CloudEvent({ source: "/sdk", type: "sdk.count", id, subject, data: by });
const [one, two, three] = [
  counted("1", "a", 1), counted("2", "a", 10), counted("3", "a", 100)];
for (const x of [one, two, three]) {
  await expectAccepted(send.structured(x));
  await expectAccepted(send.batch(x, three));
}
await expectAccepted(send.batch(one, two, three, counted("4", "b", 1)));
await eventually(() => call("counter", "b", "get"), (x) => x === "1");
await eventually(() => call("counter", "a", "get"), (x) => x === "111");

// -- what is no event -------------------------------------------------------

const wrong = await post({
  headers: { "content-type": structuredType },
  body: JSON.stringify({ ...one.toJSON(), specversion: "0.3" }),
});
assert.equal(wrong.status, 400);
assert.equal(JSON.parse(wrong.body).errorType, "bad_request");
const unknown = await send.binary(
  new CloudEvent({ source: "/sdk", type: "sdk.unknown", data: 1 }));
assert.equal(unknown.status, 404);
