package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"sync"
)

// eventsWaiting is how many events may wait for a client.
const eventsWaiting = 64

// hub has the clients of a stream of events: a channel for each.
type hub struct {
	mu      sync.Mutex
	clients map[chan []byte]struct{}
}

// httpEvents asks the source behind for its events, and serves them to all who come: a goroutine for each, one write and one
// flush for each event. It ends when the source does.
func httpEvents(l net.Listener, behind string) error {
	resp, err := http.Get("http://" + behind + "/events")
	if err != nil {
		return fmt.Errorf("cannot ask the source: %w", err)
	}
	defer resp.Body.Close()
	h := &hub{clients: map[chan []byte]struct{}{}}
	ended := make(chan error, 1)
	go func() { ended <- h.read(bufio.NewReader(resp.Body)) }()
	go func() { ended <- http.Serve(l, h) }()
	return <-ended
}

// read takes events, which end with an empty line, until the source ends.
func (h *hub) read(r *bufio.Reader) error {
	var event []byte
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("cannot read from the source: %w", err)
		}
		if event = append(event, line...); len(line) == 1 {
			h.give(event)
			event = make([]byte, 0, len(event))
		}
	}
}

// give sends an event to all. Who is too slow is cut off.
func (h *hub) give(event []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.clients {
		select {
		case c <- event:
		default:
			delete(h.clients, c)
			close(c)
		}
	}
}

// ServeHTTP is a client's stream.
func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in, to := make(chan []byte, eventsWaiting), http.NewResponseController(w)
	h.mu.Lock()
	h.clients[in] = struct{}{}
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		delete(h.clients, in)
		h.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	err := to.Flush()
	for err == nil {
		select {
		case event, ok := <-in:
			if !ok {
				return
			}
			if _, err = w.Write(event); err == nil {
				err = to.Flush()
			}
		case <-r.Context().Done():
			return
		}
	}
}
