// A stand-in for an AI service that speaks HTTP/2 over TLS (Chat Completions), and ends its streams in every way there is:
//
//     node upstream_h2.mjs <certificate> <key>
//
// A request's model is "<ending>" or "<ending> flood": what becomes of its stream in the end, and whether it sends more before
// than the buffers on the way can keep.  Lines of JSON tell what happens: {"port"} once, {"begun": model} for each stream,
// and {"full": model} when the other side takes no more of a flood, or has taken all of it.  A line on standard input names the
// model whose streams are to end now.
import http2 from "node:http2";
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";

const FLOOD = 24 << 20; // bytes
const PATIENCE = 1000;  // ms without progress: the other side takes no more

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_REFUSED_STREAM } = http2.constants;

const endings = {
  done: (stream) => stream.end("data: [DONE]\n\n"),
  "no-done": (stream) => stream.end(),
  reset: (stream) => stream.close(NGHTTP2_INTERNAL_ERROR),
  cancel: (stream) => stream.close(NGHTTP2_CANCEL),
  refuse: (stream) => stream.close(NGHTTP2_REFUSED_STREAM),
  goaway: (stream) => stream.session.goaway(NGHTTP2_INTERNAL_ERROR),
  close: (stream) => (stream.session.close(), stream.end("data: [DONE]\n\n")),
  destroy: (stream) => stream.session.destroy(),
};

const open = new Map(); // from a model to its streams

const tell = (value) => process.stdout.write(JSON.stringify(value) + "\n");
const event = (content) => `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`;

function flood(stream, model) {
  const piece = event("x".repeat(16000));
  let left = FLOOD;
  let timer;
  const full = () => stream.destroyed || tell({ full: model });
  const more = () => {
    clearTimeout(timer);
    for (; left > 0 && !stream.writableEnded; left -= piece.length)
      if (!stream.write(piece)) {
        left -= piece.length;
        timer = setTimeout(full, PATIENCE);
        return;
      }
    full();
  };
  stream.on("drain", more);
  more();
}

function answer(stream, body) {
  const { model } = JSON.parse(body);
  stream.respond({ ":status": 200, "content-type": "text/event-stream" });
  stream.write(event("begun"));
  open.set(model, [...(open.get(model) ?? []), stream]);
  tell({ begun: model });
  if (model.endsWith(" flood"))
    flood(stream, model);
}

const [certificate, key] = process.argv.slice(2).map((file) => readFileSync(file));
const server = http2.createSecureServer({ cert: certificate, key });
server.on("session", (session) => session.on("error", () => {}));
server.on("stream", (stream) => {
  let body = "";
  stream.on("error", () => {});
  stream.on("data", (bytes) => (body += bytes));
  stream.on("end", () => answer(stream, body));
});
server.listen(0, "127.0.0.1", () => tell({ port: server.address().port }));

createInterface({ input: process.stdin }).on("line", (model) => {
  for (const stream of open.get(model) ?? [])
    if (!stream.destroyed)
      endings[model.split(" ")[0]](stream);
  open.delete(model);
}).on("close", () => process.exit(0));
