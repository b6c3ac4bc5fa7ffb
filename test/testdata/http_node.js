// A server of Node on the port BACKEND, and clients of Node that ask it through the gateway on the port GATEWAY.
'use strict'
const assert = require('node:assert')
const http = require('node:http')
const net = require('node:net')
const { once } = require('node:events')
const { setTimeout: sleep } = require('node:timers/promises')

const gateway = Number(process.env.GATEWAY)
const seen = { connections: 0, closed: [] }

const server = http.createServer(async (request, response) => {
  const path = request.url
  request.on('aborted', () => seen.closed.push(path))
  response.on('close', () => { if (!response.writableEnded) seen.closed.push(path) })
  if (path === '/trailers') {
    let body = ''
    for await (const part of request) body += part
    response.writeHead(200, { trailer: 'x-sum', 'content-type': 'text/plain' })
    response.write(body)
    response.addTrailers({ 'x-sum': `${body.length} ${request.trailers['x-check']}` })
    response.end()
  } else if (path === '/hints') {
    response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' })
    response.writeProcessing()
    response.end('hinted')
  } else if (path === '/cut') {
    response.writeHead(200, { 'content-length': 100 })
    response.write('half')
    setTimeout(() => request.socket.destroy(), 20)
  } else if (path === '/cut-chunks') {
    response.write('half')
    setTimeout(() => request.socket.resetAndDestroy(), 20)
  } else if (path === '/endless') {
    const more = () => { while (!response.destroyed && response.write(Buffer.alloc(16384))); }
    response.on('drain', more)
    more()
  } else if (path === '/sink') {
    request.resume()
    request.on('error', () => {})
    request.on('end', () => response.end('all'))
  } else {
    let n = 0
    for await (const part of request) n += part.length
    response.end(`${request.method} ${path} ${n}`)
  }
})
server.on('connection', () => seen.connections++)
server.on('upgrade', (request, socket, head) => {
  if (request.headers.upgrade !== 'mine') return socket.end('HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
  socket.on('error', () => {})
  socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: mine\r\nconnection: upgrade\r\nx-mine: 1\r\n\r\n')
  if (head.length) socket.write(head)
  socket.pipe(socket)
})

// ask gives the response of a request, whose body was written, and what came of it.
async function ask (options, body) {
  const request = http.request({ port: gateway, host: '127.0.0.1', ...options })
  const infos = []
  request.on('information', info => infos.push(info))
  request.end(body)
  const [response] = await once(request, 'response')
  let text = ''
  response.setEncoding('utf8')
  for await (const part of response) text += part
  return { status: response.statusCode, text, infos, response }
}

async function until (what, holds) {
  for (let i = 0; i < 2000 && !holds(); i++) await sleep(5)
  assert(holds(), what)
}

const tests = {
  async 'keep-alive' () {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
    const before = seen.connections
    const all = []
    for (let i = 0; i < 400; i++) all.push(ask({ agent, method: 'POST', path: `/n/${i}` }, 'x'.repeat(i)))
    for (const [i, a] of (await Promise.all(all)).entries()) assert.strictEqual(a.text, `POST /n/${i} ${i}`)
    agent.destroy()
    assert(seen.connections - before <= 4, `${seen.connections - before} connections`)
  },
  async trailers () {
    const request = http.request({ port: gateway, host: '127.0.0.1', method: 'POST', path: '/trailers', headers: { trailer: 'x-check', te: 'trailers', 'transfer-encoding': 'chunked' } })
    request.write('hello, ')
    request.addTrailers({ 'x-check': 'mine' })
    request.end('world')
    const [response] = await once(request, 'response')
    let text = ''
    for await (const part of response) text += part
    assert.deepStrictEqual([text, response.trailers['x-sum']], ['hello, world', '12 mine'])
  },
  async 'early hints' () {
    const { status, text, infos } = await ask({ path: '/hints' })
    assert.deepStrictEqual([status, text, infos.map(i => i.statusCode)], [200, 'hinted', [103, 102]])
    assert.strictEqual(infos[0].headers.link, '</style.css>; rel=preload; as=style')
  },
  async 'a response is cut' () {
    for (const path of ['/cut', '/cut-chunks']) {
      await assert.rejects(ask({ path }), /aborted|ECONNRESET/)
    }
  },
  async 'a client goes' () {
    const request = http.get({ port: gateway, host: '127.0.0.1', path: '/endless' })
    const [response] = await once(request, 'response')
    await once(response, 'data')
    response.on('error', () => {})
    request.on('error', () => {})
    request.destroy()
    const upload = http.request({ port: gateway, host: '127.0.0.1', method: 'POST', path: '/sink', headers: { 'content-length': 1000000 } })
    upload.on('error', () => {})
    upload.write('x'.repeat(100000), () => setTimeout(() => upload.destroy(), 20))
    await until('the server is told', () => seen.closed.includes('/endless') && seen.closed.includes('/sink'))
  },
  async upgrade () {
    const request = http.get({ port: gateway, host: '127.0.0.1', headers: { connection: 'upgrade', upgrade: 'mine' } })
    const [response, socket] = await once(request, 'upgrade')
    assert.deepStrictEqual([response.statusCode, response.headers.upgrade, response.headers['x-mine']], [101, 'mine', '1'])
    const what = 'hello '.repeat(100000)
    socket.setEncoding('utf8')
    socket.end(what)
    let got = ''
    for await (const part of socket) got += part
    assert.strictEqual(got, what)
  },
  async 'upgrade refused' () {
    const { status, response } = await ask({ headers: { connection: 'upgrade', upgrade: 'theirs' } })
    assert.strictEqual(status, 426, response.statusCode)
  },
  async fetch () {
    const url = `http://127.0.0.1:${gateway}`
    const parts = new ReadableStream({ async start (c) { for (let i = 0; i < 10; i++) { c.enqueue(new TextEncoder().encode('0123456789')); await sleep(1) } c.close() } })
    assert.strictEqual(await (await fetch(url + '/f', { method: 'POST', body: parts, duplex: 'half' })).text(), 'POST /f 100')
    assert.strictEqual(await (await fetch(url + '/f?a=ä', { headers: { 'x-a': 'ä' } })).text(), 'GET /f?a=%C3%A4 0')
    const c = new AbortController()
    const response = await fetch(url + '/endless', { signal: c.signal })
    c.abort()
    await assert.rejects(response.text(), /abort/i)
  },
  async 'a raw socket' () {
    const socket = net.connect(gateway, '127.0.0.1')
    socket.setEncoding('utf8')
    socket.write('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    let got = ''
    for await (const part of socket) got += part
    assert.deepStrictEqual(got.match(/(GET|POST) \/\d \d/g), ['GET /1 0', 'POST /2 3', 'GET /3 0'])
  }
}

server.listen(Number(process.env.BACKEND), '127.0.0.1', async () => {
  let failed = 0
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test()
      console.log('ok', name)
    } catch (e) {
      failed = 1
      console.log('failed', name, e)
    }
  }
  process.exit(failed)
})
