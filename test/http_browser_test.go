package test

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// browsers are the names that Chromium goes by.
var browsers = []string{"chromium-headless-shell", "chromium", "google-chrome", "chromium-browser"}

// visit opens a page in a browser and gives what it looks like once its requests are over.
func visit(t testing.TB, url string) string {
	t.Helper()
	return browse(t, url, "--virtual-time-budget=20000", "--dump-dom")
}

// browse opens a page in a browser that is told to do something with it, and gives what it writes.
func browse(t testing.TB, url string, flags ...string) string {
	t.Helper()
	i := slices.IndexFunc(browsers, func(name string) bool { _, err := exec.LookPath(name); return err == nil })
	path := need(t, browsers[max(i, 0)], browsers[0])
	dir, err := os.MkdirTemp("", "browser")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir) // its children may write still: what is left is the system's to remove
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	// It sees our own pages only, so it need not be shut in, which it cannot be as root. Its clock goes on as soon as it
	// waits for nothing but that.
	flags = append(flags, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir="+dir, url)
	out, err := exec.CommandContext(ctx, path, flags...).Output()
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return string(out)
}

// asking is a page that asks what it is told to, and shows what comes of it: the status, the method, and which of the headers
// x-b and x-c it sees.
const asking = `<!DOCTYPE html>
<pre id="said"></pre>
<script type="module">
  for (const [name, url, options] of ASK) {
    let said
    try {
      const r = await fetch(url, options)
      said = [r.status, await r.text(), r.headers.get('x-b'), r.headers.get('x-c')].join(' ').trim()
    } catch (e) {
      said = 'refused'
    }
    document.getElementById('said').append(name + ': ' + said + '\n')
  }
</script>
`

// TestBrowserCORS has a page of a browser ask gateways that let in others. The server behind says nothing of it.
func TestBrowserCORS(t *testing.T) {
	type options = map[string]any
	var page atomic.Pointer[string]
	site := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, *page.Load())
	})
	api := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/page" {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, *page.Load())
			return
		}
		w.Header().Set("X-B", "b")
		w.Header().Set("X-C", "c")
		http.SetCookie(w, &http.Cookie{Name: "known", Value: "yes"})
		cookie, _ := r.Cookie("known")
		fmt.Fprintf(w, "%s cookie:%v a:%s auth:%s", r.Method, cookie != nil, r.Header.Get("X-A"), r.Header.Get("Authorization"))
	})
	origin := fmt.Sprintf("http://localhost:%d", site.port)
	url := map[string]string{}
	open := func(name, control string) *gateway {
		port := freePort(t)
		url[name] = fmt.Sprintf("http://localhost:%d/", port)
		return start(t, hosting(port, api.port, control+"\nroutes: [ { when: [ { headers: { ':path': /none } } ], guarded: { nobody: [] }, exit: out }, { when: [ { headers: { ':path': /* } } ], exit: out } ]")+
			"guards: { nobody: { type: inline } }\n")
	}
	gateways := []*gateway{
		open("none", ""),
		open("same", "options: { access-control: { policy: same-origin } }"),
		open("any", "options: { access-control: { policy: cross-origin } }"),
		open("known", "options: { access-control: { policy: cross-origin, allow: { credentials: true } } }"),
		open("some", "options: { access-control: { policy: cross-origin, allow: { origins: [ "+origin+" ], methods: [ GET ], headers: [ x-a ] }, expose: { headers: [ x-b ] } } }"),
		open("others", "options: { access-control: { policy: cross-origin, allow: { origins: [ 'http://localhost:1' ] } } }"),
	}
	type question struct {
		name, to string
		options  options
		want     string
	}
	include, xa := "include", options{"x-a": "mine"}
	ask := func(t *testing.T, at string, all []question) {
		t.Helper()
		var asked [][]any
		var want strings.Builder
		for _, q := range all {
			asked = append(asked, []any{q.name, url[q.to], q.options})
			fmt.Fprintf(&want, "%s: %s\n", q.name, q.want)
		}
		b, err := json.Marshal(asked)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(asking, "ASK", string(b), 1)
		page.Store(&text)
		got := regexp.MustCompile(`(?s)<pre id="said">(.*?)</pre>`).FindStringSubmatch(visit(t, at))
		if got == nil {
			t.Fatal("the page shows nothing")
		}
		if said := html.UnescapeString(got[1]); said != want.String() {
			t.Errorf("the page shows\n%s\nwant\n%s", said, &want)
		}
	}
	t.Run("another origin", func(t *testing.T) {
		ask(t, origin+"/", []question{
			{"without access-control", "none", options{}, "refused"},
			{"same-origin", "same", options{}, "refused"},
			{"same-origin, asked in advance", "same", options{"method": "PUT"}, "refused"},
			{"any", "any", options{}, "200 GET cookie:false a: auth: b c"},
			{"any, with cookies", "any", options{"credentials": include}, "refused"},
			{"any, asked in advance", "any", options{"method": "PUT", "headers": xa}, "200 PUT cookie:false a:mine auth: b c"},
			{"any, with a token", "any", options{"headers": options{"authorization": "Bearer mine"}}, "200 GET cookie:false a: auth:Bearer mine b c"},
			{"known", "known", options{"credentials": include}, "200 GET cookie:true a: auth: b c"},
			{"known, asked in advance", "known", options{"method": "PATCH", "headers": xa, "credentials": include}, "200 PATCH cookie:true a:mine auth: b c"},
			{"known, with a token", "known", options{"headers": options{"authorization": "Bearer mine"}}, "200 GET cookie:false a: auth:Bearer mine b c"},
			{"some", "some", options{}, "200 GET cookie:false a: auth: b"},
			{"some, a header", "some", options{"headers": xa}, "200 GET cookie:false a:mine auth: b"},
			{"some, another header", "some", options{"headers": options{"x-d": "mine"}}, "refused"},
			{"some, another method", "some", options{"method": "PUT"}, "refused"},
			{"some, with cookies", "some", options{"credentials": include}, "refused"},
			{"others", "others", options{}, "refused"},
		})
	})
	t.Run("the same origin", func(t *testing.T) {
		for _, name := range []string{"none", "same", "others"} {
			ask(t, url[name]+"page", []question{
				{"its own", name, options{"method": "POST", "headers": xa, "credentials": include}, "200 POST cookie:false a:mine auth: b c"},
				{"again", name, options{"method": "PUT", "credentials": include}, "200 PUT cookie:true a: auth: b c"},
			})
		}
	})
	for _, g := range gateways {
		g.terminate()
	}
}
