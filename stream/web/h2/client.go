package h2

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/telemetry"
	wire "gozilla/wire/h2"
)

// A Link is a connection to a server, and its scope, which whoever is given the link ends.
type Link struct {
	Conn   conn.Conn
	Scope  *stream.Scope
	Target string // what was dialled, for the records of exchanges
}

// A Pool is whose Clients are. Its methods are called without a lock.
type Pool interface {
	// Another gives a client, with a place taken, for a request that the server has not taken from another one.
	Another(ctx context.Context, about *stream.Info) (*Client, error)
	// Freed is told that there are places on c: one is free again, or the server has said how many it has.
	Freed(c *Client)
	// Gone is told that c takes no more exchanges.
	Gone(c *Client)
	// Failed is told what the server of c did wrong.
	Failed(c *Client, fault error)
}

// Client is a connection to a server, which carries many exchanges at a time.
type Client struct {
	connection
	pool Pool
	link Link

	// What follows is guarded by the lock of the connection.
	taken   int           // places that no exchange has begun at yet
	fresh   bool          // no place was taken yet: there is one, also when the gateway leaves already
	leaves  bool          // no place is to be had any more
	away    bool          // the server takes no more exchanges
	told    bool          // the pool knows
	why     string        // the connection is closed in order
	idle    time.Duration // by the sweeper, since when there has been no exchange
	settles sync.Cond     // the first settings have come, or never will
}

// NewClient makes a client of a link.
func NewClient(pool Pool, l Link) *Client {
	c := &Client{pool: pool, link: l}
	t := conn.NewTransport(l.Scope.Host(), l.Conn, telemetry.Server)
	c.tally.Begin(l.Scope)
	t.Count(&c.tally)
	c.connection.begin(l.Scope, t, telemetry.Server, c)
	c.settles.L, c.fresh = &c.mu, true
	c.idle = l.Scope.Host().Sweeper.Now()
	t.Watch(c.look)
	t.Expect(c.limits.HeadTime)
	stream.AfterFunc(l.Scope, t.Break)
	c.mu.Lock()
	c.out = append(c.room(), wire.Preface...)
	c.settings(wire.Setting{ID: wire.EnablePush, Value: 0})
	c.mu.Unlock()
	l.Scope.OnLeave(c.leave)
	go c.run()
	return c
}

// run is the goroutine that reads. It ends with the connection, after which it closes the link.
func (c *Client) run() {
	err := stream.Contained(c.scope, c.read)
	c.mu.Lock()
	switch {
	case c.scope.Err() != nil:
		c.lose(context.Cause(c.scope))
	case c.fault != nil:
	case c.why != "" && c.open == 0:
		c.lose(stream.ErrOver)
	case c.t.Late():
		c.wrong(&wire.Fault{Code: wire.SettingsTimeout, Text: "there were no settings after " + c.limits.HeadTime.String()})
	case err == io.EOF:
		c.lose(&stream.Cut{By: telemetry.Server, Why: "gone"})
	case err != nil:
		c.lose(err)
	}
	c.settles.Broadcast()
	c.leaves = true
	idle, fault := len(c.lanes) == 0, c.fault
	c.drained()
	c.shut = true
	c.mu.Unlock()
	c.tellLost()
	s := c.scope
	switch {
	case c.why != "" && fault == stream.ErrOver:
		s.Closes(telemetry.Gateway, c.why)
	case idle && err == io.EOF:
		s.Closes(telemetry.Server, "fin")
		fault = nil
	}
	if fault == stream.ErrOver {
		fault = nil
	}
	c.t.Done()
	if told := new(wire.Fault); fault != nil && !errors.As(fault, &told) {
		conn.Abort(c.link.Conn)
	} else { // what the server was told is to reach it
		c.link.Conn.Close()
	}
	if fault != nil && s.Err() == nil {
		c.pool.Failed(c, fault)
	}
	s.End(fault)
}

// tellLost tells the pool, once.
func (c *Client) tellLost() {
	c.mu.Lock()
	told := c.told
	c.told = true
	c.mu.Unlock()
	if !told {
		c.pool.Gone(c)
	}
}

// retire lets no exchange begin any more, and closes the connection in order when none goes on. The lock is held.
func (c *Client) retire(why string) {
	if !c.leaves {
		c.leaves = true
		if c.why == "" {
			c.why = why
		}
		conn.Briefly(c.tellLost)
	}
	c.rests()
}

