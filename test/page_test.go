package test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// paged starts a gateway with its page, and gives the page's address.
func paged(t *testing.T, zilla string, args ...string) (*gateway, string) {
	t.Helper()
	g := start(t, zilla, append([]string{"--page", "127.0.0.1:0"}, args...)...)
	return g, g.stderr.await(t, g, `the page is at (http://127\.0\.0\.1:\d+)/`)[1]
}

// fetchPage asks for the page by a name.
func fetchPage(t *testing.T, at, method, host, origin string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, at+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestPageOfAGateway(t *testing.T) {
	port := freePort(t)
	g, at := paged(t, echo(port))
	c := converse(t, port)
	status, body := fetchPage(t, at, "GET", "", "")
	for _, want := range []string{">north<", ">south<", "example:north → example:south", ">" + c.LocalAddr().String() + "<"} {
		if status != 200 || !strings.Contains(body, want) {
			t.Errorf("status %d, and no %s:\n%s", status, want, body)
		}
	}
	for _, test := range []struct {
		method, host, origin string
		want                 int
	}{
		{"GET", "localhost:1", "", 200}, {"GET", "evil.example", "", 403}, {"GET", "localhost:1", "http://evil.example", 403},
		{"POST", "localhost:1", "", 405}, {"DELETE", "localhost:1", "", 405},
	} {
		if status, _ := fetchPage(t, at, test.method, test.host, test.origin); status != test.want {
			t.Errorf("%+v: %d", test, status)
		}
	}
	c.say("still there")
	c.end()
	g.terminate()
}

// Without a place to be, the page is a fault, and nothing listens.
func TestPageThatCannotBe(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port, dir := freePort(t), t.TempDir()
	write(t, filepath.Join(dir, "zilla.yaml"), echo(port))
	for at, want := range map[string]struct {
		status int
		text   string
	}{
		l.Addr().String(): {1, fmt.Sprintf("gozilla: cannot show the page at %s: address already in use\n", l.Addr())},
		"0.0.0.0:0":       {2, "the page is for browsers on this machine only"},
		"nowhere":         {2, "the address of the page must be 127.0.0.1:PORT"},
	} {
		status, _, stderr := run(t, dir, "start", "--page", at)
		if status != want.status || !strings.Contains(stderr, want.text) || strings.Contains(stderr, "engine.started") || !refused(port) {
			t.Errorf("%s: status %d\n%s", at, status, stderr)
		}
	}
}

// A browser that stalls, or says rubbish, costs streams nothing.
func TestStallingBrowser(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	g, at := paged(t, echo(port))
	c := converse(t, port)
	_, pagePort, _ := strings.Cut(at, "127.0.0.1:")
	for range 100 {
		b := dial(t, atoi(t, pagePort))
		io.WriteString(b, "GET / HTTP/1.1\r\nHost: localhost\r\n")
		c.say("goes on")
	}
	eventually(t, "there is room again", func() bool {
		answer, err := (&http.Client{Timeout: time.Second}).Get(at)
		if err == nil {
			answer.Body.Close()
		}
		return err == nil && answer.StatusCode == 200
	})
	c.end()
	g.terminate()
}

// A browser shows what comes to pass after the page was loaded, and has nothing to complain of.
func TestPageIsAlive(t *testing.T) {
	port := freePort(t)
	g, at := paged(t, echo(port))
	target, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	// The browser asks by way of one who lets a client come when the page is asked for a second time.
	var asked atomic.Int64
	var came atomic.Pointer[conversation]
	forward := httputil.NewSingleHostReverseProxy(target)
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" && asked.Add(1) == 2 {
			came.Store(converse(t, port))
		}
		forward.ServeHTTP(w, r)
	}))
	defer between.Close()
	page := visit(t, between.URL+"/")
	c := came.Load()
	if c == nil || !strings.Contains(page, ">"+c.LocalAddr().String()+"<") || !strings.Contains(page, `id="stale" role="status" hidden`) {
		t.Errorf("it was asked for %d times, and the page does not show who came:\n%s", asked.Load(), page)
	}
	if c != nil {
		c.end()
	}
	g.terminate()
}

// The page is drawn in the colours that the browser's user likes, with its script and without. To look at it, set
// GOZILLA_SCREENSHOTS to a directory.
func TestPageInLightAndDark(t *testing.T) {
	port := freePort(t)
	g, at := paged(t, echo(port))
	target, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	scriptless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/page.js" {
			http.NotFound(w, r)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	defer scriptless.Close()
	for _, test := range []struct {
		name, scheme  string
		ground, entry color.RGBA // and that of the mark of a binding at which streams enter
	}{
		{"dark", "0", color.RGBA{0x12, 0x16, 0x1c, 255}, color.RGBA{0x6e, 0xa0, 0xff, 255}},
		{"light", "1", color.RGBA{0xf6, 0xf7, 0xf9, 255}, color.RGBA{0x24, 0x63, 0xd6, 255}},
		{"plain", "1", color.RGBA{0xf6, 0xf7, 0xf9, 255}, color.RGBA{0x24, 0x63, 0xd6, 255}},
	} {
		file := filepath.Join(t.TempDir(), test.name+".png")
		from := at
		if test.name == "plain" {
			from = scriptless.URL
		}
		browse(t, from+"/", "--blink-settings=preferredColorScheme="+test.scheme, "--hide-scrollbars", "--window-size=1000,700", "--virtual-time-budget=500", "--screenshot="+file)
		shot := mustRead(t, file)
		if keep := os.Getenv("GOZILLA_SCREENSHOTS"); keep != "" {
			write(t, filepath.Join(keep, "page-"+test.name+".png"), string(shot))
		}
		picture, err := png.Decode(bytes.NewReader(shot))
		if err != nil {
			t.Fatal(err)
		}
		if got := color.RGBAModel.Convert(picture.At(2, 600)); got != test.ground {
			t.Errorf("%s: the ground is %v, want %v", test.name, got, test.ground)
		}
		if n := pixels(picture, test.entry); n < 100 || n > 1000 {
			t.Errorf("%s: the mark of the binding at which streams enter has %d pixels", test.name, n)
		}
	}
	g.terminate()
}

// pixels is how many pixels of a picture have a colour.
func pixels(picture image.Image, want color.RGBA) int {
	n := 0
	for y := picture.Bounds().Min.Y; y < picture.Bounds().Max.Y; y++ {
		for x := picture.Bounds().Min.X; x < picture.Bounds().Max.X; x++ {
			if color.RGBAModel.Convert(picture.At(x, y)) == want {
				n++
			}
		}
	}
	return n
}
