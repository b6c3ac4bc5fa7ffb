// Sends back messages, on the port of the first argument, until its input ends; compressed if there is a second argument.
'use strict'
const { WebSocketServer } = require('ws')

const server = new WebSocketServer({
  host: '127.0.0.1', port: Number(process.argv[2]), perMessageDeflate: process.argv.length > 3 ? { threshold: 0 } : false, handleProtocols: () => 'two'
}, () => console.log('ready'))
server.on('connection', ws => {
  ws.on('message', (data, binary) => ws.send(data, { binary }))
  ws.on('close', (code, reason) => console.log('closed', code, String(reason)))
  ws.on('error', err => console.log('error', err.message))
})
process.stdin.on('end', () => process.exit(0)).resume()
