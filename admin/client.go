package admin

import (
	"bufio"
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
	dir  string
	http *http.Client
}

// Dial makes a client. It does not look whether a gateway is there; the first call does.
func Dial(dir string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		path, err := socketPath(dir)
		if err != nil {
			return nil, err
		}
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	return &Client{dir: dir, http: &http.Client{Transport: &http.Transport{
		DialContext: dial, DisableKeepAlives: true, ResponseHeaderTimeout: answerTime,
	}}}
}

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

// read asks for something that is answered by one JSON value.
func (c *Client) read(ctx context.Context, path string, v any) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	body, err := c.get(ctx, path)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := json.NewDecoder(io.LimitReader(body, answerBytes)).Decode(v); err != nil {
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
	body, err := c.get(ctx, "/v1/logs?"+query.Encode())
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

// get asks for something and gives the body of the answer.
func (c *Client) get(ctx context.Context, path string) (io.ReadCloser, error) {
	return c.ask(ctx, http.MethodGet, path)
}

func (c *Client) ask(ctx context.Context, method, path string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://gozilla"+path, nil)
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, c.explain(err)
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	var f fault
	if json.NewDecoder(io.LimitReader(answer.Body, lineBytes)).Decode(&f) != nil || f.Error == "" {
		f.Error = answer.Status
	}
	return nil, fmt.Errorf("cannot ask the gozilla in %s: %s", c.dir, f.Error)
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