// rests closes the connection when it is to be and nothing goes on. The lock is held.
func (c *Client) rests() {
	if len(c.lanes) > 0 || c.taken > 0 || c.fresh {
		return
	}
	c.idle = c.scope.Host().Sweeper.Now()
	if c.leaves && !c.quit {
		c.goodbye(0, wire.NoError, "")
		c.quit = true
		c.t.StopRecv()
	}
}

func (c *Client) leave() { c.Retire("drain") }

// Retire lets no exchange begin any more, and closes the link when none goes on; why says for what reason.
func (c *Client) Retire(why string) {
	c.mu.Lock()
	c.retire(why)
	c.mu.Unlock()
}

// Take takes a place for an exchange, if there is one. There is none while it is not known whether the server is there.
func (c *Client) Take() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	most := 1 // until the server has said more
	if c.began {
		most = min(int(min(c.most, 1<<16)), int(c.limits.Streams)) // more would not have room for their windows
	}
	if c.leaves && !c.fresh || c.fault != nil || c.quit || c.open+c.taken >= most || c.alive.asked != 0 {
		return false
	}
	c.fresh = false
	c.taken++
	return true
}

// Settled reports whether the server has said how many exchanges it takes at a time, or never will.
func (c *Client) Settled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.began || c.fault != nil
}

// Declines reports whether the server has said that it does not take exchanges for other protocols (RFC 8441): its settings
// have come, and have nothing of that.
func (c *Client) Declines() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.began && !c.connects
}

// Idle reports whether there is no exchange, and since when by the time of the host's sweeper.
func (c *Client) Idle() (since time.Duration, idle bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.idle, len(c.lanes)+c.taken == 0
}

// Scope is that of the link.
func (c *Client) Scope() *stream.Scope { return c.scope }

// opens, heads, wentAway, settled, pongs, patience and looks are part of end.
func (c *Client) opens(*block, bool) error {
	return &wire.Fault{Code: wire.ProtocolError, Text: "a server begins a stream"}
}

func (c *Client) heads(l *lane, b *block, ended bool) error { return l.who.(*call).heads(b, ended) }

func (c *Client) wentAway(last uint32, code wire.Code) {
	for id, l := range c.lanes {
		if id > last && l.out.err == nil {
			l.past = wire.RefusedStream
			l.in.ended = false
			l.fail(&stream.Cut{By: telemetry.Server, Why: "goaway", Err: codeError(code)})
		}
	}
	if c.away = true; !c.leaves {
		c.leaves = true
		c.why = "goaway"
		conn.Briefly(c.tellLost)
	}
	c.rests()
}

func (c *Client) settled() {
	c.settles.Broadcast()
	conn.Briefly(func() { c.pool.Freed(c) })
}

func (c *Client) pongs([8]byte) { // there may be places again, see Take
	conn.Briefly(func() { c.pool.Freed(c) })
}

func (c *Client) patience() time.Duration { return 0 }

func (c *Client) looks(now time.Duration) {
	c.settles.Broadcast() // who waits may not want to any more
	if len(c.lanes)+c.taken == 0 && now-c.idle > c.limits.Spare {
		c.fresh = false
		c.retire("idle timeout")
	}
	if len(c.lanes) > 0 || c.alive.asked != 0 {
		c.keepAlive(now, c.mayAsk(now))
	}
}

// seldom is how many times the limit ping has to pass before a server that has said nothing of a stream since it was asked
// whether it is there may be asked again: servers of gRPC let a client go that does so three times within five minutes each.
const seldom = 10

// mayAsk reports whether the server may be asked whether it is there.
func (c *Client) mayAsk(now time.Duration) bool {
	a := &c.alive
	return a.last == 0 || a.spoke || now-a.last > seldom*c.limits.Ping+time.Second
}

// doubt is called when an exchange has waited in vain since some time. If nothing else has come since, the server may be gone:
// it is asked, and until it answers no exchange begins. One that may not be asked has its last exchanges.
func (c *Client) doubt(since, now time.Duration) {
	switch {
	case c.alive.at > since || c.alive.asked != 0 || c.fault != nil:
	case c.mayAsk(now):
		c.ask(now)
	default:
		c.retire("no answer")
	}
}

// Begin begins an exchange at a place that was taken. ErrLeft is that the client takes no more exchanges: another one may.
func (c *Client) Begin(ctx context.Context, r *web.Request) (web.Opened, error) {
	y := &call{}
	y.req, y.ctx = r, ctx
	if err := y.begin(c); err != nil {
		c.pool.Freed(c)
		return nil, err
	}
	return y, nil
}

// ErrLeft is that a client takes no more exchanges.
var ErrLeft = stream.Refuse(stream.Unavailable, "the server wants no more requests on that connection")
