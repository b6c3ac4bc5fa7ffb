package test

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"regexp"
	"testing"
)

// multiplexing is a page that asks for much at once, and shows by what protocol it came.
const multiplexing = `<!DOCTYPE html>
<pre id="said"></pre>
<script type="module">
  const sums = await Promise.all(Array.from({ length: 60 }, async (_, i) => {
    const r = await fetch('/echo?' + i, { method: 'POST', body: 'x'.repeat(i * 1000) })
    return (await r.text()).length
  }))
  const lines = (await (await fetch('/lines')).text()).split('\n').length - 1
  const protocols = new Set(performance.getEntries().map(e => e.nextHopProtocol).filter(p => p))
  document.getElementById('said').append([...protocols].join(), ' ', sums.reduce((a, b) => a + b), ' ', lines)
</script>
`

// TestBrowserHTTP2 has a page ask over HTTP/2, sixty requests at once, for a server of HTTP/1.1 and one of HTTP/2.
func TestBrowserHTTP2(t *testing.T) {
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/echo":
			b, _ := io.ReadAll(r.Body)
			w.Write(b)
		case "/lines":
			for i := range 100 {
				fmt.Fprintln(w, i)
				w.(http.Flusher).Flush()
			}
		default:
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, multiplexing)
		}
	}, bilingual)
	for _, versions := range []string{"http/1.1", "h2"} {
		port := freePort(t)
		g := h2Gateway(t, port, setting{tls: true, server: "exit: out", client: speaks(versions), end: b.port})
		dom := browse(t, fmt.Sprintf("https://localhost:%d/", port), "--virtual-time-budget=20000", "--dump-dom", "--ignore-certificate-errors")
		got := regexp.MustCompile(`(?s)<pre id="said">(.*?)</pre>`).FindStringSubmatch(dom)
		if want := fmt.Sprintf("h2 %d 100", 59*60/2*1000); got == nil || html.UnescapeString(got[1]) != want {
			t.Errorf("before %s the page shows %q, want %q", versions, got, want)
		}
		g.terminate()
	}
}
