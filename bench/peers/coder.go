package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/coder/websocket"
)

// A message may have as many bytes as the library allows by default.
const messageMost = 32 << 10

// A context that cannot be cancelled spares the library what it does to watch one.
var forever = context.Background()

// coderServer gives each WebSocket to serve.
func coderServer(l net.Listener, serve func(*websocket.Conn) error) error {
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
		if err != nil {
			return // the client was told
		}
		defer c.CloseNow()
		_ = serve(c) // clients leave as they please
	}))
}

// coderReceive reads a message into buf, which is used again.
func coderReceive(c *websocket.Conn, buf []byte) (websocket.MessageType, []byte, error) {
	kind, r, err := c.Reader(forever)
	if err != nil {
		return 0, buf, err
	}
	for buf = buf[:0]; ; {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return kind, buf, nil
		}
		if err != nil {
			return 0, buf, err
		}
	}
}

func coderEcho(l net.Listener, _ string) error {
	return coderServer(l, func(c *websocket.Conn) error {
		buf := make([]byte, 0, 512)
		for {
			kind, message, err := coderReceive(c, buf)
			if err != nil {
				return err
			}
			if err := c.Write(forever, kind, message); err != nil {
				return err
			}
			buf = message
		}
	})
}

// waiting is how many messages may wait for a member of a fan, as in the library's example of a chat.
const waiting = 16

// coderFan is that example, with members who speak as well as listen: a channel and a goroutine for each. Who is too slow
// is closed.
func coderFan(l net.Listener, _ string) error {
	type message struct {
		kind websocket.MessageType
		data []byte
	}
	var mu sync.Mutex
	members := map[chan message]func() error{}
	publish := func(m message) {
		mu.Lock()
		defer mu.Unlock()
		for to, cut := range members {
			select {
			case to <- m:
			default:
				go cut()
			}
		}
	}
	return coderServer(l, func(c *websocket.Conn) error {
		in, gone := make(chan message, waiting), make(chan struct{})
		mu.Lock()
		members[in] = c.CloseNow
		mu.Unlock()
		defer func() {
			mu.Lock()
			delete(members, in)
			mu.Unlock()
			close(gone)
		}()
		go func() {
			for {
				select {
				case m := <-in:
					if c.Write(forever, m.kind, m.data) != nil {
						return
					}
				case <-gone:
					return
				}
			}
		}()
		for {
			kind, data, err := coderReceive(c, nil)
			if err != nil {
				return err
			}
			publish(message{kind, data})
		}
	})
}
