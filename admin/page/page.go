package page

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"gozilla/admin"
)

//go:embed page.html page.css page.js
var files embed.FS

var pageTemplate = template.Must(template.ParseFS(files, "page.html"))

// page is the handler.
type page struct {
	source admin.Source
	host   string // by which it was asked to listen
	rates  sampler
}

// CheckAddress tells what is wrong with an address for the page: it is for browsers on the same machine.
func CheckAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("the address of the page must be 127.0.0.1:PORT, not %q", address)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n > 1<<16-1 {
		return fmt.Errorf("the port of the page must be a number, not %q", port)
	}
	if !isLoopback(host) {
		return fmt.Errorf("the page is for browsers on this machine only: its address must be 127.0.0.1:PORT, not %q", address)
	}
	return nil
}

// isLoopback reports whether a name or an address is this machine's own, whatever resolvers say.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// Handler makes the page of a gateway, which is served at an address that CheckAddress has nothing against.
func Handler(s admin.Source, address string) http.Handler {
	host, _, _ := net.SplitHostPort(address)
	return &page{source: s, host: host}
}

// writeTime is how long a browser may take to read what it was sent.
const writeTime = 10 * time.Second

// policy lets a browser use what comes from here, and nothing else.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// ServeHTTP is part of http.Handler.
func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The deadline is that of the connection; a writer without one, in a test, has none to set.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTime))
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	switch {
	case !p.trusts(r):
		http.Error(w, "this page is only for browsers on the same machine, which asked for it by its address", http.StatusForbidden)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "nothing can be changed here", http.StatusMethodNotAllowed)
	default:
		p.serve(w, r)
	}
}

// trusts reports whether a request is for the page by a name of this machine, and not on behalf of another site: one whose
// name was made to lead here, or one that asks from its own pages.
func (p *page) trusts(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = strings.Trim(r.Host, "[]") // without a port
	}
	if !isLoopback(host) && host != p.host {
		return false
	}
	origins, sent := r.Header["Origin"]
	return !sent || len(origins) == 1 && origins[0] == "http://"+r.Host
}

func (p *page) serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/":
		var b bytes.Buffer
		if err := pageTemplate.Execute(&b, p.look(time.Now())); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		send(w, r, "text/html; charset=utf-8", b.Bytes())
	case "/page.css":
		sendFile(w, r, "text/css; charset=utf-8")
	case "/page.js":
		sendFile(w, r, "text/javascript; charset=utf-8")
	default:
		http.NotFound(w, r)
	}
}

func sendFile(w http.ResponseWriter, r *http.Request, kind string) {
	b, err := files.ReadFile(r.URL.Path[1:])
	if err != nil {
		http.NotFound(w, r)
		return
	}
	send(w, r, kind, b)
}

func send(w http.ResponseWriter, r *http.Request, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // the browser is gone: there is nobody to tell
	}
}
