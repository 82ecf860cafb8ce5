// An upstream that speaks HTTP/2 and streams 20 MB to each request; a while later it does what it is named for.
// node http2_upstream.mjs <reset|goaway|destroy|end> <certificate> <key>: prints its port, then a line for each stream that it did it to.
import { createSecureServer } from 'node:http2'
import { readFileSync } from 'node:fs'

const [how, cert, key] = process.argv.slice(2)
const event = `data: {"choices":[{"index":0,"delta":{"content":"${'a'.repeat(1000)}"}}]}\n\n`
const deeds = {
  reset: (stream) => stream.close(2),
  goaway: (stream) => { stream.session.goaway(); stream.end('data: [DONE]\n\n') },
  destroy: (stream) => stream.session?.destroy(),
  end: (stream) => stream.end('data: [DONE]\n\n'),
}

const server = createSecureServer({ cert: readFileSync(cert), key: readFileSync(key) })
server.on('sessionError', () => {})
server.on('stream', (stream) => {
  stream.on('error', () => {})
  stream.respond({ ':status': 200, 'content-type': 'text/event-stream' })
  for (let i = 0; i < 20000; i++) stream.write(event)
  setTimeout(() => { deeds[how](stream); console.log(how) }, 1000)
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
