package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"gozilla/engine"
	"gozilla/telemetry"
)

const (
	answerTime  = 5 * time.Second // until a gateway begins to answer
	answerBytes = 64 << 20        // of an answer that is taken as a whole
	lineBytes   = 1 << 20         // of one entry
	ahead       = 8192            // entries that wait for who reads them slowly
)

// A Client asks the gateway that runs in a directory.
type Client struct {
	dir      string
	patience time.Duration // until an answer begins
}

// Dial makes a client. It does not look whether a gateway is there; the first call does.
func Dial(dir string) *Client { return &Client{dir, answerTime} }

// http is what makes one request.
func (c *Client) http() *http.Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		path, err := socketPath(c.dir)
		if err != nil {
			return nil, err
		}
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true, ResponseHeaderTimeout: c.patience}}
}

// patient is the client for what may take longer.
func (c *Client) patient() *Client { return &Client{c.dir, changeTime + answerTime} }

// Status tells who the gateway is and how it does.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	return s, c.read(ctx, "/v1/status", &s)
}

// Metrics gives all metrics of the gateway.
func (c *Client) Metrics(ctx context.Context) ([]telemetry.Sample, error) {
	var samples []telemetry.Sample
	return samples, c.read(ctx, "/v1/metrics", &samples)
}

// Graph tells what is in service.
func (c *Client) Graph(ctx context.Context) (engine.Graph, error) {
	var g engine.Graph
	return g, c.read(ctx, "/v1/bindings", &g)
}

// Connections gives the connections that fit.
func (c *Client) Connections(ctx context.Context, f Filter) (Connections, error) {
	query := url.Values{}
	set := func(name, value string) {
		if value != "" {
			query.Set(name, value)
		}
	}
	set("binding", f.Binding)
	set("namespace", f.Namespace)
	set("source", f.Source)
	if f.Limit != 0 {
		set("limit", strconv.Itoa(f.Limit))
	}
	var all Connections
	return all, c.read(ctx, "/v1/connections?"+query.Encode(), &all)
}

// Close closes a connection.
func (c *Client) Close(ctx context.Context, id uint64) error {
	return c.tell(ctx, http.MethodDelete, "/v1/connections/"+strconv.FormatUint(id, 10), nil, nil)
}

// LogLevel is the level of the gateway's log.
func (c *Client) LogLevel(ctx context.Context) (string, error) {
	var l level
	err := c.read(ctx, "/v1/log-level", &l)
	return l.Level, err
}

// SetLogLevel changes it, and gives it as the gateway spells it.
func (c *Client) SetLogLevel(ctx context.Context, to string) (string, error) {
	var l level
	err := c.tell(ctx, http.MethodPut, "/v1/log-level", level{to}, &l)
	return l.Level, err
}

// Plan asks what a configuration would change. One that would be refused is told in what is returned.
func (c *Client) Plan(ctx context.Context, d Draft) (Changed, error) {
	var to Changed
	return to, c.patient().tell(ctx, http.MethodPost, "/v1/plan", d, &to)
}

// Reload has the gateway read its configuration again. One that is refused is told in what is returned.
func (c *Client) Reload(ctx context.Context, color bool) (Changed, error) {
	var to Changed
	return to, c.patient().tell(ctx, http.MethodPost, "/v1/reload?color="+strconv.FormatBool(color), nil, &to)
}

// read asks for something that is answered by one JSON value.
func (c *Client) read(ctx context.Context, path string, v any) error {
	return c.tell(ctx, http.MethodGet, path, nil, v)
}

// tell makes a request with a body, unless that is nil, and reads the answer, one JSON value, unless v is nil.
func (c *Client) tell(ctx context.Context, method, path string, body, v any) error {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	answer, err := c.ask(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer answer.Close()
	if v == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(answer, answerBytes)).Decode(v); err != nil {
		return fmt.Errorf("cannot read the answer of the gozilla in %s: %w", c.dir, err)
	}
	return nil
}

// Logs calls f with what the gateway keeps from sequence number since on, 0 for all, and with follow also with what
// comes after, until ctx ends, the gateway does, or f returns an error. It does not keep the gateway waiting when f is
// slow; of what cannot be kept meanwhile f is told by an Entry that says Lost.
func (c *Client) Logs(ctx context.Context, since uint64, follow bool, f func(Entry) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	query := url.Values{"since": {strconv.FormatUint(since, 10)}, "follow": {strconv.FormatBool(follow)}}
	body, err := c.ask(ctx, http.MethodGet, "/v1/logs?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer body.Close()
	if !follow {
		return c.kept(body, f)
	}
	return c.followed(ctx, body, f)
}

// kept reads all there is before f is called.
func (c *Client) kept(body io.Reader, f func(Entry) error) error {
	var entries []Entry
	if err := c.entries(body, func(e Entry) { entries = append(entries, e) }); err != nil {
		return err
	}
	for _, e := range entries {
		if err := f(e); err != nil {
			return err
		}
	}
	return nil
}

// followed calls f while a goroutine reads on, which ends with the body.
func (c *Client) followed(ctx context.Context, body io.Reader, f func(Entry) error) error {
	waiting := make(chan Entry, ahead)
	var failed error // set before waiting is closed
	read := func() {
		defer close(waiting)
		lost := false
		failed = c.entries(body, func(e Entry) {
			if len(waiting) > ahead-2 { // one place is for the news that something is lost
				lost = true
				return
			}
			if lost {
				waiting <- Entry{Lost: true}
				lost = false
			}
			waiting <- e
		})
		if lost {
			waiting <- Entry{Lost: true}
		}
	}
	go read()
	for e := range waiting {
		if err := f(e); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return failed
}

// entries reads lines until the gateway ends them.
func (c *Client) entries(body io.Reader, take func(Entry)) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, lineBytes)
	for lines.Scan() {
		var e Entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("cannot read the logs of the gozilla in %s: %w", c.dir, err)
		}
		take(e)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("cannot read the logs of the gozilla in %s: %w", c.dir, err)
	}
	return nil
}

// ask makes a request with a body, unless that is nil, and gives the body of the answer.
func (c *Client) ask(ctx context.Context, method, path string, body any) (io.ReadCloser, error) {
	var send io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		send = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://gozilla"+path, send)
	if err != nil {
		return nil, err
	}
	answer, err := c.http().Do(r)
	if err != nil {
		return nil, c.explain(err)
	}
	if answer.StatusCode/100 == 2 {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	var f fault
	if json.NewDecoder(io.LimitReader(answer.Body, lineBytes)).Decode(&f) != nil || f.Error == "" {
		return nil, fmt.Errorf("cannot ask the gozilla in %s: %s", c.dir, answer.Status)
	}
	return nil, errors.New(f.Error) // it is for the user
}

// explain says in the user's words why nobody answers.
func (c *Client) explain(err error) error {
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err // without the address, which is made up
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return &NotRunning{Dir: c.dir}
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the gozilla in %s belongs to another user: %w", c.dir, err)
	}
	return fmt.Errorf("cannot ask the gozilla in %s: %w", c.dir, err)
}

// NotRunning is the error for a directory in which no gateway runs.
type NotRunning struct {
	Dir string
}

func (e *NotRunning) Error() string {
	return fmt.Sprintf("no gozilla is running in %s; start one, or name its directory with -P zilla.engine.directory=DIR",
		e.Dir)
}
