// Talks through the gateway: node ws_client.js URL…, each of which leads to a server that sends back messages. What is at
// /deflate… has to be compressed.
'use strict'
const assert = require('node:assert')
const { once } = require('node:events')
const WebSocket = require('ws')

async function talk (url) {
  const deflate = url.includes('/deflate')
  const ws = new WebSocket(url, ['two', 'one'], { perMessageDeflate: deflate })
  await once(ws, 'open')
  assert.strictEqual(ws.extensions !== '', deflate)
  assert.ok(ws.protocol === 'two')
  const got = []
  let wake = () => {}
  ws.on('message', (data, binary) => { got.push(binary ? data : data.toString()); wake() })
  const next = async () => {
    while (got.length === 0) await new Promise(resolve => { wake = resolve })
    return got.shift()
  }
  for (const message of ['', 'hello', 'grüße 日本語 😀', 'x'.repeat(1e6), Buffer.alloc(0), Buffer.alloc(80000, 'ÿ')]) {
    ws.send(message)
    assert.deepStrictEqual(await next(), message)
  }
  ws.send('one ', { fin: false })
  ws.send('', { fin: false })
  ws.send('message in pieces', { fin: true })
  assert.strictEqual(await next(), 'one message in pieces')
  ws.ping('there?')
  assert.strictEqual(String((await once(ws, 'pong'))[0]), 'there?')
  const many = Array.from({ length: 200 }, (_, i) => `message ${i} `.repeat(i % 50))
  for (const m of many) ws.send(m)
  for (const m of many) assert.strictEqual(await next(), m)
  ws.close(4001, 'that is all')
  const [code] = await once(ws, 'close')
  assert.strictEqual(code, 4001)
  console.log('ok', url)
}

(async () => { for (const url of process.argv.slice(2)) await talk(url) })().catch(err => { console.error(err); process.exit(1) })
