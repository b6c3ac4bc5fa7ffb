// Package fetch reads what a configuration names by an address: a file, or what an HTTP server has.
package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// timeout is how long a server may take for all of its answer.
const timeout = 30 * time.Second

// Options say how to read.
type Options struct {
	Max           int64  // bytes; what has more is refused
	Authorization string // the header's value for http and https, "" for none
	Required      bool   // what is not there, or is no regular file, is an error
}

// Read gives the content of a path, a file: or an http(s): address. What is not there is empty, unless it is required:
// a file that does not exist, and a server's 204 or 404.
func Read(ctx context.Context, address string, o Options) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil && isAddress(address) {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // without the address, which may have a password
		}
		return nil, fmt.Errorf("cannot read the configuration: its address is wrong: %w", err)
	}
	if err != nil || len(u.Scheme) < 2 { // a path, on some systems one with a drive
		return readFile(address, o)
	}
	switch strings.ToLower(u.Scheme) {
	case "file":
		return readFile(filePath(u), o)
	case "http", "https":
		return get(ctx, u, o)
	}
	return nil, fmt.Errorf("cannot read %s: it is neither a path nor a file:, http: or https: address", address)
}

// isAddress reports whether text that is no valid address was meant to be one.
func isAddress(text string) bool {
	scheme, _, _ := strings.Cut(strings.ToLower(text), ":")
	return scheme == "http" || scheme == "https" || scheme == "file"
}

// filePath is the path of a file: address; file:zilla.yaml is one in the current directory.
func filePath(u *url.URL) string {
	if u.Opaque != "" {
		if path, err := url.PathUnescape(u.Opaque); err == nil {
			return path
		}
		return u.Opaque
	}
	return u.Path
}

// Resolve is the address of what a text at base calls name: a path, or an address of its own. Paths are relative to the
// folder of base.
func Resolve(base, name string) string {
	if isAddress(name) || filepath.IsAbs(name) && !IsRemote(base) {
		return name
	}
	if u, err := url.Parse(base); err == nil && isAddress(base) {
		if IsRemote(base) {
			return u.ResolveReference(&url.URL{Path: filepath.ToSlash(name)}).String()
		}
		base = filePath(u)
	}
	return filepath.Join(filepath.Dir(base), filepath.FromSlash(name))
}

// Path is the path of an address that is a file of this machine, else "".
func Path(address string) string {
	switch u, err := url.Parse(address); {
	case !isAddress(address):
		return address
	case err != nil || IsRemote(address):
		return ""
	default:
		return filePath(u)
	}
}

// IsRemote reports whether an address is one of an HTTP server.
func IsRemote(address string) bool {
	return isAddress(address) && !strings.HasPrefix(strings.ToLower(address), "file:")
}

func readFile(path string, o Options) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // else to open a pipe waits for who writes to it
	if errors.Is(err, os.ErrNotExist) && !o.Required {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, bare(err))
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read %s: %w", path, bare(err))
	case info.IsDir():
		return nil, fmt.Errorf("cannot read %s: it is a directory", path)
	case o.Required && !info.Mode().IsRegular():
		return nil, fmt.Errorf("cannot read %s: it is no regular file", path)
	case !info.Mode().IsRegular():
		_ = f.SetReadDeadline(time.Now().Add(timeout)) // what has none is a terminal
	}
	return readAll(f, path, o.Max, info.Size())
}

// bare is an error without the path, which is said already.
func bare(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// readAll reads all of r, which probably has that many bytes.
func readAll(r io.Reader, name string, max, size int64) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 0, min(size, max)+bytes.MinRead))
	if _, err := b.ReadFrom(io.LimitReader(r, max+1)); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, bare(err))
	}
	if int64(b.Len()) > max {
		return nil, fmt.Errorf("cannot read %s: it has more than %d bytes", name, max)
	}
	return b.Bytes(), nil
}

func get(ctx context.Context, u *url.URL, o Options) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	a, err := ask(ctx, u, o, nil)
	if err != nil {
		return nil, err
	}
	if a.Absent != nil && o.Required {
		return nil, a.Absent
	}
	return a.Text, nil
}

// An Answer is what an HTTP server has at an address.
type Answer struct {
	Text   []byte
	Tag    string // the ETag, by which a server knows what its client has
	Same   bool   // it is what the client has: there is no text
	Absent error  // the server has nothing there, and has answered with 204 or 404; else nil
}

// Poll asks an HTTP server for what is at an address if that is not what the tag says, and to wait for as long as that
// until it is (RFC 7240, section 4.3). Servers that do not know of waiting answer at once.
func Poll(ctx context.Context, address string, o Options, tag string, wait time.Duration) (*Answer, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: its address is wrong: %w", errors.Unwrap(err))
	}
	ctx, cancel := context.WithTimeout(ctx, wait+timeout)
	defer cancel()
	return ask(ctx, u, o, func(h http.Header) {
		if tag != "" {
			h.Set("If-None-Match", tag)
			h.Set("Prefer", fmt.Sprintf("wait=%d", int(wait.Seconds())))
		}
	})
}

// transport has a connection for each request: the next one comes much later, if ever.
var transport = func() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableKeepAlives = true
	return t
}()

// ask sends one request; add completes its header.
func ask(ctx context.Context, u *url.URL, o Options, add func(http.Header)) (*Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", u.Redacted(), err)
	}
	if o.Authorization != "" {
		req.Header.Set("Authorization", o.Authorization)
	}
	if add != nil {
		add(req.Header)
	}
	client := http.Client{CheckRedirect: stayPrivate, Transport: transport}
	resp, err := client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return nil, fmt.Errorf("cannot read %s: %w", u.Redacted(), err)
	}
	defer resp.Body.Close()
	a := &Answer{Tag: resp.Header.Get("ETag")}
	answers := fmt.Errorf("cannot read %s: the server answers %s", u.Redacted(), resp.Status)
	switch resp.StatusCode {
	case http.StatusOK:
		a.Text, err = readAll(resp.Body, u.Redacted(), o.Max, max(0, resp.ContentLength))
		return a, err
	case http.StatusNotModified:
		if add != nil {
			a.Same = true
			return a, nil
		}
	case http.StatusNoContent, http.StatusNotFound:
		a.Absent = answers
		return a, nil
	}
	return nil, answers
}

// stayPrivate follows a server elsewhere, but not from https to http.
func stayPrivate(req *http.Request, via []*http.Request) error {
	if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return errors.New("it leads from https to http")
	}
	if len(via) >= 10 {
		return errors.New("it leads from one address to the next without end")
	}
	return nil
}
